//! Verifies every index both ways.

use super::cursor::Walk;
use super::entries;
use super::fault::Result;
use super::keys;
use super::meta;
use super::record;
use super::records::{self, Records};
use super::tables::{Table, Tables};
use super::vanishing;
use crate::event::Event;
use crate::store::Vanishing;
use lmdb::Environment;

/// The tables that [`entries::for_each`] fills.
pub(super) const INDEXES: [Table; 8] = [
    Table::Id,
    Table::Time,
    Table::Author,
    Table::AuthorKind,
    Table::Kind,
    Table::Tag,
    Table::Address,
    Table::Expiry,
];
/// More problems are counted but not described.
const DESCRIBED: usize = 20;

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckReport {
    /// Events whose record was read.
    pub events: u64,
    /// Index entries that they have.
    pub entries: u64,
    /// How many things are wrong.
    pub problem_count: u64,
    /// The first of them, in words.
    pub problems: Vec<String>,
}

impl CheckReport {
    /// Whether nothing is wrong.
    pub fn is_sound(&self) -> bool {
        self.problem_count == 0
    }

    fn note(&mut self, problem: impl FnOnce() -> String) {
        self.problem_count += 1;
        if self.problems.len() < DESCRIBED {
            self.problems.push(problem());
        }
    }
}

/// Forwards, every entry that an event should have is looked up; backwards, entries are counted: as many as there should
/// be, all of them found, leaves none that leads nowhere.
pub(super) fn check(env: &Environment, tables: &Tables) -> Result<CheckReport> {
    let txn = env.begin_ro_txn()?;
    let mut report = CheckReport::default();
    let last_row = meta::last_row(&txn, tables)?;
    let mut expected = [0u64; Table::ALL.len()];
    let mut records = Records::new(&txn, tables)?;
    let mut next = records.row_from(0)?;
    while let Some(row) = next {
        next = records.row_from(row + 1)?;
        let begun = records.header_bytes(row)?;
        let whole = begun.ok_or_else(|| records::damaged(row));
        let whole = match whole.and_then(|begun| records.complete(row, begun)) {
            Ok(whole) if is_event(&whole) => whole,
            _ => {
                report.note(|| format!("row {row}: its record cannot be read"));
                continue;
            }
        };
        report.events += 1;
        let header = records::header(row, &whole)?;
        expected[Table::Data as usize] += record::chunk_count(header.record_bytes) as u64;
        if row > last_row {
            report.note(|| format!("row {row} is above the last row {last_row}"));
        }
        let mut failure = None;
        entries::for_each(&header, row, |table, key, value| {
            expected[table as usize] += 1;
            report.entries += 1;
            match tables.get(&txn, table, key) {
                Ok(Some(found)) if found == value => {}
                Ok(_) => report.note(|| format!("row {row}: its entry in {table:?} is missing")),
                Err(fault) => failure = Some(fault),
            }
        });
        if let Some(fault) = failure {
            return Err(fault);
        }
    }
    for table in INDEXES.into_iter().chain([Table::Data]) {
        let (found, expected) = (tables.entries(&txn, table)?, expected[table as usize]);
        if found != expected {
            report.note(|| format!("{table:?} has {found} entries, the events have {expected}"));
        }
    }
    let mut vanishings = Walk::new(&txn, tables.of(Table::Vanishing))?;
    let mut found = vanishings.first()?;
    while let Some((key, value)) = found {
        let Vanishing { pubkey, until } = vanishing::read(key, value)?;
        let vanished = tables.get(&txn, Table::Vanished, pubkey.as_bytes())?;
        if vanished.and_then(keys::read_five) != Some(until) {
            report.note(|| "a request to vanish has no tombstone".to_owned());
        }
        found = vanishings.next()?;
    }
    let mut removed = Walk::new(&txn, tables.of(Table::Removed))?;
    let mut found = removed.first()?;
    while let Some((key, _)) = found {
        let row = keys::read_five(key).unwrap_or(u64::MAX);
        if row > last_row || records.header_bytes(row)?.is_some() {
            report.note(|| format!("the removal of row {row} has no row of its own"));
        }
        found = removed.next()?;
    }
    Ok(report)
}

/// Whether the record makes an event that a client could read.
fn is_event(record: &[u8]) -> bool {
    record::read_event(record)
        .is_ok_and(|event| Event::parse(event.json()).is_ok_and(|parsed| parsed == event))
}
