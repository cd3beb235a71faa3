//! Cuts a stream into lines of bounded length.

use std::io::{self, BufRead, Read as _};

/// Lines with their numbers, counted from 1.
pub(super) struct Lines<R> {
    reader: R,
    max_line_bytes: usize,
    number: u64,
    bytes: u64,
}

/// One line without its end.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    Whole(Vec<u8>),
    /// More bytes than allowed; they have been skipped.
    TooLong,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(reader: R, max_line_bytes: usize) -> Self {
        Lines {
            reader,
            max_line_bytes,
            number: 0,
            bytes: 0,
        }
    }

    /// The next line and its number; the last needs no line feed.
    pub(super) fn next_line(&mut self) -> io::Result<Option<(u64, Line)>> {
        let mut line = Vec::new();
        let mut room = (&mut self.reader).take(self.max_line_bytes as u64 + 1);
        let read = room.read_until(b'\n', &mut line)?;
        if read == 0 {
            return Ok(None);
        }
        self.number += 1;
        self.bytes += read as u64;
        if line.last() == Some(&b'\n') {
            line.pop();
        } else if line.len() > self.max_line_bytes {
            self.bytes += self.reader.skip_until(b'\n')? as u64;
            return Ok(Some((self.number, Line::TooLong)));
        }
        Ok(Some((self.number, Line::Whole(line))))
    }

    /// Bytes read so far.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn lines(text: &[u8], max_line_bytes: usize) -> (Vec<(u64, Line)>, u64) {
        let mut lines = Lines::new(io::BufReader::with_capacity(3, text), max_line_bytes);
        let mut all = Vec::new();
        while let Some(line) = lines.next_line().unwrap() {
            all.push(line);
        }
        (all, lines.bytes())
    }

    #[test]
    fn lines_are_numbered_and_long_ones_skipped() {
        let whole = |number, text: &[u8]| (number, Line::Whole(text.to_vec()));
        assert_eq!(lines(b"", 5), (vec![], 0));
        assert_eq!(
            lines(b"one\n\nthree\ntoo long\nlast", 5),
            (
                vec![
                    whole(1, b"one"),
                    whole(2, b""),
                    whole(3, b"three"),
                    (4, Line::TooLong),
                    whole(5, b"last"),
                ],
                24
            )
        );
        assert_eq!(lines(b"123456", 5), (vec![(1, Line::TooLong)], 6));
        assert_eq!(lines(b"12345", 5), (vec![whole(1, b"12345")], 5));
    }
}
