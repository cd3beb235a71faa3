//! Brings segments and snapshots to their place, one after the other.
//!
//! Invariant: a segment that was cut is kept until it is there; nothing later goes before it. What is there by the same
//! number and is not ours was written by somebody else, and nothing is written after that.

use super::keeps::Keeps;
use super::manifest::{BlobList, Ended, FORMAT, FileList, SegmentManifest, sha256, to_json};
use super::noted::Noted;
use super::opening::{NoteLineage, Opened, Opening, Start};
use super::segment::{Cut, CutResult, RAW_BYTES_MAX, Source};
use super::snapshot::Snapshot;
use super::target::Target;
use super::{BackupError, names};
use crate::clock::Clock;
use crate::config::Backup;
use crate::store::Store;
use std::sync::Arc;

/// Writes one lineage.
pub(super) struct Shipper {
    pub(super) opened: Opened,
    pub(super) store: Arc<dyn Store>,
    pub(super) noted: Arc<Noted>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) keeps: Keeps,
    /// Where a segment is ended and another one follows, before compression.
    pub(super) raw_bytes_max: u64,
    /// When the snapshot before the newest was done, if there was one. Milliseconds since 1970.
    pub(super) snapshot_before_ms: Option<u64>,
    /// A segment that is cut and not there yet.
    waiting: Option<Waiting>,
    /// The last one was cut before everything was in it.
    is_open: bool,
    snapshot: Option<Snapshot>,
}

struct Waiting {
    manifest: SegmentManifest,
    bytes: Vec<u8>,
}

/// What a look at the store brought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Shipped {
    pub(super) segments: u64,
    pub(super) bytes: u64,
}

impl Shipper {
    pub(super) fn new(
        opened: Opened,
        store: Arc<dyn Store>,
        noted: Arc<Noted>,
        clock: Arc<dyn Clock>,
        keeps: Keeps,
    ) -> Self {
        Shipper {
            opened,
            store,
            noted,
            clock,
            keeps,
            raw_bytes_max: RAW_BYTES_MAX,
            snapshot_before_ms: None,
            waiting: None,
            is_open: false,
            snapshot: None,
        }
    }

    /// Whether this process is still the one that writes. Where nobody is named, nobody has taken over: the place itself
    /// is not there, a disk that was unmounted, for instance.
    pub(super) fn is_head(&self) -> Result<bool, BackupError> {
        let head = self.opened.target.head()?;
        let head = head.ok_or_else(|| {
            BackupError::damaged(names::HEAD, "it is not there any more".to_owned())
        })?;
        Ok(head.writer == self.opened.writer)
    }

    /// Claims a place that could not be reached at the start; `note` writes the name of a lineage into the store.
    pub(super) fn claim(
        &mut self,
        config: &Backup,
        note: NoteLineage<'_>,
    ) -> Result<(), BackupError> {
        if self.opened.is_claimed {
            return Ok(());
        }
        let opening = Opening {
            config,
            clock: &*self.clock,
            takes_over: false,
            may_claim_later: false,
            started_at_row: Some(self.opened.row),
            note: Some(note),
        };
        match opening.open(&*self.store, &|_| {})? {
            Start::Ready(opened) => self.opened = *opened,
            // Of a store that has a history there is nothing to restore.
            Start::Restore(_) => return Err(BackupError::NothingHere),
        }
        Ok(())
    }

    /// Brings everything that is committed to its place. An `Err` may be tried again.
    pub(super) fn ship(&mut self) -> Result<Shipped, BackupError> {
        if !self.opened.is_claimed {
            return Err(BackupError::NotReached);
        }
        let mut shipped = Shipped::default();
        loop {
            if let Some(waiting) = &self.waiting {
                let bytes = waiting.manifest.bytes;
                self.send()?;
                shipped.segments += 1;
                shipped.bytes += bytes;
            }
            let Opened { row, entries, .. } = &self.opened;
            match self.source().cut(*row, entries, self.is_open)? {
                CutResult::Nothing => return Ok(shipped),
                CutResult::Gap => return Err(BackupError::Gap),
                CutResult::Cut(cut) => {
                    let is_last = cut.is_consistent;
                    self.keep(cut);
                    if is_last {
                        let bytes = self.waiting.as_ref().map_or(0, |it| it.manifest.bytes);
                        self.send()?;
                        shipped.segments += 1;
                        shipped.bytes += bytes;
                        return Ok(shipped);
                    }
                }
            }
        }
    }

    pub(super) fn source(&self) -> Source<'_> {
        Source {
            store: &*self.store,
            noted: &self.noted,
            clock: &*self.clock,
            keeps: &self.keeps,
            raw_bytes_max: self.raw_bytes_max,
        }
    }

    /// From here on it is what comes next.
    fn keep(&mut self, cut: Cut) {
        let part = cut.packed.part();
        let tally = cut.packed.tally;
        let manifest = SegmentManifest {
            format: FORMAT,
            sequence: self.opened.sequence + 1,
            after_row: cut.after_row,
            last_row: cut.last_row,
            at_ms: cut.at_ms,
            is_consistent: cut.is_consistent,
            all_entries: cut.all_entries,
            events: tally.events,
            removals: tally.removals,
            entries: tally.entries,
            bytes: part.bytes,
            raw_bytes: part.raw_bytes,
            sha256: part.sha256,
            previous: self.opened.previous.clone(),
        };
        self.is_open = !cut.is_consistent;
        self.opened.entries = cut.then;
        self.opened.row = cut.last_row;
        let bytes = cut.packed.bytes;
        self.waiting = Some(Waiting { manifest, bytes });
    }

    /// Writes what waits: first the segment, under a name of which no other writer has the same, then its manifest, which
    /// only one can write.
    fn send(&mut self) -> Result<(), BackupError> {
        let Some(Waiting { manifest, bytes }) = &self.waiting else {
            return Ok(());
        };
        let (target, lineage) = (&self.opened.target, &self.opened.lineage);
        let sequence = manifest.sequence;
        let json = to_json(manifest);
        // There may be one by an earlier try.
        let object = names::segment(lineage, sequence, &manifest.sha256);
        target.put(&object, bytes.clone())?;
        let manifest_name = names::segment_manifest(lineage, sequence);
        if !target.put_new(&manifest_name, json.clone())?
            && target
                .get(&manifest_name)?
                .is_none_or(|found| found != json)
        {
            return Err(self.not_alone());
        }
        self.opened.sequence = sequence;
        self.opened.previous = Some(sha256(&json));
        self.waiting = None;
        Ok(())
    }

    fn not_alone(&self) -> BackupError {
        BackupError::NotAlone {
            lineage: self.opened.lineage.clone(),
        }
    }

    /// Whether a snapshot is under way.
    pub(super) fn is_copying(&self) -> bool {
        self.snapshot.is_some()
    }

    /// Whether everything of the snapshot that is under way was read.
    pub(super) fn is_copied(&self) -> bool {
        self.snapshot.as_ref().is_some_and(Snapshot::is_at_end)
    }

    /// Begins a snapshot, unless one is under way. Everything must have been shipped.
    pub(super) fn begin_snapshot(&mut self) {
        if self.snapshot.is_none() {
            let Opened { sequence, row, .. } = self.opened;
            self.snapshot = Some(Snapshot::begin(sequence, row, self.clock.now_ms()));
        }
    }

    /// Reads a page of the snapshot, and uploads a part that is full. After an error the snapshot begins anew.
    pub(super) fn copy_some(&mut self) -> Result<u64, BackupError> {
        let Some(mut snapshot) = self.snapshot.take() else {
            return Ok(0);
        };
        let ready = snapshot.step(&*self.store, &self.keeps)?;
        let mut bytes = 0;
        if let Some(part) = ready {
            let Opened {
                target, lineage, ..
            } = &self.opened;
            let after = snapshot.after_sequence();
            let name = names::snapshot_part(lineage, after, part.number, &part.sha256);
            bytes = part.packed.bytes.len() as u64;
            target.put(&name, part.packed.bytes)?;
        }
        self.snapshot = Some(snapshot);
        Ok(bytes)
    }

    /// Ends a snapshot of which everything was read: with the segments up to now it is whole.
    pub(super) fn end_snapshot(&mut self) -> Result<Shipped, BackupError> {
        let shipped = self.ship()?;
        let Some(snapshot) = self.snapshot.take() else {
            return Ok(shipped);
        };
        let Opened {
            target,
            lineage,
            sequence,
            ..
        } = &self.opened;
        let at_ms = self.clock.now_ms();
        let manifest = snapshot.manifest(*sequence, at_ms);
        if manifest.nameless > 0 {
            tracing::warn!(
                tombstones = manifest.nameless,
                "of some deleted addresses an earlier version kept no name: they are not in the backup"
            );
        }
        let name = names::snapshot_manifest(lineage, snapshot.after_sequence());
        target.put(&name, to_json(&manifest))?;
        self.snapshot_before_ms = self.opened.snapshot_at_ms.replace(at_ms);
        Ok(shipped)
    }

    /// Lists files that were copied before: with a segment that has everything up to now.
    pub(super) fn list_files(&mut self, mut list: FileList) -> Result<Shipped, BackupError> {
        let shipped = self.ship()?;
        list.sequence = self.opened.sequence;
        list.at_ms = self.clock.now_ms();
        let Opened {
            target, lineage, ..
        } = &self.opened;
        let name = names::file_list(lineage, list.sequence, &list.extension);
        target.put(&name, to_json(&list))?;
        Ok(shipped)
    }

    /// Lists blobs that are in their place.
    pub(super) fn list_blobs(&mut self, mut list: BlobList) -> Result<Shipped, BackupError> {
        let shipped = self.ship()?;
        list.sequence = self.opened.sequence;
        let Opened {
            target, lineage, ..
        } = &self.opened;
        let name = names::blob_list(lineage, list.sequence);
        target.put(&name, to_json(&list))?;
        Ok(shipped)
    }

    /// Says that nothing more comes.
    pub(super) fn end(&self) -> Result<(), BackupError> {
        let Opened {
            target,
            lineage,
            sequence,
            ..
        } = &self.opened;
        let ended = Ended {
            format: FORMAT,
            at_ms: self.clock.now_ms(),
            sequence: *sequence,
        };
        Ok(target.put(&names::ended(lineage), to_json(&ended))?)
    }

    /// Begins a new history, because the old one has a gap; `note` writes the name of the lineage into the store.
    pub(super) fn begin_anew(
        &mut self,
        config: &Backup,
        note: NoteLineage<'_>,
    ) -> Result<(), BackupError> {
        let opening = Opening {
            config,
            clock: &*self.clock,
            takes_over: false,
            may_claim_later: false,
            started_at_row: None,
            note: None,
        };
        let mut own = opening.note(None, Some(self.opened.lineage.clone()));
        own.goes_on = true;
        let target = Target::open(&config.url)?;
        // The same, so that whatever of this reached the head is this relay's own.
        let (row, writer) = (self.store.last_row()?, self.opened.writer.clone());
        self.opened = opening.begin_in(target, row, &own, note, writer)?;
        self.waiting = None;
        self.is_open = false;
        self.snapshot = None;
        Ok(())
    }
}
