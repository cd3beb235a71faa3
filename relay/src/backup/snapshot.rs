//! Copies everything that is stored, a page at a time and never in one long read.
//!
//! What changes meanwhile is in the segments that are cut beside it: with those up to its end it makes a state that the
//! store was in.

use super::manifest::{FORMAT, Part, SnapshotManifest};
use super::packer::{Packed, Packer};
use super::segment::ENTRIES_PAGE;
use super::{BackupError, Keeps};
use crate::store::{Change, EntryPlace, Store};

/// Changes that are read at a time.
const PAGE: usize = 256;
/// A part is ended where it has so many bytes, so that one upload holds up no segment for long.
const PART_BYTES: usize = 4 << 20;

/// A snapshot under way.
pub(super) struct Snapshot {
    after_sequence: u64,
    last_row: u64,
    begun_at_ms: u64,
    place: Place,
    packer: Packer,
    parts: Vec<Part>,
    events: u64,
    entries: u64,
    nameless: u64,
}

enum Place {
    EventsAfter(u64),
    Entries(Option<EntryPlace>),
    End,
}

/// A part that is to be uploaded.
pub(super) struct Ready {
    pub(super) number: usize,
    pub(super) sha256: String,
    pub(super) packed: Packed,
}

impl Snapshot {
    /// Of events up to the last row of a segment.
    pub(super) fn begin(after_sequence: u64, last_row: u64, begun_at_ms: u64) -> Self {
        Snapshot {
            after_sequence,
            last_row,
            begun_at_ms,
            place: Place::EventsAfter(0),
            packer: Packer::new(),
            parts: Vec::new(),
            events: 0,
            entries: 0,
            nameless: 0,
        }
    }

    /// The segment that it follows.
    pub(super) fn after_sequence(&self) -> u64 {
        self.after_sequence
    }

    /// Whether everything was read.
    pub(super) fn is_at_end(&self) -> bool {
        matches!(self.place, Place::End)
    }

    /// Reads a page. Gives a part as soon as it is full, and the last one at the end.
    pub(super) fn step(
        &mut self,
        store: &dyn Store,
        keeps: &Keeps,
    ) -> Result<Option<Ready>, BackupError> {
        match &self.place {
            Place::EventsAfter(row) => {
                let page = store.changes(*row, PAGE)?;
                let is_last = page.changes.len() < PAGE || page.next >= self.last_row;
                for change in &page.changes {
                    if let Change::Stored(stored) = change
                        && stored.row <= self.last_row
                    {
                        self.packer.change(change)?;
                    }
                }
                self.place = match is_last {
                    true => Place::Entries(None),
                    false => Place::EventsAfter(page.next),
                };
            }
            Place::Entries(after) => {
                let page = store.entries(after.as_ref(), ENTRIES_PAGE)?;
                for entry in page.entries.iter().filter(|entry| keeps.entry(entry)) {
                    self.packer.entry(entry)?;
                }
                self.nameless += page.nameless;
                self.place = match page.next {
                    Some(next) => Place::Entries(Some(next)),
                    None => Place::End,
                };
            }
            Place::End => return Ok(None),
        }
        match self.is_at_end() || self.packer.packed_bytes() >= PART_BYTES {
            true => self.end_part().map(Some),
            false => Ok(None),
        }
    }

    fn end_part(&mut self) -> Result<Ready, BackupError> {
        let packed = std::mem::replace(&mut self.packer, Packer::new()).finish()?;
        self.events += packed.tally.events;
        self.entries += packed.tally.entries;
        let part = packed.part();
        let (number, sha256) = (self.parts.len(), part.sha256.clone());
        self.parts.push(part);
        Ok(Ready {
            number,
            sha256,
            packed,
        })
    }

    /// Its manifest, once everything is uploaded, the segments up to `consistent_at` too.
    pub(super) fn manifest(&self, consistent_at: u64, at_ms: u64) -> SnapshotManifest {
        SnapshotManifest {
            format: FORMAT,
            after_sequence: self.after_sequence,
            consistent_at,
            last_row: self.last_row,
            begun_at_ms: self.begun_at_ms,
            at_ms,
            events: self.events,
            entries: self.entries,
            nameless: self.nameless,
            parts: self.parts.clone(),
            named_by_hash: true,
        }
    }
}
