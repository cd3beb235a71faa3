//! Follows the commit sequence: events by row, merged with the log of removals.

use super::cursor::Walk;
use super::fault::Result;
use super::keys;
use super::meta;
use super::records::{self, Records};
use super::removals;
use super::tables::{Table, Tables};
use crate::store::{Change, Changes, Stored};
use lmdb::Transaction;
use std::sync::Arc;

/// See [`crate::store::Store::changes`]. The rows of events and those of removals are never the same.
pub(super) fn changes<T: Transaction>(
    txn: &T,
    tables: &Tables,
    after: u64,
    max: usize,
) -> Result<Changes> {
    let cut_at = meta::removals_cut_at(txn, tables)?;
    let last_row = meta::last_row(txn, tables)?;
    let mut changes = Vec::new();
    if after < cut_at {
        changes.push(Change::Gap {
            from: after + 1,
            to: cut_at,
        });
    }
    if after >= last_row {
        let next = after;
        return Ok(Changes { changes, next });
    }
    let mut records = Records::new(txn, tables)?;
    let mut removed = Walk::new(txn, tables.of(Table::Removed))?;
    let mut next_stored = records.row_from(after + 1)?;
    let mut next_removed = removed.at_or_after(&keys::five(after + 1))?;
    let mut next = after;
    for _ in 0..max {
        let removed_row = next_removed.and_then(|(key, _)| keys::read_five(key));
        match (next_stored, next_removed) {
            (Some(row), _) if removed_row.is_none_or(|removed| row < removed) => {
                changes.push(Change::Stored(stored(&mut records, row)?));
                next = row;
                next_stored = records.row_from(row + 1)?;
            }
            (_, Some((key, value))) => {
                let (row, change) = removals::decode(key, value)?;
                changes.push(change);
                next = row;
                next_removed = removed.next()?;
            }
            _ => break,
        }
    }
    if next_stored.is_none() && next_removed.is_none() {
        next = last_row;
    }
    Ok(Changes { changes, next })
}

fn stored(records: &mut Records<'_>, row: u64) -> Result<Stored> {
    let begun = records.header_bytes(row)?;
    let begun = begun.ok_or_else(|| records::damaged(row))?;
    let expires_at = records::header(row, &begun)?.expires_at;
    Ok(Stored {
        row,
        expires_at,
        event: Arc::new(records.event(row, begun)?),
    })
}
