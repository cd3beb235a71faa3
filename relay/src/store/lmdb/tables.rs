//! The tables of the database and what their keys hold; `keys` builds them.

use super::fault::Result;
use lmdb::{Database, DatabaseFlags, Environment, Error, Stat, Transaction};

/// A table by its use. The layouts are part of the schema: see [`super::meta::SCHEMA`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Table {
    /// name -> value
    Meta,
    /// row << 8 | chunk, compared as a number -> a piece of the record
    Data,
    /// id16 -> row5
    Id,
    /// ts5 . !id32 -> row5
    Time,
    /// pk8 . place -> kind2
    Author,
    /// pk8 . kind2 . place
    AuthorKind,
    /// kind2 . place
    Kind,
    /// letter1 . siphash8 . place -> kind2
    Tag,
    /// siphash16(kind, pubkey, d) -> row5
    Address,
    /// id32 . pk32 -> row5 of the deletion
    DeletedId,
    /// siphash16(kind, pubkey, d) -> until5 . row5 of the deletion . `kind:pubkey:d`, which earlier versions left out
    DeletedAddress,
    /// pk32 -> ts5, for NIP-62: events up to then are not taken any more
    Vanished,
    /// at5 . row5
    Expiry,
    /// row5 -> id32 . kind2 . pk32 . cause1
    Removed,
    /// ext2 . key -> value
    Extension,
    /// letter1 . siphash8 of `p` and the key . pk32 -> ts5, for NIP-62: events up to then are hidden and being removed
    Vanishing,
}

impl Table {
    pub(super) const ALL: [(Table, &'static str); 16] = [
        (Table::Meta, "meta"),
        (Table::Data, "records"),
        (Table::Id, "id"),
        (Table::Time, "time"),
        (Table::Author, "author"),
        (Table::AuthorKind, "author_kind"),
        (Table::Kind, "kind"),
        (Table::Tag, "tag"),
        (Table::Address, "address"),
        (Table::DeletedId, "deleted_id"),
        (Table::DeletedAddress, "deleted_address"),
        (Table::Vanished, "vanished"),
        (Table::Expiry, "expiry"),
        (Table::Removed, "removed"),
        (Table::Extension, "extension"),
        (Table::Vanishing, "vanishing"),
    ];
    /// With those of earlier versions that may be opened beside them.
    pub(super) const MOST_OPEN: u32 = Table::ALL.len() as u32 + 1;

    fn flags(self) -> DatabaseFlags {
        match self {
            Table::Data => DatabaseFlags::INTEGER_KEY,
            _ => DatabaseFlags::empty(),
        }
    }
}

/// Handles of all tables.
#[derive(Clone, Debug)]
pub(super) struct Tables {
    handles: [Database; Table::ALL.len()],
}

impl Tables {
    /// Opens the tables, and makes those that are missing.
    pub(super) fn open(env: &Environment) -> lmdb::Result<Self> {
        let mut handles = Vec::with_capacity(Table::ALL.len());
        for (table, name) in Table::ALL {
            handles.push(env.create_db(Some(name), table.flags())?);
        }
        let handles = <[Database; Table::ALL.len()]>::try_from(handles);
        Ok(Tables {
            handles: handles.map_err(|_| lmdb::Error::DbsFull)?,
        })
    }

    /// The value of a key.
    pub(super) fn get<'t, T: Transaction>(
        &self,
        txn: &'t T,
        table: Table,
        key: &[u8],
    ) -> Result<Option<&'t [u8]>> {
        match txn.get(self.of(table), &key) {
            Ok(value) => Ok(Some(value)),
            Err(Error::NotFound) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// How many keys a table has.
    pub(super) fn entries<T: Transaction>(&self, txn: &T, table: Table) -> Result<u64> {
        Ok(txn.stat(self.of(table))?.entries() as u64)
    }

    /// Pages that hold anything, but for the few that list the free ones. LMDB keeps the numbers, so nothing is walked.
    pub(super) fn used_pages<T: Transaction>(&self, env: &Environment, txn: &T) -> Result<u64> {
        const META_PAGES: usize = 2;
        let pages = |stat: Stat| stat.branch_pages() + stat.leaf_pages() + stat.overflow_pages();
        let mut used = META_PAGES + pages(env.stat()?);
        for handle in self.handles {
            used += pages(txn.stat(handle)?);
        }
        Ok(used as u64)
    }

    pub(super) fn of(&self, table: Table) -> Database {
        self.handles[table as usize]
    }
}
