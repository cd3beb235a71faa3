//! Cuts what a program writes into lines, none longer than a bound.
//!
//! Pure: bytes in, lines out. What a line means is `protocol`'s.

use bytes::{Buf, BytesMut};

/// Bytes that came, and how far they were searched.
#[derive(Debug)]
pub(crate) struct Lines {
    /// To be read into.
    pub(crate) bytes: BytesMut,
    searched: usize,
    max_bytes: usize,
}

/// A line is longer than allowed, or will be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooLong;

impl Lines {
    pub(crate) fn new(max_bytes: usize) -> Self {
        Lines {
            bytes: BytesMut::new(),
            searched: 0,
            max_bytes,
        }
    }

    /// The next whole line, without its end; `None` until more has come.
    pub(crate) fn next(&mut self) -> Result<Option<BytesMut>, TooLong> {
        let end = self.bytes[self.searched..].iter().position(|b| *b == b'\n');
        let Some(end) = end else {
            self.searched = self.bytes.len();
            return match self.searched > self.max_bytes {
                true => Err(TooLong),
                false => Ok(None),
            };
        };
        let end = self.searched + end;
        // A return before the end belongs to it.
        let is_windows = end > 0 && self.bytes[end - 1] == b'\r';
        if end - usize::from(is_windows) > self.max_bytes {
            return Err(TooLong);
        }
        self.searched = 0;
        let mut line = self.bytes.split_to(end);
        self.bytes.advance(1);
        line.truncate(end - usize::from(is_windows));
        Ok(Some(line))
    }

    /// The beginning of a line that is too long, which is then gone as far as it came; and whether its end came too.
    pub(crate) fn cut(&mut self) -> (BytesMut, bool) {
        self.searched = 0;
        let end = self.bytes.iter().position(|b| *b == b'\n');
        let mut line = self.bytes.split_to(end.unwrap_or(self.bytes.len()));
        if end.is_some() {
            self.bytes.advance(1);
        }
        line.truncate(self.max_bytes);
        (line, end.is_some())
    }

    /// What stands behind the last end of a line; at most the bound.
    pub(crate) fn rest(&mut self) -> BytesMut {
        self.searched = 0;
        let mut rest = self.bytes.split();
        rest.truncate(self.max_bytes);
        rest
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn e12_lines_come_out_whatever_the_pieces_they_come_in(
            lines in prop::collection::vec("[a-z ]{0,20}", 0..20),
            piece in 1..30usize,
        ) {
            let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
            let mut cut = Lines::new(20);
            let mut found = Vec::new();
            for piece in text.as_bytes().chunks(piece) {
                cut.bytes.extend_from_slice(piece);
                while let Some(line) = cut.next().unwrap() {
                    found.push(String::from_utf8(line.to_vec()).unwrap());
                }
            }
            prop_assert_eq!(found, lines);
            prop_assert!(cut.rest().is_empty());
        }

        #[test]
        fn e12_no_line_is_longer_than_allowed(
            bytes in prop::collection::vec(prop_oneof![Just(b'\n'), any::<u8>()], 0..200),
            max_bytes in 0..20usize,
        ) {
            let mut cut = Lines::new(max_bytes);
            cut.bytes.extend_from_slice(&bytes);
            let longest = bytes.split(|b| *b == b'\n').map(<[u8]>::len).max().unwrap_or(0);
            loop {
                match cut.next() {
                    Ok(Some(line)) => prop_assert!(line.len() <= max_bytes),
                    Ok(None) => break,
                    Err(TooLong) => {
                        prop_assert!(longest > max_bytes);
                        break;
                    }
                }
            }
        }
    }

    #[test]
    fn e12_a_line_that_is_too_long_can_be_cut() {
        let mut cut = Lines::new(3);
        cut.bytes.extend_from_slice(b"abcdef\nxy\nlonger");
        assert_eq!(cut.next(), Err(TooLong));
        assert_eq!(cut.cut(), (BytesMut::from("abc"), true));
        assert_eq!(cut.next().unwrap().unwrap(), b"xy"[..]);
        assert_eq!(cut.next(), Err(TooLong));
        assert_eq!(cut.cut(), (BytesMut::from("lon"), false));
        assert_eq!(cut.next(), Ok(None));
    }

    #[test]
    fn e12_the_end_of_a_line_may_be_that_of_other_systems() {
        let mut cut = Lines::new(10);
        cut.bytes.extend_from_slice(b"one\r\ntwo");
        assert_eq!(cut.next().unwrap().unwrap(), b"one"[..]);
        assert_eq!(cut.next(), Ok(None));
        assert_eq!(cut.rest(), b"two"[..]);
    }
}
