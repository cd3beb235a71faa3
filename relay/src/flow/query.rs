//! Lent events of several filters as one sequence: newest first, each once, each filter up to its own limit.
//!
//! Pure bookkeeping between the store's pages and the client: it asks for pages, is fed with them, and gives events out.
//! An event counts against a filter's limit only if its viewer may see it.

use crate::event::EventId;
use crate::extension::Narrowed;
use crate::store::{Budget, Lent, LentPage, Order, Position, Scan, Store, StoreError};
use std::cmp::Reverse;
use std::collections::VecDeque;
use std::sync::Arc;

/// A stored query in progress.
#[derive(Debug)]
pub(super) struct Query {
    filters: Arc<[Narrowed]>,
    cursors: Vec<Cursor>,
    max_row: u64,
}

#[derive(Debug)]
struct Cursor {
    /// Visible events that may still be taken from the store.
    remaining: usize,
    buffer: VecDeque<Lent>,
    next: Option<Position>,
    done: bool,
}

/// What a query does next.
#[derive(Debug)]
pub(super) enum Step {
    /// The next event for the client.
    Event(Lent),
    /// The filter with this index needs a page before anything can be said.
    Starving(usize),
    /// There is nothing more.
    End,
}

/// A page to read, on whatever thread.
#[derive(Debug)]
pub(super) struct PageRequest {
    filters: Arc<[Narrowed]>,
    index: usize,
    resume: Option<Position>,
    max_row: u64,
    now: u64,
    budget: Budget,
}

impl Query {
    /// `limit` says how many events each filter may give.
    pub(super) fn new(
        filters: Arc<[Narrowed]>,
        max_row: u64,
        limit: impl Fn(&Narrowed) -> usize,
    ) -> Self {
        let cursors = filters
            .iter()
            .map(|narrowed| {
                let remaining = limit(narrowed);
                Cursor {
                    remaining,
                    buffer: VecDeque::new(),
                    next: None,
                    done: remaining == 0 || narrowed.is_empty(),
                }
            })
            .collect();
        Query {
            filters,
            cursors,
            max_row,
        }
    }

    /// Goes on with what is left of the filters, or of the client's filters anew: as many as before, in the same order.
    pub(super) fn narrow(&mut self, filters: Arc<[Narrowed]>, shows: impl Fn(&Lent) -> bool) {
        for (cursor, narrowed) in self.cursors.iter_mut().zip(filters.iter()) {
            let buffer = &mut cursor.buffer;
            buffer.retain(|stored| narrowed.matches(&stored.event) && shows(stored));
            cursor.done |= narrowed.is_empty();
        }
        self.filters = filters;
    }

    /// Whether one of the filters lets an event out.
    pub(super) fn admits(&self, stored: &Lent) -> bool {
        let mut filters = self.filters.iter();
        filters.any(|narrowed| narrowed.matches(&stored.event))
    }

    /// The next event, the filter that needs a page first, or the end.
    pub(super) fn step(&mut self) -> Step {
        let starving = |cursor: &Cursor| cursor.buffer.is_empty() && !cursor.done;
        if let Some(index) = self.cursors.iter().position(starving) {
            return Step::Starving(index);
        }
        let heads = self.cursors.iter().enumerate();
        let first = heads
            .filter_map(|(index, cursor)| Some((rank(cursor.buffer.front()?), index)))
            .min();
        let Some((_, index)) = first else {
            return Step::End;
        };
        let Some(stored) = self.cursors[index].buffer.pop_front() else {
            return Step::End;
        };
        for cursor in &mut self.cursors {
            let same = |head: &Lent| head.row == stored.row;
            if cursor.buffer.front().is_some_and(same) {
                cursor.buffer.pop_front();
            }
        }
        Step::Event(stored)
    }

    /// A filter's share of a page: what all filters keep together is bounded, however many they are.
    pub(super) fn share(&self, mut budget: Budget) -> Budget {
        const LEAST_BYTES: usize = 8 * 1024;
        budget.bytes = (budget.bytes / self.cursors.len().max(1)).max(LEAST_BYTES);
        budget
    }

    /// The page that a filter needs.
    pub(super) fn page(&self, index: usize, now: u64, mut budget: Budget) -> PageRequest {
        let cursor = &self.cursors[index];
        budget.events = budget.events.min(cursor.remaining);
        PageRequest {
            filters: self.filters.clone(),
            index,
            resume: cursor.next,
            max_row: self.max_row,
            now,
            budget,
        }
    }

    /// Takes a page for a filter; `shows` says what the viewer may see.
    pub(super) fn feed(&mut self, index: usize, page: LentPage, shows: impl Fn(&Lent) -> bool) {
        let narrowed = &self.filters[index];
        let cursor = &mut self.cursors[index];
        cursor.next = page.next;
        cursor.done = page.next.is_none();
        let mut events = page.events;
        events.retain(|stored| narrowed.admits(&stored.event) && shows(stored));
        events.truncate(cursor.remaining);
        cursor.remaining -= events.len();
        cursor.done |= cursor.remaining == 0;
        // It is starving, so nothing is lost.
        cursor.buffer = events.into();
    }
}

impl PageRequest {
    /// Reads the page; blocks for as long as its budget says.
    pub(super) fn read(&self, store: &dyn Store) -> Result<LentPage, StoreError> {
        store.lend(&Scan {
            filter: &self.filters[self.index].filter,
            order: Order::NewestFirst,
            resume: self.resume,
            max_row: self.max_row,
            now: self.now,
            budget: self.budget,
        })
    }
}

/// NIP-01: `created_at` descending, then `id` ascending.
fn rank(stored: &Lent) -> (Reverse<u64>, EventId) {
    (Reverse(stored.event.created_at()), *stored.event.id())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::EventParts;
    use crate::filter::Filter;

    fn stored(row: u64, created_at: u64) -> Lent {
        Lent {
            row,
            expires_at: None,
            event: EventParts {
                id: &[row as u8; 32],
                pubkey: &[1; 32],
                created_at,
                kind: 1,
                tags_json: "[]",
                content_json: "\"\"",
                sig: &[0; 64],
            }
            .assemble(),
        }
    }

    fn filters(count: usize) -> Arc<[Narrowed]> {
        vec![Narrowed::new(Filter::default()); count].into()
    }

    /// Runs a query whose filters have one page each and returns the rows in the order of delivery.
    fn run(pages: Vec<Vec<Lent>>, limit: usize, hidden: u64) -> Vec<u64> {
        let mut query = Query::new(filters(pages.len()), u64::MAX, |_| limit);
        let mut pages: Vec<_> = pages.into_iter().map(Some).collect();
        let mut rows = Vec::new();
        loop {
            match query.step() {
                Step::Event(stored) => rows.push(stored.row),
                Step::Starving(index) => {
                    let events = pages[index].take().unwrap_or_default();
                    query.feed(index, LentPage { events, next: None }, |s| s.row != hidden);
                }
                Step::End => return rows,
            }
        }
    }

    #[test]
    fn c3_several_filters_give_each_event_once_newest_first() {
        let a = vec![stored(4, 40), stored(2, 20), stored(1, 10)];
        let b = vec![stored(4, 40), stored(3, 30), stored(2, 20)];
        assert_eq!(run(vec![a, b], 10, 0), [4, 3, 2, 1]);
    }

    #[test]
    fn c1_ties_go_to_the_lower_id() {
        let a = vec![stored(5, 40)];
        let b = vec![stored(3, 40), stored(9, 40)];
        assert_eq!(run(vec![a, b], 10, 0), [3, 5, 9]);
    }

    #[test]
    fn c3_each_filter_has_its_own_limit_and_hidden_events_do_not_count() {
        let page = || vec![stored(4, 40), stored(3, 30), stored(2, 20)];
        assert_eq!(run(vec![page()], 2, 0), [4, 3]);
        assert_eq!(run(vec![page()], 2, 4), [3, 2]);
        assert_eq!(run(vec![page()], 0, 0), [0; 0]);
        let other = vec![stored(9, 5), stored(8, 4)];
        assert_eq!(run(vec![page(), other], 1, 0), [4, 9]);
    }
}
