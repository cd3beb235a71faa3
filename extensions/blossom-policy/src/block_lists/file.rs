//! Reads lists: a hash a line, in hex, in the first column of whatever else the line has.
//!
//! The length of a hash says its kind: 64 digits are SHA-256, 40 are SHA-1, 32 are MD5. Each file is read twice, first to
//! count, so that the memory is taken once and is no more than the hashes need.

use super::Lists;
use super::hash_set::HashSet;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

/// A line of a list with notes has less.
const LINE_BYTES_MAX: usize = 64 << 10;
const BUFFER_BYTES: usize = 256 << 10;

/// Why a list is not put in force. What stands in the line is not repeated: it may be a hash.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ListError {
    /// The file is not there, or cannot be read.
    #[error("the block list {} cannot be read: {source}", file.display())]
    Unreadable {
        /// Which.
        file: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// A line begins with something else than a hash.
    #[error(
        "line {line} of the block list {} does not begin with a hash: 64 hex digits (SHA-256), 40 (SHA-1) or 32 (MD5) are \
         wanted, and {found} characters were found; lines of notes begin with #",
        file.display()
    )]
    NoHash {
        /// Which.
        file: PathBuf,
        /// From 1.
        line: u64,
        /// Characters of the first column.
        found: usize,
    },
    /// It had lines before, and has none now: whatever has written it may have failed.
    #[error(
        "the block list {} has become empty; a list without hashes is one with a line of notes, which begins with #",
        file.display()
    )]
    Emptied {
        /// Which.
        file: PathBuf,
    },
    /// A line that no list has: this is some other file.
    #[error("line {line} of the block list {} is longer than {LINE_BYTES_MAX} bytes", file.display())]
    LongLine {
        /// Which.
        file: PathBuf,
        /// From 1.
        line: u64,
    },
}

/// A hash of a line.
enum Hash {
    Sha256([u8; 32]),
    Sha1([u8; 20]),
    Md5([u8; 16]),
}

/// All hashes of all files.
pub(super) fn read(files: &[PathBuf]) -> Result<Lists, ListError> {
    let (mut sha256, mut sha1, mut md5) = (0, 0, 0);
    let mut is_written = Vec::with_capacity(files.len());
    for file in files {
        let has_lines = each(file, |hash| match hash {
            Hash::Sha256(_) => sha256 += 1,
            Hash::Sha1(_) => sha1 += 1,
            Hash::Md5(_) => md5 += 1,
        })?;
        is_written.push(has_lines);
    }
    let mut sha256 = Vec::with_capacity(sha256);
    let mut sha1 = Vec::with_capacity(sha1);
    let mut md5 = Vec::with_capacity(md5);
    for file in files {
        each(file, |hash| match hash {
            Hash::Sha256(hash) => sha256.push(hash),
            Hash::Sha1(hash) => sha1.push(hash),
            Hash::Md5(hash) => md5.push(hash),
        })?;
    }
    Ok(Lists {
        sha256: HashSet::new(sha256),
        sha1: HashSet::new(sha1),
        md5: HashSet::new(md5),
        is_written,
    })
}

/// Takes every hash of a file. Whether it has any line, be it a note.
fn each(file: &Path, mut take: impl FnMut(Hash)) -> Result<bool, ListError> {
    let unreadable = |source| ListError::Unreadable {
        file: file.to_owned(),
        source,
    };
    let opened = File::open(file).map_err(unreadable)?;
    let mut reader = BufReader::with_capacity(BUFFER_BYTES, opened);
    let (mut text, mut line, mut is_first) = (Vec::new(), 0, true);
    let mut has_lines = false;
    loop {
        text.clear();
        line += 1;
        let limit = LINE_BYTES_MAX as u64 + 1;
        let read = io::Read::take(&mut reader, limit).read_until(b'\n', &mut text);
        if read.map_err(unreadable)? == 0 {
            return Ok(has_lines);
        }
        if text.len() > LINE_BYTES_MAX {
            let file = file.to_owned();
            return Err(ListError::LongLine { file, line });
        }
        let column = first_column(if line == 1 {
            without_mark(&text)
        } else {
            &text
        });
        has_lines |= !column.is_empty();
        if column.is_empty() || column.starts_with(b"#") {
            continue;
        }
        match hash(column) {
            Some(hash) => take(hash),
            None if is_first && is_heading(column) => {}
            None => {
                return Err(ListError::NoHash {
                    file: file.to_owned(),
                    line,
                    found: String::from_utf8_lossy(column).chars().count(),
                });
            }
        }
        is_first = false;
    }
}

fn without_mark(line: &[u8]) -> &[u8] {
    line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line)
}

/// What stands before the first comma, semicolon or blank, without quotes.
fn first_column(line: &[u8]) -> &[u8] {
    let line = line.trim_ascii();
    let end = line
        .iter()
        .position(|it| matches!(it, b',' | b';' | b' ' | b'\t' | b'|'));
    let column = &line[..end.unwrap_or(line.len())];
    let quoted = column
        .strip_prefix(b"\"")
        .and_then(|it| it.strip_suffix(b"\""));
    quoted.unwrap_or(column)
}

fn hash(column: &[u8]) -> Option<Hash> {
    match column.len() {
        64 => decode(column).map(Hash::Sha256),
        40 => decode(column).map(Hash::Sha1),
        32 => decode(column).map(Hash::Md5),
        _ => None,
    }
}

fn decode<const BYTES: usize>(column: &[u8]) -> Option<[u8; BYTES]> {
    let mut hash = [0; BYTES];
    const_hex::decode_to_slice(column, &mut hash).ok()?;
    Some(hash)
}

/// The names of columns, as tables have them in their first line.
fn is_heading(column: &[u8]) -> bool {
    [
        &b"sha256"[..],
        b"sha-256",
        b"sha1",
        b"sha-1",
        b"md5",
        b"hash",
    ]
    .iter()
    .any(|name| column.eq_ignore_ascii_case(name))
}
