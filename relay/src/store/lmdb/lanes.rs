//! Merges ranges of one index into the order of results.
//!
//! A lane is what an index holds under one prefix. All lanes share a cursor: each reads a few entries ahead, more each
//! time it is asked again, and a heap hands out the next of all. Entries whose time and shortened id agree come as one
//! group, because only whole ids say which of them is first.

use super::cursor::Walk;
use super::fault::{Fault, Result};
use super::keys::{self, END_5, Key};
use super::tables::Table;
use crate::store::{Order, Position};
use smallvec::SmallVec;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Greater than what follows a time, or a time and a shortened id, in any index.
const AFTER_ALL: [u8; 33] = [0xff; 33];
const MOST_AHEAD: usize = 64;

/// One entry of an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) created_at: u64,
    pub(super) id8: u64,
    pub(super) row: u64,
    /// Where the index tells it.
    pub(super) kind: Option<u16>,
}

/// Entries with the same time and the same first bytes of their ids; nearly always one.
pub(super) type Group = SmallVec<[Entry; 2]>;

/// Which part of the lanes to read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Range {
    pub(super) order: Order,
    pub(super) since: u64,
    pub(super) until: u64,
    pub(super) resume: Option<Position>,
}

/// Lanes of one index, merged.
pub(super) struct Lanes<'t> {
    table: Table,
    walk: Walk<'t>,
    range: Range,
    lanes: Vec<Lane>,
    heap: BinaryHeap<Reverse<(u128, usize)>>,
}

struct Lane {
    prefix: Key,
    /// Entries are read backwards from before this key.
    before: Key,
    /// Oldest first, times are visited one after the other, and each backwards: this one now.
    time: u64,
    /// Read ahead, the next at the end.
    ahead: Vec<Entry>,
    ahead_next: usize,
    is_read: bool,
}

impl<'t> Lanes<'t> {
    /// Over entries of `table` that begin with one of the prefixes.
    pub(super) fn new(
        table: Table,
        walk: Walk<'t>,
        prefixes: Vec<Key>,
        range: Range,
    ) -> Result<Self> {
        let ahead = match prefixes.len() {
            0..=4 => 8,
            5..=64 => 4,
            _ => 1,
        };
        let mut lanes = Lanes {
            table,
            walk,
            range,
            heap: BinaryHeap::with_capacity(prefixes.len()),
            lanes: Vec::with_capacity(prefixes.len()),
        };
        let is_merged = prefixes.len() > 1;
        for prefix in prefixes {
            let lane = Lane::new(prefix, &range, ahead);
            lanes.lanes.push(lane);
            if is_merged {
                lanes.enqueue(lanes.lanes.len() - 1)?;
            }
        }
        Ok(lanes)
    }

    /// The next entries in the order of the range, each row once; none at the end.
    pub(super) fn next_group(&mut self) -> Result<Group> {
        if let [lane] = &mut self.lanes[..] {
            return lane.next_group(&mut self.walk, self.table, &self.range);
        }
        let mut group = Group::new();
        let mut group_rank = None;
        while let Some(&Reverse((rank, at))) = self.heap.peek()
            && group_rank.is_none_or(|first| first == rank)
        {
            group_rank = Some(rank);
            self.heap.pop();
            if let Some(entry) = self.lanes[at].ahead.pop()
                && !group.iter().any(|known| known.row == entry.row)
            {
                group.push(entry);
            }
            self.enqueue(at)?;
        }
        Ok(group)
    }

    /// Puts a lane back into the heap, unless it is at its end.
    fn enqueue(&mut self, at: usize) -> Result<()> {
        let lane = &mut self.lanes[at];
        if lane.ahead.is_empty() && !lane.is_read {
            lane.read_ahead(&mut self.walk, self.table, &self.range)?;
        }
        if let Some(entry) = lane.ahead.last() {
            let rank = rank(self.range.order, entry);
            self.heap.push(Reverse((rank, at)));
        }
        Ok(())
    }
}

/// When the first entries under a prefix were created, at most so many.
pub(super) fn first_times(
    walk: &mut Walk<'_>,
    table: Table,
    prefix: &Key,
    range: Range,
    most: usize,
) -> Result<SmallVec<[u64; 8]>> {
    let mut lane = Lane::new(prefix.clone(), &range, most);
    if !lane.is_read {
        lane.read_ahead(walk, table, &range)?;
    }
    let times = lane.ahead.iter().rev().map(|entry| entry.created_at);
    Ok(times.collect())
}

impl Lane {
    fn new(prefix: Key, range: &Range, ahead_next: usize) -> Self {
        let mut lane = Lane {
            before: Key::new(),
            prefix,
            time: 0,
            ahead: Vec::new(),
            ahead_next,
            is_read: range.since >= END_5,
        };
        let until = range.until.min(END_5 - 1);
        match (range.resume, range.order) {
            (Some(resume), Order::NewestFirst) if resume.created_at <= until => {
                lane.go_to(resume.created_at, Some(keys::id8(resume.id.as_bytes())));
            }
            (_, Order::NewestFirst) => lane.go_to(until, None),
            (Some(resume), Order::OldestFirst) if resume.created_at >= range.since => {
                let created_at = resume.created_at.min(END_5 - 1);
                lane.go_to(created_at, Some(keys::id8(resume.id.as_bytes())));
            }
            // Nothing lies between the start and the start, so the first step looks for a later time.
            (_, Order::OldestFirst) => lane.go_before(range.since),
        }
        lane
    }

    /// As [`Lanes::next_group`] where there is nothing to be merged.
    fn next_group(&mut self, walk: &mut Walk<'_>, table: Table, range: &Range) -> Result<Group> {
        let mut group = Group::new();
        loop {
            if self.ahead.is_empty() && !self.is_read {
                self.read_ahead(walk, table, range)?;
            }
            let Some(entry) = self.ahead.last().copied() else {
                return Ok(group);
            };
            let in_group = |first: &Entry| rank(range.order, first) == rank(range.order, &entry);
            if !group.first().is_none_or(in_group) {
                return Ok(group);
            }
            self.ahead.pop();
            group.push(entry);
        }
    }

    /// Continues with the last entry at or before a time and, within it, at or after an id.
    fn go_to(&mut self, time: u64, id8: Option<u64>) {
        self.time = time;
        self.before.clear();
        self.before.extend_from_slice(&self.prefix);
        self.before.extend_from_slice(&keys::five(time));
        if let Some(id8) = id8 {
            self.before.extend_from_slice(&(!id8).to_be_bytes());
        }
        self.before.extend_from_slice(&AFTER_ALL);
    }

    fn go_before(&mut self, time: u64) {
        self.go_to(time, None);
        self.before.truncate(self.prefix.len() + 5);
    }

    /// Reads some entries, if there are any left.
    fn read_ahead(&mut self, walk: &mut Walk<'_>, table: Table, range: &Range) -> Result<()> {
        let wanted = self.ahead_next;
        self.ahead_next = (2 * wanted).min(MOST_AHEAD);
        self.ahead.reserve(wanted);
        while self.ahead.is_empty() && !self.is_read {
            self.read_backwards(walk, table, range, wanted)?;
            if self.ahead.len() < wanted {
                match range.order {
                    Order::NewestFirst => self.is_read = true,
                    Order::OldestFirst => self.go_to_next_time(walk, range)?,
                }
            }
        }
        self.ahead.reverse();
        Ok(())
    }

    fn read_backwards(
        &mut self,
        walk: &mut Walk<'_>,
        table: Table,
        range: &Range,
        wanted: usize,
    ) -> Result<()> {
        let mut last_key: Option<&[u8]> = None;
        let mut found = walk.before(&self.before)?;
        while let Some((key, value)) = found
            && key.starts_with(&self.prefix)
        {
            let entry = read_entry(table, self.prefix.len(), key, value)?;
            let is_within = match range.order {
                Order::NewestFirst => entry.created_at >= range.since,
                Order::OldestFirst => entry.created_at == self.time,
            };
            if !is_within {
                break;
            }
            self.ahead.push(entry);
            last_key = Some(key);
            if self.ahead.len() == wanted {
                break;
            }
            found = walk.previous()?;
        }
        if let Some(key) = last_key {
            self.before.clear();
            self.before.extend_from_slice(key);
        }
        Ok(())
    }

    /// Oldest first: the entries of this time are read; the next time that has any is looked up.
    fn go_to_next_time(&mut self, walk: &mut Walk<'_>, range: &Range) -> Result<()> {
        let is_start = self.before.len() == self.prefix.len() + 5;
        let found = if is_start {
            walk.at_or_after(&self.before)?
        } else {
            let mut after = self.prefix.clone();
            after.extend_from_slice(&keys::five(self.time));
            after.extend_from_slice(&AFTER_ALL);
            walk.at_or_after(&after)?
        };
        let time = found
            .filter(|(key, _)| key.starts_with(&self.prefix))
            .and_then(|(key, _)| keys::read_five(&key[self.prefix.len()..]));
        match time {
            Some(time) if time <= range.until => self.go_to(time, None),
            _ => self.is_read = true,
        }
        Ok(())
    }
}

/// Ascending in the order of results.
fn rank(order: Order, entry: &Entry) -> u128 {
    let time = match order {
        Order::NewestFirst => !entry.created_at,
        Order::OldestFirst => entry.created_at,
    };
    u128::from(time) << 64 | u128::from(entry.id8)
}

fn read_entry(table: Table, prefix_bytes: usize, key: &[u8], value: &[u8]) -> Result<Entry> {
    let parse = || {
        let (prefix, place) = key.split_at_checked(prefix_bytes)?;
        let created_at = keys::read_five(place)?;
        let negated = place.get(5..13)?.first_chunk()?;
        let row = match table {
            Table::Time => keys::read_five(value)?,
            _ => keys::read_five(place.get(13..)?)?,
        };
        let kind = match table {
            Table::Author | Table::Tag => Some(*value.first_chunk()?),
            Table::Kind | Table::AuthorKind => Some(*prefix.last_chunk()?),
            _ => None,
        };
        Some(Entry {
            created_at,
            id8: !u64::from_be_bytes(*negated),
            row,
            kind: kind.map(u16::from_be_bytes),
        })
    };
    parse().ok_or_else(|| Fault::corrupt(format!("an entry of {table:?} makes no sense")))
}
