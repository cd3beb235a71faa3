//! The newest changes in memory, so that those who follow the commits closely read no database for them.
//!
//! Invariant: what is here is what the tables say of the same rows (`changes`): all of them, in order, and no event that
//! is gone again. Bounded by entries and bytes, and nothing is kept before somebody has asked.

use super::overlay::Overlay;
use super::record::Header;
use crate::store::{Change, Changes, Stored};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// About a second of a busy relay.
const ENTRIES_MAX: usize = 8_192;
const BYTES_MAX: usize = 8 << 20;
/// What an entry takes beside the event's JSON, roughly.
const ENTRY_BYTES: usize = 256;

/// The last changes of an open file.
#[derive(Debug)]
pub(super) struct Newest {
    /// Whether anybody has asked for changes since the file was opened.
    is_followed: AtomicBool,
    window: Mutex<Window>,
}

/// All changes of a range of rows.
#[derive(Debug, Default)]
struct Window {
    /// The range begins above this row.
    after: u64,
    /// And ends with this one, the last that is committed.
    to: u64,
    /// By row; `None` where the event is gone.
    entries: VecDeque<(u64, Option<Change>)>,
    bytes: usize,
}

impl Newest {
    /// For a file whose last row this is.
    pub(super) fn at(last_row: u64) -> Self {
        Newest {
            is_followed: AtomicBool::new(false),
            window: Mutex::new(Window::at(last_row)),
        }
    }

    /// See [`crate::store::Store::changes`]; `None` where the tables have to be asked.
    pub(super) fn changes(&self, after: u64, max: usize) -> Option<Changes> {
        self.is_followed.store(true, Relaxed);
        self.lock().changes(after, max)
    }

    /// Takes in what a commit did. Before it `begun_at` was the last row, and after it removals up to `cut_at` are not told
    /// of any more.
    pub(super) fn note(&self, begun_at: u64, overlay: &Overlay, cut_at: u64) {
        let mut window = self.lock();
        if !self.is_followed.load(Relaxed) {
            *window = Window::at(overlay.last_row);
            return;
        }
        if window.to != begun_at {
            *window = Window::at(begun_at);
        }
        window.take_in(overlay);
        window.shrink(ENTRIES_MAX, BYTES_MAX, cut_at);
    }

    fn lock(&self) -> MutexGuard<'_, Window> {
        self.window.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Window {
    fn at(row: u64) -> Self {
        Window {
            after: row,
            to: row,
            ..Window::default()
        }
    }

    fn changes(&self, after: u64, max: usize) -> Option<Changes> {
        if !(self.after..=self.to).contains(&after) {
            return None;
        }
        let first = self.entries.partition_point(|(row, _)| *row <= after);
        let entries = self.entries.range(first..);
        let mut there = entries.filter_map(|(row, change)| Some((*row, change.as_ref()?)));
        let mut next = after;
        let changes = there.by_ref().take(max).map(|(row, change)| {
            next = row;
            change.clone()
        });
        let changes = changes.collect();
        if there.next().is_none() {
            next = self.to;
        }
        Some(Changes { changes, next })
    }

    fn take_in(&mut self, overlay: &Overlay) {
        for (row, _) in &overlay.taken_out {
            self.forget(*row);
        }
        let mut removals = overlay.removals.iter().peekable();
        for (row, added) in &overlay.added {
            while let Some(removal) = removals.next_if(|removal| removal.row < *row) {
                self.push(removal.row, removal.change());
            }
            let stored = Stored {
                row: *row,
                expires_at: Header::read(&added.record).and_then(|header| header.expires_at),
                event: added.event.clone(),
            };
            self.push(*row, Change::Stored(stored));
        }
        for removal in removals {
            self.push(removal.row, removal.change());
        }
        self.to = overlay.last_row;
    }

    fn push(&mut self, row: u64, change: Change) {
        self.bytes += weight(Some(&change));
        self.entries.push_back((row, Some(change)));
    }

    /// The event of this row is gone; that it was there is told to nobody any more.
    fn forget(&mut self, row: u64) {
        let place = self.entries.binary_search_by_key(&row, |(row, _)| *row);
        if let Some((_, change)) = place.ok().and_then(|place| self.entries.get_mut(place)) {
            self.bytes = self.bytes + weight(None) - weight(change.as_ref());
            *change = None;
        }
    }

    /// Lets go of the oldest until there are no more than these, and of all up to a row.
    fn shrink(&mut self, entries_max: usize, bytes_max: usize, cut_at: u64) {
        self.after = self.after.max(cut_at);
        while let Some((row, change)) = self.entries.front()
            && (self.entries.len() > entries_max || self.bytes > bytes_max || *row <= cut_at)
        {
            self.bytes -= weight(change.as_ref());
            self.after = self.after.max(*row);
            self.entries.pop_front();
        }
    }
}

fn weight(change: Option<&Change>) -> usize {
    let json_bytes = match change {
        Some(Change::Stored(stored)) => stored.event.json().len(),
        _ => 0,
    };
    ENTRY_BYTES + json_bytes
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::overlay::Removal;
    use super::*;
    use crate::event::{Event, EventId, EventParts, PublicKey};
    use crate::store::Cause;
    use std::sync::Arc;

    fn event(n: u8) -> Event {
        EventParts {
            id: &[n; 32],
            pubkey: &[1; 32],
            created_at: 1_700_000_000,
            kind: 1,
            tags_json: "[]",
            content_json: r#""content""#,
            sig: &[2; 64],
        }
        .assemble()
    }

    fn stored(row: u64) -> Change {
        Change::Stored(Stored {
            row,
            expires_at: None,
            event: Arc::new(event(row as u8)),
        })
    }

    /// Of the events of rows 1 to 10, and what follows them.
    fn window() -> Window {
        let mut window = Window::at(0);
        for row in 1..=10 {
            window.push(row, stored(row));
        }
        window.to = 12;
        window
    }

    fn rows(changes: Option<Changes>) -> Option<(Vec<u64>, u64)> {
        let changes = changes?;
        let rows = changes.changes.iter().map(|change| match change {
            Change::Stored(Stored { row, .. }) | Change::Removed { row, .. } => *row,
            Change::Gap { .. } => 0,
        });
        Some((rows.collect(), changes.next))
    }

    #[test]
    fn e4_the_newest_changes_come_in_pages_and_with_the_row_to_ask_from_next() {
        let window = window();
        let of = |after, max| rows(window.changes(after, max));
        assert_eq!(of(0, 3), Some((vec![1, 2, 3], 3)));
        assert_eq!(of(7, 3), Some((vec![8, 9, 10], 12)));
        assert_eq!(of(7, usize::MAX), Some((vec![8, 9, 10], 12)));
        assert_eq!(of(12, 3), Some((vec![], 12)));
        assert_eq!(of(13, 3), None);
        assert_eq!(of(3, 0), Some((vec![], 3)));
    }

    #[test]
    fn e4_what_is_too_old_for_memory_is_left_to_the_tables() {
        let mut shrunk = window();
        shrunk.shrink(4, usize::MAX, 0);
        assert_eq!(rows(shrunk.changes(5, 9)), None);
        assert_eq!(rows(shrunk.changes(6, 1)), Some((vec![7], 7)));
        shrunk.shrink(4, usize::MAX, 8);
        assert_eq!(rows(shrunk.changes(7, 9)), None);
        assert_eq!(rows(shrunk.changes(8, 9)), Some((vec![9, 10], 12)));
        shrunk.shrink(4, 0, 8);
        assert_eq!((shrunk.bytes, shrunk.entries.len()), (0, 0));
        assert_eq!(rows(shrunk.changes(10, 9)), Some((vec![], 12)));
    }

    #[test]
    fn e4_an_event_that_is_gone_is_not_among_the_newest() {
        let mut window = window();
        let removal = Removal {
            row: 13,
            id: EventId::from_byte_array([9; 32]),
            kind: 1,
            pubkey: PublicKey::from_byte_array([1; 32]),
            cause: Cause::Admin,
        };
        let overlay = Overlay {
            last_row: 13,
            taken_out: vec![(9, Vec::new())],
            removals: vec![removal],
            ..Overlay::default()
        };
        window.take_in(&overlay);
        assert_eq!(rows(window.changes(7, 9)), Some((vec![8, 10, 13], 13)));
        assert_eq!(rows(window.changes(8, 1)), Some((vec![10], 10)));
        window.shrink(0, usize::MAX, 0);
        assert_eq!(window.bytes, 0);
    }

    #[test]
    fn e4_nothing_is_kept_before_somebody_asks() {
        let newest = Newest::at(5);
        let commit = |last_row| Overlay::after(last_row);
        newest.note(5, &commit(8), 0);
        assert_eq!(rows(newest.changes(5, 9)), None);
        assert_eq!(rows(newest.changes(8, 9)), Some((vec![], 8)));
        newest.note(8, &commit(9), 0);
        assert_eq!(rows(newest.changes(8, 9)), Some((vec![], 9)));
        // Of a commit in between nothing was heard.
        newest.note(10, &commit(11), 0);
        assert_eq!(rows(newest.changes(9, 9)), None);
        assert_eq!(rows(newest.changes(10, 9)), Some((vec![], 11)));
    }
}
