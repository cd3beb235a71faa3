//! Finds the events that match a filter by index and header, in order, and counts what that costs. Tags are compared by
//! their hashes: whoever needs to be sure reads the event.

use super::fault::Result;
use super::index;
use super::keys::{self, END_5, KeyedHash, TagHash};
use super::lanes::Range;
use super::mapped::Mapped;
use super::record::Header;
use super::records::{self, Bytes, Records};
use super::tables::Table;
use super::vanishing::Hidden;
use crate::event::{EventId, PublicKey};
use crate::store::{Budget, Order, Position, Scan};
use lmdb::RoTransaction;
use smallvec::SmallVec;
use std::cmp::Ordering;
use std::ops::ControlFlow;
use std::time::Instant;

/// The clock is read once for so many groups.
const GROUPS_PER_CLOCK: usize = 32;

/// Calls back with every match after the resume position, in order, and with what reads the rest of its record. Gives the position for the next page if it stopped
/// before the end, which it does after at least one step.
pub(super) fn each_match<'t>(
    store: &Mapped,
    txn: &'t RoTransaction<'_>,
    scan: &Scan<'_>,
    hidden: Option<Hidden<'_, RoTransaction<'_>>>,
    records: &mut Records<'t>,
    mut step: impl FnMut(Match<'t>, &mut Records<'t>) -> Result<Step>,
) -> Result<Option<Position>> {
    let filter = scan.filter;
    if filter.is_empty() {
        return Ok(None);
    }
    let check = Check::new(scan, hidden, &store.hash);
    if let Some(ids) = &filter.ids {
        let found = load_ids(store, txn, &check, records, ids)?;
        return match step_through(found, scan.resume, records, &mut step)? {
            ControlFlow::Break(next) => Ok(next),
            ControlFlow::Continue(()) => Ok(None),
        };
    }
    let range = Range {
        order: scan.order,
        since: filter.since.unwrap_or(0),
        until: filter.until.unwrap_or(END_5 - 1),
        resume: scan.resume,
    };
    let choice = index::choose(txn, &store.tables, &store.hash, filter, range)?;
    let mut lanes = choice.lanes(txn, &store.tables, range)?;
    let mut spent = Spent::new(scan.budget);
    let mut last = scan.resume;
    let resumed_group = last.map(|at| end_of_group(at.created_at, keys::id8(at.id.as_bytes())));
    loop {
        let group = lanes.next_group()?;
        let Some(first) = group.first() else {
            return Ok(None);
        };
        let mut found: SmallVec<[Match<'t>; 1]> = SmallVec::new();
        for entry in &group {
            found.extend(check.load(records, entry.row, entry.kind)?);
        }
        if found.len() > 1 {
            found.sort_unstable_by(|a, b| compare(scan.order, &a.position, &b.position));
        }
        if let ControlFlow::Break(next) = step_through(found, last, records, &mut step)? {
            return Ok(next);
        }
        last = Some(end_of_group(first.created_at, first.id8));
        // The group in which the last page ended comes again, and a page must get beyond it.
        let is_new = last != resumed_group;
        if is_new && spent.is_over(group.len()) {
            return Ok(last);
        }
    }
}

/// Whether to go on after a match.
pub(super) enum Step {
    GoOn,
    /// The event at hand belongs to the next page.
    StopBefore,
    /// It is the last of this page.
    StopAfter,
}

/// An event that matches by its header.
pub(super) struct Match<'t> {
    pub(super) position: Position,
    pub(super) author: PublicKey,
    pub(super) kind: u16,
    pub(super) row: u64,
    pub(super) expires_at: Option<u64>,
    pub(super) record: Bytes<'t>,
}

/// Gives the position to resume from where a step stopped.
fn step_through<'t>(
    found: impl IntoIterator<Item = Match<'t>>,
    mut last: Option<Position>,
    records: &mut Records<'t>,
    step: &mut impl FnMut(Match<'t>, &mut Records<'t>) -> Result<Step>,
) -> Result<ControlFlow<Option<Position>>> {
    for found in found {
        let position = found.position;
        match step(found, records)? {
            Step::GoOn => last = Some(position),
            Step::StopBefore => return Ok(ControlFlow::Break(last)),
            Step::StopAfter => return Ok(ControlFlow::Break(Some(position))),
        }
    }
    Ok(ControlFlow::Continue(()))
}

fn load_ids<'t>(
    store: &Mapped,
    txn: &'t RoTransaction<'_>,
    check: &Check<'_, '_>,
    records: &mut Records<'t>,
    ids: &[EventId],
) -> Result<Vec<Match<'t>>> {
    let mut found = Vec::new();
    for id in ids {
        let row = store
            .tables
            .get(txn, Table::Id, &keys::id16(id.as_bytes()))?;
        if let Some(row) = row.and_then(keys::read_five) {
            found.extend(check.load(records, row, None)?);
        }
    }
    found.sort_unstable_by(|a, b| compare(check.scan.order, &a.position, &b.position));
    // Ids that agree in their first half lead to the same event.
    found.dedup_by_key(|found| found.row);
    Ok(found)
}

/// What is asked of a header.
struct Check<'a, 't> {
    scan: &'a Scan<'a>,
    /// What must not be found, if anything.
    hidden: Option<Hidden<'a, RoTransaction<'t>>>,
    /// By letter, sorted hashes of which one must be there.
    tags: Vec<(u8, Vec<TagHash>)>,
}

impl<'a, 't> Check<'a, 't> {
    fn new(
        scan: &'a Scan<'a>,
        hidden: Option<Hidden<'a, RoTransaction<'t>>>,
        hash: &KeyedHash,
    ) -> Self {
        let tags = scan.filter.tags.iter().map(|(letter, values)| {
            let mut hashes: Vec<TagHash> = values
                .iter()
                .map(|value| hash.tag(*letter, value))
                .collect();
            hashes.sort_unstable();
            (*letter, hashes)
        });
        Check {
            scan,
            hidden,
            tags: tags.collect(),
        }
    }

    /// Reads a row's header and gives what it finds if that is asked for.
    fn load<'r>(
        &self,
        records: &mut Records<'r>,
        row: u64,
        kind: Option<u16>,
    ) -> Result<Option<Match<'r>>> {
        if row > self.scan.max_row || kind.is_some_and(|kind| !self.wants_kind(kind)) {
            return Ok(None);
        }
        let record = records.header_bytes(row)?;
        let record = record.ok_or_else(|| records::damaged(row))?;
        let header = records::header(row, &record)?;
        let position = Position {
            created_at: header.created_at,
            id: EventId::from_byte_array(*header.id),
        };
        let expires_at = header.expires_at;
        let author = PublicKey::from_byte_array(*header.pubkey);
        let is_asked_for = self.matches(&header, &position, &author)
            && expires_at.is_none_or(|at| at > self.scan.now)
            && self.is_after_resume(&position)
            && !self.is_hidden(&header)?;
        Ok(is_asked_for.then_some(Match {
            position,
            author,
            kind: header.kind,
            row,
            expires_at,
            record,
        }))
    }

    fn is_hidden(&self, header: &Header<'_>) -> Result<bool> {
        match &self.hidden {
            Some(hidden) => hidden.has(header),
            None => Ok(false),
        }
    }

    fn wants_kind(&self, kind: u16) -> bool {
        let kinds = self.scan.filter.kinds.as_ref();
        kinds.is_none_or(|kinds| kinds.binary_search(&kind).is_ok())
    }

    fn matches(&self, header: &Header<'_>, position: &Position, author: &PublicKey) -> bool {
        self.scan
            .filter
            .matches_fields(&position.id, author, header.kind, header.created_at)
            && self
                .tags
                .iter()
                .all(|(letter, hashes)| header.has_tag(*letter, hashes))
    }

    fn is_after_resume(&self, position: &Position) -> bool {
        self.scan
            .resume
            .is_none_or(|resume| compare(self.scan.order, position, &resume).is_gt())
    }
}

/// What a page has used of its budget in entries and time.
struct Spent {
    budget: Budget,
    since: Instant,
    groups: usize,
    entries: usize,
}

impl Spent {
    fn new(budget: Budget) -> Self {
        Spent {
            budget,
            since: Instant::now(),
            groups: 0,
            entries: 0,
        }
    }

    fn is_over(&mut self, entries: usize) -> bool {
        self.groups += 1;
        self.entries += entries;
        self.entries >= self.budget.entries
            || (self.groups.is_multiple_of(GROUPS_PER_CLOCK)
                && self.since.elapsed() >= self.budget.time)
    }
}

/// The position after all events that share a time and the first bytes of their ids: what an index calls one group.
fn end_of_group(created_at: u64, id8: u64) -> Position {
    let mut id = [0xff; 32];
    id[..8].copy_from_slice(&id8.to_be_bytes());
    Position {
        created_at,
        id: EventId::from_byte_array(id),
    }
}

fn compare(order: Order, a: &Position, b: &Position) -> Ordering {
    let by_time = match order {
        Order::NewestFirst => b.created_at.cmp(&a.created_at),
        Order::OldestFirst => a.created_at.cmp(&b.created_at),
    };
    by_time.then_with(|| a.id.cmp(&b.id))
}
