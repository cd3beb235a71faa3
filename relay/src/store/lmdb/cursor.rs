//! The only file that touches LMDB's cursors. The crate lets slices and iterators outlive what they point into; here
//! slices live as long as the transaction, and nothing is written while one of them is borrowed.

use super::fault::Result;
use lmdb::{Cursor, Database, Error, RoCursor, RwCursor, RwTransaction, Transaction, WriteFlags};

// The operations of mdb_cursor_get, which the crate does not name.
const MDB_FIRST: u32 = 0;
const MDB_LAST: u32 = 6;
const MDB_NEXT: u32 = 8;
const MDB_PREV: u32 = 12;
const MDB_SET: u32 = 15;
const MDB_SET_RANGE: u32 = 17;

/// A key and its value, pointing into the map.
pub(super) type Pair<'t> = (&'t [u8], &'t [u8]);

/// Walks a table in either direction.
pub(super) struct Walk<'t> {
    cursor: RoCursor<'t>,
}

impl<'t> Walk<'t> {
    pub(super) fn new<T: Transaction>(txn: &'t T, table: Database) -> Result<Self> {
        Ok(Walk {
            cursor: txn.open_ro_cursor(table)?,
        })
    }

    /// The value of exactly this key.
    pub(super) fn exact(&mut self, key: &[u8]) -> Result<Option<&'t [u8]>> {
        match self.cursor.get(Some(key), None, MDB_SET) {
            Ok((_, value)) => Ok(Some(value)),
            Err(Error::NotFound) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    pub(super) fn first(&mut self) -> Result<Option<Pair<'t>>> {
        self.step(None, MDB_FIRST)
    }

    pub(super) fn at_or_after(&mut self, key: &[u8]) -> Result<Option<Pair<'t>>> {
        self.step(Some(key), MDB_SET_RANGE)
    }

    pub(super) fn next(&mut self) -> Result<Option<Pair<'t>>> {
        self.step(None, MDB_NEXT)
    }

    /// The last pair before a key.
    pub(super) fn before(&mut self, key: &[u8]) -> Result<Option<Pair<'t>>> {
        match self.at_or_after(key)? {
            Some(_) => self.previous(),
            None => self.last(),
        }
    }

    pub(super) fn previous(&mut self) -> Result<Option<Pair<'t>>> {
        self.step(None, MDB_PREV)
    }

    pub(super) fn last(&mut self) -> Result<Option<Pair<'t>>> {
        self.step(None, MDB_LAST)
    }

    fn step(&mut self, key: Option<&[u8]>, operation: u32) -> Result<Option<Pair<'t>>> {
        match self.cursor.get(key, None, operation) {
            // The key is missing only where LMDB left the caller's in place, which these operations never do.
            Ok((found, value)) => Ok(found.map(|key| (key, value))),
            Err(Error::NotFound) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

/// Writes to a table; quickest in the order of keys, where most puts stay on the page of the one before.
pub(super) struct Pen<'t> {
    cursor: RwCursor<'t>,
}

impl<'t> Pen<'t> {
    pub(super) fn new(txn: &'t mut RwTransaction<'_>, table: Database) -> Result<Self> {
        Ok(Pen {
            cursor: txn.open_rw_cursor(table)?,
        })
    }

    pub(super) fn put(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        Ok(self.cursor.put(&key, &value, WriteFlags::empty())?)
    }

    /// The key must be greater than all others in the table: pages are filled to the end.
    pub(super) fn append(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        Ok(self.cursor.put(&key, &value, WriteFlags::APPEND)?)
    }

    /// Whether there was such a key.
    pub(super) fn delete(&mut self, key: &[u8]) -> Result<bool> {
        match self.cursor.get(Some(key), None, MDB_SET) {
            Ok(_) => {
                self.cursor.del(WriteFlags::empty())?;
                Ok(true)
            }
            Err(Error::NotFound) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}
