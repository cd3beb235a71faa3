//! Cuts a segment: everything that was committed since the last one, as of one state of the store.
//!
//! Events and removals come from the commit sequence, entries by the notes of the writer. Where all entries are wanted they
//! are read page by page first, over several segments if they are many, and what is written meanwhile comes after them, from
//! the state with which the last of these ends.
//!
//! Invariant: a segment is made in memory and has a bound, which one page or the notes of one interval may pass.

use super::noted::Noted;
use super::packer::{Packed, Packer};
use super::{BackupError, Keeps};
use crate::clock::Clock;
use crate::store::{Change, Changes, EntryPlace, Store};

/// Changes that are read at a time.
const PAGE: usize = 256;
/// Entries that are read at a time.
pub(super) const ENTRIES_PAGE: usize = 1_000;
/// Where a segment is ended and another one follows, before compression.
pub(super) const RAW_BYTES_MAX: u64 = 32 << 20;

/// Where segments are cut from.
#[derive(Clone, Copy)]
pub(super) struct Source<'s> {
    pub(super) store: &'s dyn Store,
    pub(super) noted: &'s Noted,
    pub(super) clock: &'s dyn Clock,
    pub(super) keeps: &'s Keeps,
    /// [`RAW_BYTES_MAX`].
    pub(super) raw_bytes_max: u64,
}

/// Which entries segments have to carry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Entries {
    /// Those that the writer has noted.
    #[default]
    Noted,
    /// All, whether they were noted or not.
    All,
    /// The rest of all, which an earlier segment has begun.
    AllAfter(EntryPlace),
}

/// A segment that is not named yet.
#[derive(Clone, Debug)]
pub(super) struct Cut {
    pub(super) packed: Packed,
    pub(super) after_row: u64,
    pub(super) last_row: u64,
    pub(super) at_ms: u64,
    pub(super) is_consistent: bool,
    /// Whether entries before it do not count any more.
    pub(super) all_entries: bool,
    /// Which entries the next one has to carry.
    pub(super) then: Entries,
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
    /// What was committed after a row, with these entries; something in any case where the segment before `is_open`, so
    /// that it ends. After an error all entries are wanted the next time.
    pub(super) fn cut(
        &self,
        after_row: u64,
        entries: &Entries,
        is_open: bool,
    ) -> Result<CutResult, BackupError> {
        let cut = self.try_to_cut(after_row, entries.clone(), is_open);
        if !matches!(cut, Ok(CutResult::Nothing | CutResult::Cut(_))) {
            // What was taken of the notes is lost.
            self.noted.want_all();
        }
        cut
    }

    fn try_to_cut(
        &self,
        after_row: u64,
        mut wanted: Entries,
        is_open: bool,
    ) -> Result<CutResult, BackupError> {
        let mut packer = Packer::new();
        let mut row = after_row;
        let mut at_ms = self.clock.now_ms();
        let mut all_entries = false;
        // Of a segment that ends here because it is long enough.
        let unfinished = |packer: Packer, last_row, at_ms, all_entries, then| {
            Ok(CutResult::Cut(Cut {
                packed: packer.finish()?,
                after_row,
                last_row,
                at_ms,
                is_consistent: false,
                all_entries,
                then,
            }))
        };
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
            if self.is_full(&packer) {
                return unfinished(packer, row, at_ms, all_entries, wanted);
            }
        }
        let mut of = Vec::new();
        loop {
            all_entries |= wanted == Entries::All;
            wanted = self.pack_all_entries(&mut packer, wanted)?;
            if wanted != Entries::Noted {
                return unfinished(packer, row, at_ms, all_entries, wanted);
            }
            let taken = self.noted.take();
            if taken.all {
                wanted = Entries::All;
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
        if packer.tally.raw_bytes == 0 && !is_open {
            return Ok(CutResult::Nothing);
        }
        Ok(CutResult::Cut(Cut {
            packed: packer.finish()?,
            after_row,
            last_row: row,
            at_ms,
            is_consistent: true,
            all_entries,
            then: Entries::Noted,
        }))
    }

    /// Packs what is wanted of all entries, as far as there is room, and says what is left.
    fn pack_all_entries(
        &self,
        packer: &mut Packer,
        wanted: Entries,
    ) -> Result<Entries, BackupError> {
        let mut after = match wanted {
            Entries::Noted => return Ok(Entries::Noted),
            Entries::All => {
                packer.all_entries()?;
                // What they tell of is read after them; what is not committed yet is noted once more.
                self.noted.take();
                None
            }
            Entries::AllAfter(place) => Some(place),
        };
        loop {
            let page = self.store.entries(after.as_ref(), ENTRIES_PAGE)?;
            for entry in page.entries.iter().filter(|entry| self.keeps.entry(entry)) {
                packer.entry(entry)?;
            }
            match page.next {
                Some(next) if self.is_full(packer) => return Ok(Entries::AllAfter(next)),
                Some(next) => after = Some(next),
                None => return Ok(Entries::Noted),
            }
        }
    }

    fn is_full(&self, packer: &Packer) -> bool {
        packer.tally.raw_bytes >= self.raw_bytes_max
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
