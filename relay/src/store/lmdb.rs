//! Events in LMDB: one memory-mapped file, many readers, one writer.
//!
//! A commit is decided first and written after: `plan` reads, guards and hooks have their say, `overlay` holds what was
//! decided, `apply` writes it in the order of keys; `newest` keeps the last changes for those who follow. A page of a scan merges `lanes` of one index. `tables` and `keys` give
//! the layout, `record` an event's own bytes. The crate `lmdb` is named in this module alone.
//!
//! Invariant: an index entry exists exactly where [`LmdbStore::check`] says it should, and a commit that returned is on
//! the disk. What retention removes is decided elsewhere.

use super::{
    Changes, CheckReport, CommitPolicy, CompactReport, CountPage, EntriesOf, Entry, EntryPage,
    EntryPlace, FoundPage, KvRow, LentPage, Outcome, Page, Position, PositionPage, PutBack, Scan,
    Store, StoreError, StoreStats, Vanishing, Watch, Write,
};
use crate::event::{EventId, PublicKey};
use crate::kinds::Kinds;
use mapped::Mapped;

pub use looking::StoreGlance;
pub use meta::Migration;
use std::fs::File;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, TryLockError};
use std::time::{Duration, Instant};

mod apply;
mod backup;
mod ballast;
mod batch;
mod changes;
mod check;
mod commit;
mod compact;
mod cursor;
mod entries;
mod fault;
mod fullness;
mod hex_runs;
mod index;
mod keys;
mod kv;
mod lanes;
mod looking;
mod mapped;
mod matches;
mod meta;
mod moving;
mod newest;
mod opening;
mod overlay;
mod plan;
mod putting_back;
mod record;
mod records;
mod removals;
mod room;
mod scan;
mod tables;
#[cfg(test)]
mod tests;
mod vanishing;

/// A directory with events.
#[derive(Debug)]
pub struct LmdbStore {
    /// Read for a page or a commit, written when a compaction puts another file in place.
    mapped: RwLock<Result<Mapped, Closed>>,
    /// Held by a commit and by a compaction. Taken before `mapped`.
    writing: Mutex<()>,
    /// Held by a check and by a compaction, which would wait for it.
    upkeep: Mutex<()>,
    directory: PathBuf,
    options: LmdbOptions,
    migration: Option<Migration>,
    /// Released after the environment is closed.
    _lock: File,
}

/// What stands for the file that could not be opened after a compaction.
#[derive(Debug)]
struct Closed {
    /// When it was last tried.
    tried: Instant,
    problem: String,
}

impl Closed {
    /// So long after a try the next one may follow.
    const REST: Duration = Duration::from_secs(1);

    fn now(problem: String) -> Self {
        let tried = Instant::now();
        Closed { tried, problem }
    }

    fn error(&self) -> StoreError {
        StoreError::Unavailable(format!(
            "its file could not be opened again after a compaction ({}); this is tried every second, and if it does \
             not help to mend the cause, start the relay again",
            self.problem
        ))
    }
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
        compact::discard(path)?;
        let mapped = Mapped::open(path, options)?;
        opening::sync_names(path)?;
        Ok(LmdbStore {
            migration: mapped.migration,
            mapped: RwLock::new(Ok(mapped)),
            writing: Mutex::default(),
            upkeep: Mutex::default(),
            directory: path.to_owned(),
            options: options.clone(),
            _lock: lock,
        })
    }

    /// What opening it made of a directory that an earlier version wrote: for those who keep no log.
    pub fn migration(&self) -> Option<Migration> {
        self.migration
    }

    /// Verifies every index both ways. Takes one read transaction for as long as it needs, so the file grows meanwhile.
    pub fn check(&self) -> Result<CheckReport, StoreError> {
        self.inspect(false, &mut |_| ControlFlow::Continue(()))
    }

    fn read<T>(&self, read: impl FnOnce(&Mapped) -> fault::Result<T>) -> Result<T, StoreError> {
        let mut mapped = self.mapped.read().unwrap_or_else(PoisonError::into_inner);
        if mapped.is_err() {
            drop(mapped);
            self.reopen();
            mapped = self.mapped.read().unwrap_or_else(PoisonError::into_inner);
        }
        match &*mapped {
            Ok(mapped) => Ok(read(mapped)?),
            Err(closed) => Err(closed.error()),
        }
    }

    /// What kept the file from being opened, file handles or memory perhaps, may have passed.
    fn reopen(&self) {
        let mut mapped = self.mapped.write().unwrap_or_else(PoisonError::into_inner);
        if let Err(closed) = &*mapped
            && closed.tried.elapsed() >= Closed::REST
        {
            *mapped = self.open_again();
            if mapped.is_ok() {
                tracing::info!("the database is open again");
            }
        }
    }

    fn open_again(&self) -> Result<Mapped, Closed> {
        Mapped::open(&self.directory, &self.options)
            .map_err(|fault| Closed::now(StoreError::from(fault).to_string()))
    }

    fn begin_upkeep(&self) -> Result<MutexGuard<'_, ()>, StoreError> {
        match self.upkeep.try_lock() {
            Ok(guard) => Ok(guard),
            Err(TryLockError::Poisoned(poisoned)) => Ok(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => Err(StoreError::Unavailable(
                "a check or a compaction is running".to_owned(),
            )),
        }
    }

    /// Puts the compacted file in the place of the one that is open, once nobody reads. Commits must be held up.
    fn swap(&self) -> fault::Result<()> {
        let mut mapped = self.mapped.write().unwrap_or_else(PoisonError::into_inner);
        // LMDB must not have one file open twice, and its lock file belongs to the path: close, then rename, then open.
        *mapped = Err(Closed::now("it is being replaced".to_owned()));
        let put = compact::put_in_place(&self.directory);
        *mapped = self.open_again();
        if let Err(closed) = &*mapped {
            let error = closed.error();
            tracing::error!(%error, "nothing can be read or stored");
            return Err(error.into());
        }
        put
    }
}

impl Store for LmdbStore {
    fn commit(
        &self,
        batch: &[Write],
        policy: &dyn CommitPolicy,
        now: u64,
    ) -> Result<Vec<Outcome>, StoreError> {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        self.read(|mapped| Ok(mapped.commit_batch(batch, policy, now)?))
    }

    fn contains(&self, id: &EventId) -> Result<bool, StoreError> {
        self.read(|mapped| scan::contains(mapped, id.as_bytes()))
    }

    fn scan(&self, scan: &Scan<'_>) -> Result<Page, StoreError> {
        self.read(|mapped| scan::page(mapped, scan))
    }

    fn lend(&self, scan: &Scan<'_>) -> Result<LentPage, StoreError> {
        self.read(|mapped| scan::lend(mapped, scan))
    }

    fn count_authors(
        &self,
        scan: &Scan<'_>,
        each: &mut dyn FnMut(&PublicKey),
    ) -> Result<CountPage, StoreError> {
        self.read(|mapped| scan::count(mapped, scan, each))
    }

    fn positions(&self, scan: &Scan<'_>) -> Result<PositionPage, StoreError> {
        self.read(|mapped| scan::positions(mapped, scan))
    }

    fn find(&self, scan: &Scan<'_>, whole: &Kinds) -> Result<FoundPage, StoreError> {
        self.read(|mapped| scan::find(mapped, scan, whole))
    }

    fn positions_to_remove(&self, scan: &Scan<'_>) -> Result<PositionPage, StoreError> {
        self.read(|mapped| scan::positions_to_remove(mapped, scan))
    }

    fn expired(&self, now: u64, max: usize) -> Result<Vec<EventId>, StoreError> {
        self.read(|mapped| scan::expired(mapped, now, max))
    }

    fn vanishings(&self, max: usize) -> Result<Vec<Vanishing>, StoreError> {
        self.read(|mapped| vanishing::vanishings(mapped, max))
    }

    fn vanishing_positions(
        &self,
        vanishing: &Vanishing,
        resume: Option<Position>,
        max: usize,
    ) -> Result<PositionPage, StoreError> {
        self.read(|mapped| vanishing::vanishing_positions(mapped, vanishing, resume, max))
    }

    fn authors(&self, after: Option<&PublicKey>, max: usize) -> Result<Vec<PublicKey>, StoreError> {
        self.read(|mapped| scan::authors(mapped, after, max))
    }

    fn last_row(&self) -> Result<u64, StoreError> {
        self.read(|mapped| meta::last_row(&mapped.env.begin_ro_txn()?, &mapped.tables))
    }

    fn changes(&self, after: u64, max: usize) -> Result<Changes, StoreError> {
        self.read(|mapped| match mapped.newest.changes(after, max) {
            Some(changes) => Ok(changes),
            None => changes::changes(&mapped.env.begin_ro_txn()?, &mapped.tables, after, max),
        })
    }

    fn kv_get(&self, extension: &str, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(|mapped| {
            let txn = mapped.env.begin_ro_txn()?;
            kv::get(&txn, &mapped.tables, extension, key)
        })
    }

    fn kv_scan(
        &self,
        extension: &str,
        prefix: &[u8],
        after: Option<&[u8]>,
        max: usize,
    ) -> Result<Vec<KvRow>, StoreError> {
        self.read(|mapped| {
            let txn = mapped.env.begin_ro_txn()?;
            kv::scan(&txn, &mapped.tables, extension, prefix, after, max)
        })
    }

    fn changes_with(
        &self,
        after: u64,
        max: usize,
        of: &[EntriesOf],
    ) -> Result<(Changes, Vec<Entry>), StoreError> {
        self.read(|mapped| backup::changes_with(mapped, after, max, of))
    }

    fn entries(&self, after: Option<&EntryPlace>, max: usize) -> Result<EntryPage, StoreError> {
        self.read(|mapped| backup::entries(mapped, after, max))
    }

    fn put_back(&self, batch: &[PutBack]) -> Result<(), StoreError> {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        self.read(|mapped| putting_back::put_back(mapped, batch))
    }

    fn stats(&self) -> Result<StoreStats, StoreError> {
        self.read(Mapped::stats)
    }

    fn inspect(&self, verify_ids: bool, watch: Watch<'_>) -> Result<CheckReport, StoreError> {
        let _upkeep = self.begin_upkeep()?;
        self.read(|mapped| check::check(&mapped.env, &mapped.tables, verify_ids, watch))
    }

    fn compact(&self, watch: Watch<'_>) -> Result<CompactReport, StoreError> {
        let _upkeep = self.begin_upkeep()?;
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let report = self.read(|mapped| compact::copy(mapped, &self.directory, watch));
        if report.is_ok() {
            self.swap()?;
        }
        let discarded = compact::discard(&self.directory);
        let report = report?;
        discarded?;
        Ok(report)
    }
}
