//! Events in LMDB: one memory-mapped file, many readers, one writer.
//!
//! A commit is decided first and written after: `plan` reads, guards and hooks have their say, `overlay` holds what was
//! decided, `apply` writes it in the order of keys. A page of a scan merges `lanes` of one index. `tables` and `keys` give
//! the layout, `record` an event's own bytes. The crate `lmdb` is named in this module alone.
//!
//! Invariant: an index entry exists exactly where [`LmdbStore::check`] says it should, and a commit that returned is on
//! the disk. NIP-62 and retention have their table and their causes; deciding what they remove is done elsewhere.

use super::{
    Changes, CommitPolicy, CountPage, KvRow, Outcome, Page, PositionPage, Scan, Store, StoreError,
    StoreStats, Write,
};
use crate::event::{EventId, PublicKey};
use lmdb::Environment;
use std::fs::File;
use std::path::Path;

mod apply;
mod ballast;
mod batch;
mod changes;
mod check;
mod commit;
mod cursor;
mod entries;
mod fault;
mod hex_runs;
mod index;
mod keys;
mod kv;
mod lanes;
mod meta;
mod opening;
mod overlay;
mod plan;
mod record;
mod records;
mod removals;
mod room;
mod scan;
mod tables;
#[cfg(test)]
mod tests;

pub use check::CheckReport;

/// A directory with events.
#[derive(Debug)]
pub struct LmdbStore {
    env: Environment,
    tables: tables::Tables,
    hash: keys::KeyedHash,
    room: room::Room,
    removal_log_entries: u64,
    /// Released after the environment is closed.
    _lock: File,
}

/// How a directory is opened.
#[derive(Clone, Debug)]
pub struct LmdbOptions {
    /// Beyond these bytes only removals are taken.
    pub quota_bytes: u64,
    /// Bytes above the quota for the pages that removals need; by default 64 MiB or a fiftieth of the quota.
    pub reserve_bytes: Option<u64>,
    /// Bytes of disk held ready for removals, should others fill the disk.
    pub ballast_bytes: u64,
    /// Read transactions at one time.
    pub max_readers: u32,
    /// Removals that [`Store::changes`] remembers at most.
    pub removal_log_entries: u64,
}

impl Default for LmdbOptions {
    fn default() -> Self {
        LmdbOptions {
            quota_bytes: 64 << 30,
            reserve_bytes: None,
            ballast_bytes: 32 << 20,
            max_readers: 126,
            removal_log_entries: 1 << 20,
        }
    }
}

impl LmdbOptions {
    fn reserve_bytes(&self) -> u64 {
        self.reserve_bytes
            .unwrap_or_else(|| (64 << 20).max(self.quota_bytes / 50))
    }
}

impl LmdbStore {
    /// Opens a directory, and makes it where it is missing. Only one process, and one store in it, has it open at a time.
    pub fn open(path: impl AsRef<Path>, options: LmdbOptions) -> Result<LmdbStore, StoreError> {
        Ok(Self::open_directory(path.as_ref(), &options)?)
    }

    fn open_directory(path: &Path, options: &LmdbOptions) -> fault::Result<LmdbStore> {
        let lock = opening::lock(path)?;
        let env = opening::environment(path, options)?;
        let tables = tables::Tables::open(&env)?;
        let hash = keys::KeyedHash::new(meta::prepare(&env, &tables)?);
        let room = room::Room::new(&env, path, options.quota_bytes, options.ballast_bytes)?;
        opening::sync_names(path)?;
        Ok(LmdbStore {
            env,
            tables,
            hash,
            room,
            removal_log_entries: options.removal_log_entries,
            _lock: lock,
        })
    }

    /// Verifies every index both ways. Takes one read transaction for as long as it needs, so the file grows meanwhile.
    pub fn check(&self) -> Result<CheckReport, StoreError> {
        Ok(check::check(&self.env, &self.tables)?)
    }
}

impl Store for LmdbStore {
    fn commit(
        &self,
        batch: &[Write],
        policy: &dyn CommitPolicy,
        now: u64,
    ) -> Result<Vec<Outcome>, StoreError> {
        self.commit_batch(batch, policy, now)
    }

    fn contains(&self, id: &EventId) -> Result<bool, StoreError> {
        Ok(scan::contains(self, id.as_bytes())?)
    }

    fn scan(&self, scan: &Scan<'_>) -> Result<Page, StoreError> {
        Ok(scan::page(self, scan)?)
    }

    fn count_authors(
        &self,
        scan: &Scan<'_>,
        each: &mut dyn FnMut(&PublicKey),
    ) -> Result<CountPage, StoreError> {
        Ok(scan::count(self, scan, each)?)
    }

    fn positions(&self, scan: &Scan<'_>) -> Result<PositionPage, StoreError> {
        Ok(scan::positions(self, scan)?)
    }

    fn expired(&self, now: u64, max: usize) -> Result<Vec<EventId>, StoreError> {
        Ok(scan::expired(self, now, max)?)
    }

    fn last_row(&self) -> Result<u64, StoreError> {
        let read = || meta::last_row(&self.env.begin_ro_txn()?, &self.tables);
        Ok(read()?)
    }

    fn changes(&self, after: u64, max: usize) -> Result<Changes, StoreError> {
        Ok(changes::changes(&self.env, &self.tables, after, max)?)
    }

    fn kv_get(&self, extension: &str, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let read = || kv::get(&self.env.begin_ro_txn()?, &self.tables, extension, key);
        Ok(read()?)
    }

    fn kv_scan(
        &self,
        extension: &str,
        prefix: &[u8],
        after: Option<&[u8]>,
        max: usize,
    ) -> Result<Vec<KvRow>, StoreError> {
        let read = || {
            let txn = self.env.begin_ro_txn()?;
            kv::scan(&txn, &self.tables, extension, prefix, after, max)
        };
        Ok(read()?)
    }

    fn stats(&self) -> Result<StoreStats, StoreError> {
        // Anybody may ask for health at any time, so this costs a look at each table's root and waits for no commit.
        let read = || {
            let txn = self.env.begin_ro_txn()?;
            let pages = self.tables.used_pages(&self.env, &txn)?;
            let used_bytes = pages * self.room.page_bytes();
            Ok::<_, fault::Fault>(StoreStats {
                events: self.tables.entries(&txn, tables::Table::Id)?,
                used_bytes,
                quota_bytes: self.room.quota_bytes(),
                full: self.room.looks_full(&self.env, used_bytes)?,
            })
        };
        Ok(read()?)
    }
}
