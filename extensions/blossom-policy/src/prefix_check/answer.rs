//! The hashes of an answer.

use crate::blob::BlobHash;

/// The hashes with a prefix that a service knows.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Candidates {
    /// Sorted, without padding.
    known: Vec<[u8; 32]>,
    /// Padding included: what an onlooker sees.
    lines: usize,
}

impl Candidates {
    /// Reads an answer about a prefix; a line that is none is an error, with its number.
    pub(super) fn read(answer: &[u8], prefix: &str) -> Result<Self, usize> {
        let (mut known, mut lines) = (Vec::new(), 0);
        for (line, number) in answer.split(|byte| *byte == b'\n').zip(1_usize..) {
            let line = line.trim_ascii();
            if line.is_empty() {
                continue;
            }
            lines += 1;
            let (hash, is_padding) = read_line(line, prefix).ok_or(number)?;
            if !is_padding {
                known.push(hash);
            }
        }
        known.sort_unstable();
        known.dedup();
        known.shrink_to_fit();
        Ok(Candidates { known, lines })
    }

    pub(super) fn contains(&self, sha256: &BlobHash) -> bool {
        self.known.binary_search(sha256.as_bytes()).is_ok()
    }

    pub(super) fn lines(&self) -> usize {
        self.lines
    }

    /// Bytes that it takes.
    pub(super) fn weight(&self) -> usize {
        self.known.len() * 32 + 200
    }
}

/// A hash, and whether it is there as padding.
fn read_line(line: &[u8], prefix: &str) -> Option<([u8; 32], bool)> {
    let line = std::str::from_utf8(line).ok()?;
    let (digits, count) = match line.split_once(':') {
        Some((digits, count)) => (digits, count.trim().parse().ok()?),
        None => (line, 1_u64),
    };
    let digits = match digits.len() + prefix.len() {
        64 => format!("{prefix}{digits}"),
        _ => digits.to_owned(),
    };
    let mut hash = [0; 32];
    let is_hash = digits.len() == 64 && const_hex::decode_to_slice(&digits, &mut hash).is_ok();
    let begins_right = digits.get(..prefix.len())?.eq_ignore_ascii_case(prefix);
    (is_hash && begins_right).then_some((hash, count == 0))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn b8_answers_are_whole_hashes_or_what_is_left_of_them() {
        let (rest, other) = ("a".repeat(59), "b".repeat(59));
        let padding = "c".repeat(59);
        let text = format!(
            "{rest}:3\r\n01234{other}\n\n{padding}:0\n{}:1\n",
            rest.to_uppercase()
        );
        let read = Candidates::read(text.as_bytes(), "01234").unwrap();
        let has = |rest: &str| read.contains(&format!("01234{rest}").parse().unwrap());
        assert_eq!((read.known.len(), read.lines()), (2, 4));
        assert!(has(&rest) && has(&other) && !has(&padding));
        assert_eq!(Candidates::read(b"", "01234").unwrap().lines(), 0);
        for (wrong, line) in [
            (format!("{rest}\n<html>"), 2),
            (format!("{rest}a"), 1),
            (format!("{rest}:x"), 1),
            (format!("99999{other}"), 1),
            ("é".repeat(30), 1),
        ] {
            assert_eq!(
                Candidates::read(wrong.as_bytes(), "01234"),
                Err(line),
                "{wrong}"
            );
        }
    }
}
