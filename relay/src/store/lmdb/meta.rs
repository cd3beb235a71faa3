//! The handful of values that belong to the database as a whole.

use super::fault::{Fault, Result};
use super::tables::{Table, Tables};
use crate::store::StoreError;
use lmdb::{Database, Environment, Error, RwTransaction, Transaction, WriteFlags};
use std::collections::HashMap;
use std::fmt;

/// The layout of keys and records, and what must be known to keep its promises. Raise it with any change to them, and add
/// the step to [`MIGRATIONS`].
///
/// - 1: the first.
/// - 2: requests to vanish (NIP-62). Nothing is laid out anew, but a program that does not know them would let in again
///   what has vanished, and show what is being removed.
/// - 3: records under keys that LMDB compares as numbers. They are moved by [`super::moving`], after this version is noted.
pub(super) const SCHEMA: u32 = MIGRATIONS.len() as u32 + 1;

/// The step from each version to the next, beginning with version 1.
const MIGRATIONS: [fn(&mut RwTransaction<'_>, &Tables) -> Result<()>; 2] =
    [|_, _| Ok(()), |_, _| Ok(())];

const SCHEMA_KEY: &[u8] = b"schema";
const HASH_KEY: &[u8] = b"hash_key";
const LAST_ROW: &[u8] = b"last_row";
const REMOVALS_CUT_AT: &[u8] = b"removals_cut_at";
const EXTENSION_PREFIX: &[u8] = b"extension ";

/// What was made of a directory that an earlier version wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Migration {
    /// The schema version before.
    pub from: u32,
    /// The schema version now.
    pub to: u32,
}

impl fmt::Display for Migration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Migration { from, to } = self;
        write!(
            f,
            "the data directory was migrated from schema version {from} to {to}; older versions of Trellis refuse it now"
        )
    }
}

/// What a database says of itself.
pub(super) struct Prepared {
    /// Of all hashes.
    pub(super) hash_key: [u8; 16],
    pub(super) migration: Option<Migration>,
}

/// Checks or writes the schema version, and migrates from an earlier one in one transaction.
pub(super) fn prepare(env: &Environment, tables: &Tables) -> Result<Prepared> {
    let mut txn = env.begin_rw_txn()?;
    if let Some(found) = get(&txn, tables, SCHEMA_KEY)? {
        let found = u32::from_be_bytes(*found.first_chunk().ok_or_else(damaged)?);
        let key = get(&txn, tables, HASH_KEY)?.and_then(|key| key.try_into().ok());
        let hash_key = key.ok_or_else(damaged)?;
        let migration = (found < SCHEMA).then_some(Migration {
            from: found,
            to: SCHEMA,
        });
        let prepared = Prepared {
            hash_key,
            migration,
        };
        if found > SCHEMA {
            let known = SCHEMA;
            return Err(StoreError::Schema { found, known }.into());
        }
        let Some(migration) = migration else {
            return Ok(prepared);
        };
        for step in MIGRATIONS.iter().skip((found as usize).saturating_sub(1)) {
            step(&mut txn, tables)?;
        }
        put(&mut txn, tables, SCHEMA_KEY, &SCHEMA.to_be_bytes())?;
        txn.commit()?;
        tracing::info!("{migration}");
        return Ok(prepared);
    }
    let hash_key: [u8; 16] = rand::random();
    put(&mut txn, tables, SCHEMA_KEY, &SCHEMA.to_be_bytes())?;
    put(&mut txn, tables, HASH_KEY, &hash_key)?;
    txn.commit()?;
    Ok(Prepared {
        hash_key,
        migration: None,
    })
}

/// The schema version, where tables are not all open; `None` where none is noted.
pub(super) fn schema<T: Transaction>(txn: &T, meta: Database) -> Result<Option<u32>> {
    let found = match txn.get(meta, &SCHEMA_KEY) {
        Ok(found) => found,
        Err(Error::NotFound) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let version = found.first_chunk().ok_or_else(damaged)?;
    Ok(Some(u32::from_be_bytes(*version)))
}

/// The last row given to an event or a removal, gone or not; 0 at first.
pub(super) fn last_row<T: Transaction>(txn: &T, tables: &Tables) -> Result<u64> {
    number(txn, tables, LAST_ROW)
}

pub(super) fn put_last_row(txn: &mut RwTransaction<'_>, tables: &Tables, row: u64) -> Result<()> {
    put(txn, tables, LAST_ROW, &row.to_be_bytes())
}

/// The last row whose removal was dropped from the log; 0 at first.
pub(super) fn removals_cut_at<T: Transaction>(txn: &T, tables: &Tables) -> Result<u64> {
    number(txn, tables, REMOVALS_CUT_AT)
}

pub(super) fn put_removals_cut_at(
    txn: &mut RwTransaction<'_>,
    tables: &Tables,
    row: u64,
) -> Result<()> {
    put(txn, tables, REMOVALS_CUT_AT, &row.to_be_bytes())
}

/// The number that stands for an extension's name in its keys, once it has written something.
pub(super) fn extension_number<T: Transaction>(
    txn: &T,
    tables: &Tables,
    name: &str,
) -> Result<Option<u16>> {
    let key = [EXTENSION_PREFIX, name.as_bytes()].concat();
    match get(txn, tables, &key)? {
        Some(number) => Ok(Some(u16::from_be_bytes(
            number.try_into().map_err(|_| damaged())?,
        ))),
        None => Ok(None),
    }
}

/// As [`extension_number`], with the next free number for a new name.
pub(super) fn make_extension_number(
    txn: &mut RwTransaction<'_>,
    tables: &Tables,
    name: &str,
) -> Result<u16> {
    if let Some(number) = extension_number(txn, tables, name)? {
        return Ok(number);
    }
    let taken = extension_count(txn, tables)?;
    let number = u16::try_from(taken + 1).map_err(|_| Fault::corrupt("too many extensions"))?;
    let key = [EXTENSION_PREFIX, name.as_bytes()].concat();
    put(txn, tables, &key, &number.to_be_bytes())?;
    Ok(number)
}

/// Names of extensions that have written something, by the numbers that stand for them in keys.
pub(super) fn extension_names<T: Transaction>(
    txn: &T,
    tables: &Tables,
) -> Result<HashMap<u16, String>> {
    let mut walk = super::cursor::Walk::new(txn, tables.of(Table::Meta))?;
    let mut names = HashMap::new();
    let mut found = walk.at_or_after(EXTENSION_PREFIX)?;
    while let Some((key, number)) = found
        && let Some(name) = key.strip_prefix(EXTENSION_PREFIX)
    {
        let number = u16::from_be_bytes(number.try_into().map_err(|_| damaged())?);
        names.insert(number, String::from_utf8_lossy(name).into_owned());
        found = walk.next()?;
    }
    Ok(names)
}

fn extension_count<T: Transaction>(txn: &T, tables: &Tables) -> Result<usize> {
    let mut walk = super::cursor::Walk::new(txn, tables.of(Table::Meta))?;
    let mut count = 0;
    let mut found = walk.at_or_after(EXTENSION_PREFIX)?;
    while let Some((key, _)) = found
        && key.starts_with(EXTENSION_PREFIX)
    {
        count += 1;
        found = walk.next()?;
    }
    Ok(count)
}

fn number<T: Transaction>(txn: &T, tables: &Tables, key: &[u8]) -> Result<u64> {
    match get(txn, tables, key)? {
        Some(value) => Ok(u64::from_be_bytes(value.try_into().map_err(|_| damaged())?)),
        None => Ok(0),
    }
}

fn get<'t, T: Transaction>(txn: &'t T, tables: &Tables, key: &[u8]) -> Result<Option<&'t [u8]>> {
    tables.get(txn, Table::Meta, key)
}

fn put(txn: &mut RwTransaction<'_>, tables: &Tables, key: &[u8], value: &[u8]) -> Result<()> {
    Ok(txn.put(tables.of(Table::Meta), &key, &value, WriteFlags::empty())?)
}

pub(super) fn damaged() -> Fault {
    Fault::corrupt("the meta table is damaged")
}
