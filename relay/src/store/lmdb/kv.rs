//! The key spaces of extensions, one after the other in one table.

use super::cursor::{Pen, Walk};
use super::fault::Result;
use super::keys;
use super::meta;
use super::tables::{Table, Tables};
use crate::store::{KvRow, KvWrites, MAX_KEY_BYTES, StoreError};
use lmdb::{RwTransaction, Transaction};

pub(super) fn get<T: Transaction>(
    txn: &T,
    tables: &Tables,
    extension: &str,
    key: &[u8],
) -> Result<Option<Vec<u8>>> {
    check_length(key)?;
    let Some(number) = meta::extension_number(txn, tables, extension)? else {
        return Ok(None);
    };
    let key = keys::extension(number, key);
    let value = tables.get(txn, Table::Extension, &key)?;
    Ok(value.map(<[u8]>::to_vec))
}

/// See [`crate::store::Store::kv_scan`].
pub(super) fn scan<T: Transaction>(
    txn: &T,
    tables: &Tables,
    extension: &str,
    prefix: &[u8],
    after: Option<&[u8]>,
    max: usize,
) -> Result<Vec<KvRow>> {
    check_length(prefix)?;
    check_length(after.unwrap_or_default())?;
    let mut rows = Vec::new();
    let Some(number) = meta::extension_number(txn, tables, extension)? else {
        return Ok(rows);
    };
    let within = keys::extension(number, prefix);
    let after = after.map(|key| keys::extension(number, key));
    let mut walk = Walk::new(txn, tables.of(Table::Extension))?;
    let from = after.as_ref().map_or(&within, |after| after.max(&within));
    let mut found = walk.at_or_after(from)?;
    while let Some((key, value)) = found
        && key.starts_with(&within)
        && rows.len() < max
    {
        if after.as_deref() != Some(key) {
            rows.push((key[size_of::<u16>()..].to_vec(), value.to_vec()));
        }
        found = walk.next()?;
    }
    Ok(rows)
}

/// The last row of a key space whose key is below `beyond`.
pub(super) fn last<T: Transaction>(
    txn: &T,
    tables: &Tables,
    extension: &str,
    beyond: &[u8],
) -> Result<Option<KvRow>> {
    let Some(number) = meta::extension_number(txn, tables, extension)? else {
        return Ok(None);
    };
    let mut walk = Walk::new(txn, tables.of(Table::Extension))?;
    let found = walk.before(&keys::extension(number, beyond))?;
    let within = number.to_be_bytes();
    Ok(found.and_then(|(key, value)| Some((key.strip_prefix(&within)?.to_vec(), value.to_vec()))))
}

fn check_length(key: &[u8]) -> Result<()> {
    match key.len() {
        length if length > MAX_KEY_BYTES => Err(StoreError::KeyTooLong(length).into()),
        _ => Ok(()),
    }
}

/// Writes what a batch decided.
pub(super) fn write(txn: &mut RwTransaction<'_>, tables: &Tables, rows: &KvWrites) -> Result<()> {
    for ((extension, key), value) in rows {
        let number = match value {
            Some(_) => meta::make_extension_number(txn, tables, extension)?,
            None => match meta::extension_number(txn, tables, extension)? {
                Some(number) => number,
                None => continue,
            },
        };
        let key = keys::extension(number, key);
        let mut pen = Pen::new(txn, tables.of(Table::Extension))?;
        match value {
            Some(value) => pen.put(&key, value)?,
            None => {
                pen.delete(&key)?;
            }
        }
    }
    Ok(())
}
