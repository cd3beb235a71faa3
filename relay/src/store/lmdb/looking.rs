//! Looks into a directory without opening it as a relay does.
//!
//! Invariant: no file is made or written, and nobody is kept from opening the directory, but for the moment in which the
//! lock is tried. Nothing holds LMDB's pages for the reader, so what is seen counts only if no process has the directory
//! when it is done.

use super::cursor::Walk;
use super::fault::{Fault, Result};
use super::meta;
use super::moving::NAME_BEFORE;
use super::tables::Table;
use super::{LmdbOptions, LmdbStore};
use crate::store::StoreError;
use lmdb::{Database, Environment, EnvironmentFlags, Error, Stat, Transaction};
use rustix::fs::{FlockOperation, flock};
use std::fs::File;
use std::path::Path;

/// What is seen in a directory that no process has open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreGlance {
    /// Its schema version.
    pub schema: u32,
    /// The schema version of this program. With a lower one in the directory, the next opening migrates it.
    pub known: u32,
    /// Events in it.
    pub events: u64,
    /// Bytes that hold anything.
    pub used_bytes: u64,
    /// `created_at` of the newest event, in seconds since 1970.
    pub newest_s: Option<u64>,
    /// Whether records are left where schema versions 1 and 2 had them. The next opening moves them, and ends before that
    /// where the disk lacks room for it.
    pub has_to_move: bool,
}

impl LmdbStore {
    /// Looks into a directory with a `data.mdb`; `None` where a first opening ended before anything was in it, which the
    /// next one goes on with. Fails with [`StoreError::InUse`] where a process has it open, with
    /// [`StoreError::Schema`] where a newer program wrote it, and with [`StoreError::Corrupt`] where part of the file is
    /// missing.
    pub fn look(
        directory: &Path,
        options: &LmdbOptions,
    ) -> std::result::Result<Option<StoreGlance>, StoreError> {
        nobody_has(directory)?;
        let seen = see(directory, options);
        nobody_has(directory)?;
        Ok(seen?)
    }
}

fn nobody_has(directory: &Path) -> std::result::Result<(), StoreError> {
    let file = match File::open(directory.join("trellis.lock")) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    // Let go with the file, at once.
    match flock(&file, FlockOperation::NonBlockingLockShared) {
        Ok(()) => Ok(()),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(StoreError::InUse(directory.to_owned())),
        Err(errno) => Err(std::io::Error::from(errno).into()),
    }
}

fn see(directory: &Path, options: &LmdbOptions) -> Result<Option<StoreGlance>> {
    let stored_bytes = directory.join("data.mdb").metadata()?.len();
    let map_bytes = stored_bytes.max(options.quota_bytes) + options.reserve_bytes();
    let map_bytes = usize::try_from(map_bytes.next_multiple_of(4096))
        .map_err(|_| Fault::corrupt("the quota exceeds the address space"))?;
    let env = Environment::new()
        .set_flags(
            EnvironmentFlags::READ_ONLY | EnvironmentFlags::NO_LOCK | EnvironmentFlags::NO_TLS,
        )
        .set_max_dbs(Table::MOST_OPEN)
        .set_map_size(map_bytes)
        .open(directory)?;
    is_whole(&env, stored_bytes)?;
    // Those that an earlier version did not have are missing.
    let mut tables = Vec::new();
    for (table, name) in Table::ALL {
        if let Some(handle) = open_if_there(&env, name)? {
            tables.push((table, handle));
        }
    }
    let before = open_if_there(&env, NAME_BEFORE)?;
    let of = |wanted: Table| {
        let found = tables.iter().find(|(table, _)| *table == wanted);
        found.map(|(_, handle)| *handle)
    };
    let txn = env.begin_ro_txn()?;
    let events = match of(Table::Id) {
        Some(ids) => txn.stat(ids)?.entries() as u64,
        None => 0,
    };
    let schema = match of(Table::Meta) {
        Some(meta) => meta::schema(&txn, meta)?,
        None => None,
    };
    let Some(schema) = schema else {
        // It is noted after the tables are made and before anything is put into them.
        let is_new = events == 0 && before.is_none();
        return is_new.then_some(None).ok_or_else(meta::damaged);
    };
    if schema > meta::SCHEMA {
        let (found, known) = (schema, meta::SCHEMA);
        return Err(StoreError::Schema { found, known }.into());
    }
    let mut used = pages(env.stat()?);
    for (_, handle) in &tables {
        used += pages(txn.stat(*handle)?);
    }
    let mut has_to_move = false;
    if let Some(before) = before {
        let stat = txn.stat(before)?;
        has_to_move = stat.entries() > 0;
        used += pages(stat);
    }
    Ok(Some(StoreGlance {
        schema,
        known: meta::SCHEMA,
        events,
        used_bytes: used as u64 * u64::from(env.stat()?.page_size()),
        newest_s: of(Table::Time).map_or(Ok(None), |time| newest_s(&txn, time))?,
        has_to_move,
    }))
}

fn open_if_there(env: &Environment, name: &str) -> Result<Option<Database>> {
    match env.open_db(Some(name)) {
        Ok(table) => Ok(Some(table)),
        Err(Error::NotFound) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Of a file that is cut short a page may be asked for that no disk has, which ends the process. The last pages may be
/// missing rightly, where they were given back before they were written; they are few.
fn is_whole(env: &Environment, stored_bytes: u64) -> Result<()> {
    let wanted_pages = env.info()?.last_pgno() as u64 + 1;
    let wanted_bytes = wanted_pages * u64::from(env.stat()?.page_size());
    match stored_bytes < wanted_bytes - wanted_bytes / 16 {
        true => Err(Fault::corrupt(format!(
            "data.mdb is cut short: {stored_bytes} bytes of {wanted_bytes}"
        ))),
        false => Ok(()),
    }
}

fn pages(stat: Stat) -> usize {
    stat.branch_pages() + stat.leaf_pages() + stat.overflow_pages()
}

fn newest_s<T: Transaction>(txn: &T, time: Database) -> Result<Option<u64>> {
    let last = Walk::new(txn, time)?.last()?;
    let at = last.and_then(|(key, _)| key.first_chunk::<5>());
    Ok(at.map(|at| at.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte))))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::event::{Event, EventParts};
    use crate::store::{NoPolicy, Store as _, Write};
    use lmdb::WriteFlags;
    use std::collections::BTreeMap;
    use std::ffi::OsString;
    use std::fs;
    use std::sync::Arc;
    use tempfile::TempDir;

    fn files(directory: &Path) -> BTreeMap<OsString, Vec<u8>> {
        let entries = fs::read_dir(directory).unwrap().flatten();
        entries
            .map(|entry| (entry.file_name(), fs::read(entry.path()).unwrap()))
            .collect()
    }

    fn options() -> LmdbOptions {
        LmdbOptions {
            quota_bytes: 16 << 20,
            ballast_bytes: 0,
            ..LmdbOptions::default()
        }
    }

    fn filled(directory: &Path) -> LmdbStore {
        let store = LmdbStore::open(directory, options()).unwrap();
        let event: Event = EventParts {
            id: &[1; 32],
            pubkey: &[1; 32],
            created_at: 1_700_000_000,
            kind: 1,
            tags_json: "[]",
            content_json: "\"\"",
            sig: &[2; 64],
        }
        .assemble();
        let put = [Write::Put(Arc::new(event))];
        store.commit(&put, &NoPolicy, 1).unwrap();
        store
    }

    fn say_schema(directory: &Path, schema: u32) {
        let env = Environment::new()
            .set_max_dbs(Table::MOST_OPEN)
            .set_map_size(64 << 20)
            .open(directory)
            .unwrap();
        let table = env.open_db(Some("meta")).unwrap();
        let mut txn = env.begin_rw_txn().unwrap();
        txn.put(table, b"schema", &schema.to_be_bytes(), WriteFlags::empty())
            .unwrap();
        txn.commit().unwrap();
    }

    #[test]
    fn d9_a_look_leaves_a_directory_of_an_earlier_version_as_it_is() {
        let directory = TempDir::new().unwrap();
        let path = directory.path();
        drop(filled(path));
        for schema in [meta::SCHEMA - 1, meta::SCHEMA] {
            say_schema(path, schema);
            fs::write(path.join("compacting.left"), "over").unwrap();
            let before = files(path);
            let seen = LmdbStore::look(path, &options()).unwrap().unwrap();
            assert_eq!((seen.schema, seen.known), (schema, meta::SCHEMA));
            assert_eq!((seen.events, seen.newest_s), (1, Some(1_700_000_000)));
            assert!(seen.used_bytes > 0 && !seen.has_to_move);
            assert!(files(path) == before, "something was written");
        }
    }

    #[test]
    fn d9_a_look_sees_who_has_a_directory_and_who_wrote_it() {
        let directory = TempDir::new().unwrap();
        let path = directory.path();
        let store = filled(path);
        let seen = LmdbStore::look(path, &options());
        assert!(matches!(seen, Err(StoreError::InUse(_))), "{seen:?}");
        drop(store);
        say_schema(path, meta::SCHEMA + 1);
        let seen = LmdbStore::look(path, &options());
        assert!(matches!(seen, Err(StoreError::Schema { .. })), "{seen:?}");
    }

    #[test]
    fn d9_a_first_start_that_was_cut_off_has_nothing_yet_and_one_without_its_version_is_damaged() {
        let directory = TempDir::new().unwrap();
        let path = directory.path();
        let open = || {
            let mut env = Environment::new();
            env.set_max_dbs(Table::MOST_OPEN).set_map_size(64 << 20);
            env.open(path).unwrap()
        };
        // LMDB's own pages, and no table.
        drop(open());
        assert_eq!(LmdbStore::look(path, &options()).unwrap(), None);
        // Tables, and nothing in them.
        super::super::tables::Tables::open(&open()).unwrap();
        assert_eq!(LmdbStore::look(path, &options()).unwrap(), None);
        drop(filled(path));
        let env = open();
        let table = env.open_db(Some("meta")).unwrap();
        let mut txn = env.begin_rw_txn().unwrap();
        txn.del(table, b"schema", None).unwrap();
        txn.commit().unwrap();
        drop(env);
        let seen = LmdbStore::look(path, &options());
        assert!(matches!(seen, Err(StoreError::Corrupt(_))), "{seen:?}");
    }

    #[test]
    fn d9_a_look_at_a_file_that_is_cut_short_says_so() {
        let directory = TempDir::new().unwrap();
        let path = directory.path();
        drop(filled(path));
        let file = fs::File::options().write(true).open(path.join("data.mdb"));
        file.unwrap().set_len(3 * 4096).unwrap();
        let seen = LmdbStore::look(path, &options());
        assert!(matches!(seen, Err(StoreError::Corrupt(_))), "{seen:?}");
    }
}
