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
use crate::event::{Assembler, Event};
use crate::store::{CheckReport, Headway, StoreError, Vanishing, Watch};
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
/// Between two words to whoever watches.
const ROWS_A_LOOK: u64 = 1_024;

/// Forwards, every entry that an event should have is looked up; backwards, entries are counted: as many as there should
/// be, all of them found, leaves none that leads nowhere.
pub(super) fn check(
    env: &Environment,
    tables: &Tables,
    verify_ids: bool,
    watch: Watch<'_>,
) -> Result<CheckReport> {
    let txn = env.begin_ro_txn()?;
    let mut report = CheckReport::default();
    let total = tables.entries(&txn, Table::Id)?;
    let mut done = 0;
    let last_row = meta::last_row(&txn, tables)?;
    let mut expected = [0u64; Table::ALL.len()];
    let mut records = Records::new(&txn, tables)?;
    let mut next = records.row_from(0)?;
    while let Some(row) = next {
        next = records.row_from(row + 1)?;
        done += 1;
        if done % ROWS_A_LOOK == 0 && watch(Headway { done, total }).is_break() {
            return Err(StoreError::Stopped.into());
        }
        let begun = records.header_bytes(row)?;
        let whole = begun.ok_or_else(|| records::damaged(row));
        let whole = match whole.and_then(|begun| records.complete(row, begun)) {
            Ok(whole) if is_event(&whole) => whole,
            _ => {
                report.note(|| format!("row {row}: its record cannot be read"));
                continue;
            }
        };
        if verify_ids && !has_its_id(&whole) {
            report.note(|| format!("row {row}: its id is not the hash of its event"));
        }
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
    record::read_event(record, &mut Assembler::default())
        .is_ok_and(|event| Event::parse(event.json()).is_ok_and(|parsed| parsed == event))
}

fn has_its_id(record: &[u8]) -> bool {
    record::read_event(record, &mut Assembler::default())
        .is_ok_and(|event| event.computed_id() == *event.id().as_bytes())
}
