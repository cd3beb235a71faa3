//! Cuts a segment: everything that was committed since the last one, as of one state of the store.
//!
//! Events and removals come from the commit sequence, entries by the notes of the writer. Where all entries are wanted they
//! are read page by page first, and what is written meanwhile comes after them, from the state with which the segment
//! ends: so it is whole, however many there are.

use super::noted::Noted;
use super::packer::{Packed, Packer};
use super::{BackupError, Keeps};
use crate::clock::Clock;
use crate::store::{Change, Changes, Store};

/// Changes that are read at a time.
const PAGE: usize = 256;
/// Entries that are read at a time.
pub(super) const ENTRIES_PAGE: usize = 1_000;
/// Where a segment that cannot keep up is ended, before compression.
const RAW_BYTES_MAX: u64 = 32 << 20;

/// Where segments are cut from.
#[derive(Clone, Copy)]
pub(super) struct Source<'s> {
    pub(super) store: &'s dyn Store,
    pub(super) noted: &'s Noted,
    pub(super) clock: &'s dyn Clock,
    pub(super) keeps: &'s Keeps,
}

/// A segment that is not named yet.
#[derive(Clone, Debug)]
pub(super) struct Cut {
    pub(super) packed: Packed,
    pub(super) after_row: u64,
    pub(super) last_row: u64,
    pub(super) at_ms: u64,
    pub(super) is_consistent: bool,
    pub(super) all_entries: bool,
}

/// What came of cutting.
pub(super) enum CutResult {
    /// Nothing was written since.
    Nothing,
    Cut(Cut),
    /// What happened is not known any more: the log of removals was cut.
    Gap,
}

impl Source<'_> {
    /// What was committed after a row; with `all_entries` all entries, whether they were noted or not. After an error all
    /// of them are wanted the next time.
    pub(super) fn cut(&self, after_row: u64, all_entries: bool) -> Result<CutResult, BackupError> {
        let cut = self.try_to_cut(after_row, all_entries);
        if !matches!(cut, Ok(CutResult::Nothing | CutResult::Cut(_))) {
            // What was taken of the notes is lost.
            self.noted.want_all();
        }
        cut
    }

    fn try_to_cut(&self, after_row: u64, all_entries: bool) -> Result<CutResult, BackupError> {
        let mut packer = Packer::new();
        let mut row = after_row;
        let mut at_ms = self.clock.now_ms();
        // Most of it without the notes, so that these are taken as late as can be.
        loop {
            let page = self.store.changes(row, PAGE)?;
            if !pack(&mut packer, &page)? {
                return Ok(CutResult::Gap);
            }
            row = page.next;
            if page.changes.len() < PAGE {
                break;
            }
            if packer.tally.raw_bytes >= RAW_BYTES_MAX {
                let packed = packer.finish()?;
                return Ok(CutResult::Cut(Cut {
                    packed,
                    after_row,
                    last_row: row,
                    at_ms,
                    is_consistent: false,
                    all_entries: false,
                }));
            }
        }
        let mut of = Vec::new();
        let mut has_all = false;
        let mut wants_all = all_entries;
        loop {
            if std::mem::take(&mut wants_all) {
                self.pack_all_entries(&mut packer)?;
                has_all = true;
            }
            let taken = self.noted.take();
            if taken.all {
                wants_all = true;
                continue;
            }
            of.extend(taken.of);
            at_ms = at_ms.max(self.clock.now_ms());
            let (page, entries) = self.store.changes_with(row, PAGE, &of)?;
            if !pack(&mut packer, &page)? {
                return Ok(CutResult::Gap);
            }
            row = page.next;
            if page.changes.len() < PAGE {
                for entry in entries.iter().filter(|entry| self.keeps.entry(entry)) {
                    packer.entry(entry)?;
                }
                break;
            }
        }
        if packer.tally.raw_bytes == 0 {
            return Ok(CutResult::Nothing);
        }
        Ok(CutResult::Cut(Cut {
            packed: packer.finish()?,
            after_row,
            last_row: row,
            at_ms,
            is_consistent: true,
            all_entries: has_all,
        }))
    }

    fn pack_all_entries(&self, packer: &mut Packer) -> Result<(), BackupError> {
        packer.all_entries()?;
        let mut after = None;
        loop {
            let page = self.store.entries(after.as_ref(), ENTRIES_PAGE)?;
            for entry in page.entries.iter().filter(|entry| self.keeps.entry(entry)) {
                packer.entry(entry)?;
            }
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(()),
            }
        }
    }
}

/// Says whether all of it is there.
fn pack(packer: &mut Packer, page: &Changes) -> Result<bool, BackupError> {
    for change in &page.changes {
        if matches!(change, Change::Gap { .. }) {
            return Ok(false);
        }
        packer.change(change)?;
    }
    Ok(true)
}
