//! Lines on their way into a compressed object, and out of one.

use super::BackupError;
use super::line;
use super::manifest::{self, Part};
use crate::store::{Change, Entry, PutBack};
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use std::io::{self, BufRead as _, BufReader, Write as _};

/// A line that is longer is no line: an event has a bound, and so has a row.
const LINE_BYTES_MAX: usize = 256 << 20;

/// An object that is being filled.
pub(super) struct Packer {
    encoder: GzEncoder<Vec<u8>>,
    pub(super) tally: Tally,
}

/// What lines an object has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) events: u64,
    pub(super) removals: u64,
    pub(super) entries: u64,
    /// Before compression.
    pub(super) raw_bytes: u64,
}

/// An object that is whole.
#[derive(Clone, Debug)]
pub(super) struct Packed {
    pub(super) bytes: Vec<u8>,
    pub(super) tally: Tally,
}

impl Packer {
    pub(super) fn new() -> Self {
        Packer {
            // JSON shrinks well all the same.
            encoder: GzEncoder::new(Vec::new(), Compression::fast()),
            tally: Tally::default(),
        }
    }

    /// Takes a change in; a gap leaves nothing.
    pub(super) fn change(&mut self, change: &Change) -> io::Result<()> {
        let Some(line) = line::of_change(change) else {
            return Ok(());
        };
        match change {
            Change::Stored(_) => self.tally.events += 1,
            _ => self.tally.removals += 1,
        }
        self.write(&line)
    }

    /// Takes an entry in.
    pub(super) fn entry(&mut self, entry: &Entry) -> io::Result<()> {
        self.tally.entries += 1;
        self.write(&line::of_entry(entry))
    }

    /// Entries that follow are all that there are.
    pub(super) fn all_entries(&mut self) -> io::Result<()> {
        self.write(&line::of_all_entries())
    }

    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        self.tally.raw_bytes += line.len() as u64;
        self.encoder.write_all(line)
    }

    /// Bytes that went through the compression so far: somewhat less than the object has.
    pub(super) fn packed_bytes(&self) -> usize {
        self.encoder.get_ref().len()
    }

    pub(super) fn finish(self) -> io::Result<Packed> {
        let Packer { encoder, tally } = self;
        let bytes = encoder.finish()?;
        Ok(Packed { bytes, tally })
    }
}

impl Packed {
    /// As a part of something larger.
    pub(super) fn part(&self) -> Part {
        Part {
            bytes: self.bytes.len() as u64,
            raw_bytes: self.tally.raw_bytes,
            sha256: manifest::sha256(&self.bytes),
        }
    }
}

/// Hands over each line of an object by that name, in order, and says what lines there were.
pub(super) fn unpack(
    name: &str,
    object: &[u8],
    mut each: impl FnMut(PutBack) -> Result<(), BackupError>,
) -> Result<Tally, BackupError> {
    let damaged = |problem: String| BackupError::damaged(name, problem);
    let mut reader = BufReader::new(MultiGzDecoder::new(object));
    let mut tally = Tally::default();
    let mut line = Vec::new();
    let mut number = 0u64;
    loop {
        line.clear();
        let mut bounded = io::Read::take(&mut reader, LINE_BYTES_MAX as u64);
        let read = bounded.read_until(b'\n', &mut line);
        if read.map_err(|error| damaged(error.to_string()))? == 0 {
            return Ok(tally);
        }
        number += 1;
        tally.raw_bytes += line.len() as u64;
        let text = line.strip_suffix(b"\n").unwrap_or(&line);
        let put = line::read(text);
        let put = put.map_err(|problem| damaged(format!("line {number}: {problem}")))?;
        match &put {
            PutBack::Event(_) => tally.events += 1,
            PutBack::Removed { .. } => tally.removals += 1,
            PutBack::Entry(_) => tally.entries += 1,
            PutBack::ForgetEntries | PutBack::Begin(_) => {}
        }
        each(put)?;
    }
}
