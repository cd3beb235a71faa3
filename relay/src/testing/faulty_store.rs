//! A store that fails when it is told to, before one that works.

use super::Faults;
use crate::event::{EventId, PublicKey};
use crate::kinds::Kinds;
use crate::store::{
    Changes, CheckReport, CommitPolicy, CompactReport, CountPage, EntriesOf, Entry, EntryPage,
    EntryPlace, FoundPage, KvRow, Outcome, Page, Position, PositionPage, PutBack, Scan, Store,
    StoreError, StoreStats, Vanishing, Watch, Write,
};
use std::sync::Arc;

/// Any store, and [`Faults`] that decide before each call whether it comes to it. A [`TestRelay`](super::TestRelay) has one
/// already; this is for tests that build a relay's parts themselves.
///
/// ```
/// use std::sync::Arc;
/// use trellis_relay::store::{Store, memory::MemoryStore};
/// use trellis_relay::testing::{Failure, FaultyStore};
/// let store = FaultyStore::over(Arc::new(MemoryStore::default()));
/// store.faults().fail_reads(Failure::Unavailable);
/// assert!(store.last_row().is_err());
/// store.faults().heal();
/// assert_eq!(store.last_row()?, 0);
/// # Ok::<(), trellis_relay::store::StoreError>(())
/// ```
pub struct FaultyStore {
    store: Arc<dyn Store>,
    faults: Faults,
}

impl FaultyStore {
    /// One that works as this store does, until it is told otherwise.
    pub fn over(store: Arc<dyn Store>) -> Self {
        Self::with_faults(store, Faults::default())
    }

    pub(super) fn with_faults(store: Arc<dyn Store>, faults: Faults) -> Self {
        FaultyStore { store, faults }
    }

    /// What it is told.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }
}

impl std::fmt::Debug for FaultyStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "FaultyStore({:?})", self.faults)
    }
}

impl Store for FaultyStore {
    fn commit(
        &self,
        batch: &[Write],
        policy: &dyn CommitPolicy,
        now: u64,
    ) -> Result<Vec<Outcome>, StoreError> {
        self.faults.before_commit(batch)?;
        let outcomes = self.store.commit(batch, policy, now)?;
        self.faults.after_commit(batch);
        Ok(outcomes)
    }

    fn contains(&self, id: &EventId) -> Result<bool, StoreError> {
        self.faults.before_read()?;
        self.store.contains(id)
    }

    fn scan(&self, scan: &Scan<'_>) -> Result<Page, StoreError> {
        self.faults.before_query()?;
        self.store.scan(scan)
    }

    fn count_authors(
        &self,
        scan: &Scan<'_>,
        each: &mut dyn FnMut(&PublicKey),
    ) -> Result<CountPage, StoreError> {
        self.faults.before_query()?;
        self.store.count_authors(scan, each)
    }

    fn positions(&self, scan: &Scan<'_>) -> Result<PositionPage, StoreError> {
        self.faults.before_query()?;
        self.store.positions(scan)
    }

    fn find(&self, scan: &Scan<'_>, whole: &Kinds) -> Result<FoundPage, StoreError> {
        self.faults.before_query()?;
        self.store.find(scan, whole)
    }

    fn positions_to_remove(&self, scan: &Scan<'_>) -> Result<PositionPage, StoreError> {
        self.faults.before_read()?;
        self.store.positions_to_remove(scan)
    }

    fn expired(&self, now: u64, max: usize) -> Result<Vec<EventId>, StoreError> {
        self.faults.before_read()?;
        self.store.expired(now, max)
    }

    fn vanishings(&self, max: usize) -> Result<Vec<Vanishing>, StoreError> {
        self.faults.before_read()?;
        self.store.vanishings(max)
    }

    fn vanishing_positions(
        &self,
        vanishing: &Vanishing,
        resume: Option<Position>,
        max: usize,
    ) -> Result<PositionPage, StoreError> {
        self.faults.before_read()?;
        self.store.vanishing_positions(vanishing, resume, max)
    }

    fn authors(&self, after: Option<&PublicKey>, max: usize) -> Result<Vec<PublicKey>, StoreError> {
        self.faults.before_read()?;
        self.store.authors(after, max)
    }

    fn last_row(&self) -> Result<u64, StoreError> {
        self.faults.before_read()?;
        self.store.last_row()
    }

    fn changes(&self, after: u64, max: usize) -> Result<Changes, StoreError> {
        self.faults.before_read()?;
        self.store.changes(after, max)
    }

    fn kv_get(&self, extension: &str, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.faults.before_read()?;
        self.store.kv_get(extension, key)
    }

    fn kv_scan(
        &self,
        extension: &str,
        prefix: &[u8],
        after: Option<&[u8]>,
        max: usize,
    ) -> Result<Vec<KvRow>, StoreError> {
        self.faults.before_read()?;
        self.store.kv_scan(extension, prefix, after, max)
    }

    fn changes_with(
        &self,
        after: u64,
        max: usize,
        of: &[EntriesOf],
    ) -> Result<(Changes, Vec<Entry>), StoreError> {
        self.faults.before_read()?;
        self.store.changes_with(after, max, of)
    }

    fn entries(&self, after: Option<&EntryPlace>, max: usize) -> Result<EntryPage, StoreError> {
        self.faults.before_read()?;
        self.store.entries(after, max)
    }

    fn put_back(&self, batch: &[PutBack]) -> Result<(), StoreError> {
        self.faults.before_commit(&[])?;
        self.store.put_back(batch)
    }

    fn stats(&self) -> Result<StoreStats, StoreError> {
        self.faults.before_read()?;
        self.store.stats()
    }

    fn inspect(&self, verify_ids: bool, watch: Watch<'_>) -> Result<CheckReport, StoreError> {
        self.faults.before_read()?;
        self.store.inspect(verify_ids, watch)
    }

    fn compact(&self, watch: Watch<'_>) -> Result<CompactReport, StoreError> {
        self.faults.before_read()?;
        self.store.compact(watch)
    }
}
