//! The log of removals, which lets readers of the commit sequence learn what went.

use super::cursor::{Pen, Walk};
use super::fault::{Fault, Result};
use super::keys;
use super::meta;
use super::overlay::Removal;
use super::tables::{Table, Tables};
use crate::event::{EventId, PublicKey};
use crate::store::{Cause, Change};
use lmdb::RwTransaction;

/// Appends removals and drops the oldest beyond `keep`.
pub(super) fn append(
    txn: &mut RwTransaction<'_>,
    tables: &Tables,
    removals: &[Removal],
    keep: u64,
) -> Result<()> {
    if removals.is_empty() {
        return Ok(());
    }
    let mut pen = Pen::new(txn, tables.of(Table::Removed))?;
    for removal in removals {
        pen.append(&keys::five(removal.row), &encode(removal))?;
    }
    drop(pen);
    let surplus = tables.entries(txn, Table::Removed)?.saturating_sub(keep);
    let oldest = oldest_rows(txn, tables, surplus)?;
    let mut pen = Pen::new(txn, tables.of(Table::Removed))?;
    for row in &oldest {
        pen.delete(&keys::five(*row))?;
    }
    drop(pen);
    match oldest.last() {
        Some(row) => meta::put_removals_cut_at(txn, tables, *row),
        None => Ok(()),
    }
}

/// Reads a line of the log.
pub(super) fn decode(key: &[u8], value: &[u8]) -> Result<(u64, Change)> {
    let parse = || {
        let row = keys::read_five(key)?;
        let (id, rest) = value.split_first_chunk()?;
        let (kind, rest) = rest.split_first_chunk()?;
        let (pubkey, rest) = rest.split_first_chunk()?;
        let removed = Change::Removed {
            row,
            id: EventId::from_byte_array(*id),
            kind: u16::from_be_bytes(*kind),
            pubkey: PublicKey::from_byte_array(*pubkey),
            cause: *Cause::ALL.get(usize::from(*rest.first()?))?,
        };
        Some((row, removed))
    };
    parse().ok_or_else(|| Fault::corrupt("the log of removals is damaged"))
}

fn encode(removal: &Removal) -> Vec<u8> {
    let cause = Cause::ALL.iter().position(|cause| *cause == removal.cause);
    let mut value = Vec::with_capacity(67);
    value.extend_from_slice(removal.id.as_bytes());
    value.extend_from_slice(&removal.kind.to_be_bytes());
    value.extend_from_slice(removal.pubkey.as_bytes());
    value.push(cause.unwrap_or_default() as u8);
    value
}

fn oldest_rows(txn: &RwTransaction<'_>, tables: &Tables, count: u64) -> Result<Vec<u64>> {
    let mut rows = Vec::new();
    if count == 0 {
        return Ok(rows);
    }
    let mut walk = Walk::new(txn, tables.of(Table::Removed))?;
    let mut found = walk.first()?;
    while let Some((key, _)) = found
        && (rows.len() as u64) < count
    {
        rows.extend(keys::read_five(key));
        found = walk.next()?;
    }
    Ok(rows)
}
