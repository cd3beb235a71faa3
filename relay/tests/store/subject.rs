//! The store under test, and short ways to ask it.

use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use trellis_relay::event::{Event, EventId, PublicKey};
use trellis_relay::filter::{Filter, FilterLimits};
use trellis_relay::store::lmdb::{LmdbOptions, LmdbStore};
use trellis_relay::store::memory::MemoryStore;
use trellis_relay::store::{
    Budget, Cause, CommitPolicy, NoPolicy, Order, Outcome, Scan, Store, Stored, Write,
};

/// Before every expiration and after every `created_at` that the tests use without saying so.
pub(crate) const NOW: u64 = 1_800_000_000;

pub(crate) const PLENTY: Budget = Budget {
    events: usize::MAX,
    entries: usize::MAX,
    bytes: usize::MAX,
    time: Duration::from_secs(3600),
};

/// A store, empty at first.
pub(crate) struct Subject {
    pub(crate) store: Arc<dyn Store>,
    /// Deleted after the store is closed.
    _directory: Option<TempDir>,
}

impl Subject {
    pub(crate) fn memory() -> Self {
        Self::memory_with_removal_log(usize::MAX)
    }

    /// As [`Subject::memory`], with a short log of removals.
    pub(crate) fn memory_with_removal_log(entries: usize) -> Self {
        Subject {
            store: Arc::new(MemoryStore::with_removal_log(entries)),
            _directory: None,
        }
    }

    pub(crate) fn lmdb() -> Self {
        Self::lmdb_with(small_options())
    }

    pub(crate) fn lmdb_with(options: LmdbOptions) -> Self {
        let directory = TempDir::new().unwrap();
        Subject {
            store: Arc::new(LmdbStore::open(directory.path(), options).unwrap()),
            _directory: Some(directory),
        }
    }

    pub(crate) fn commit_with(&self, batch: &[Write], policy: &dyn CommitPolicy) -> Vec<Outcome> {
        self.store.commit(batch, policy, NOW).unwrap()
    }

    pub(crate) fn put(&self, event: &Arc<Event>) -> Outcome {
        self.put_with(event, &NoPolicy)
    }

    pub(crate) fn put_with(&self, event: &Arc<Event>, policy: &dyn CommitPolicy) -> Outcome {
        self.commit_with(&[Write::Put(event.clone())], policy)
            .remove(0)
    }

    /// Stores an event that must be welcome, and gives its row.
    pub(crate) fn stored(&self, event: &Arc<Event>) -> u64 {
        row(&self.put(event))
    }

    pub(crate) fn remove(&self, event: &Event, cause: Cause) -> Outcome {
        self.commit_with(&[Write::Remove(*event.id(), cause)], &NoPolicy)
            .remove(0)
    }

    pub(crate) fn has(&self, event: &Event) -> bool {
        self.store.contains(event.id()).unwrap()
    }

    /// Everything a filter's JSON asks for, newest first.
    pub(crate) fn query(&self, filter: &str) -> Vec<EventId> {
        self.query_by(filter, Order::NewestFirst)
    }

    pub(crate) fn query_by(&self, filter: &str, order: Order) -> Vec<EventId> {
        let filter = Filter::parse(filter, &FilterLimits::default()).unwrap();
        let mut scan = scan_of(&filter);
        scan.order = order;
        ids(&self.pages(&scan))
    }

    pub(crate) fn count(&self, filter: &str) -> u64 {
        let filter = Filter::parse(filter, &FilterLimits::default()).unwrap();
        self.count_pages(&scan_of(&filter))
    }

    /// All pages of a scan.
    pub(crate) fn pages(&self, scan: &Scan<'_>) -> Vec<Stored> {
        let mut scan = scan.clone();
        let mut events = Vec::new();
        loop {
            let page = self.store.scan(&scan).unwrap();
            events.extend(page.events);
            match page.next {
                Some(next) => {
                    assert_ne!(scan.resume, Some(next), "a page made no progress");
                    scan.resume = Some(next);
                }
                None => return events,
            }
        }
    }

    pub(crate) fn count_pages(&self, scan: &Scan<'_>) -> u64 {
        let events = self.pages(scan);
        let mut scan = scan.clone();
        let (mut count, mut authors) = (0, Vec::new());
        loop {
            let mut note = |author: &PublicKey| authors.push(*author);
            let page = self.store.count_authors(&scan, &mut note).unwrap();
            count += page.count;
            match page.next {
                Some(next) => {
                    assert_ne!(scan.resume, Some(next), "a page made no progress");
                    scan.resume = Some(next);
                }
                None => break,
            }
        }
        let expected = events.iter().map(|stored| *stored.event.pubkey());
        assert_eq!(authors, expected.collect::<Vec<_>>());
        count
    }
}

/// Enough for any test but those of fullness.
pub(crate) fn small_options() -> LmdbOptions {
    LmdbOptions {
        quota_bytes: 1 << 30,
        ballast_bytes: 1 << 16,
        ..LmdbOptions::default()
    }
}

pub(crate) fn scan_of(filter: &Filter) -> Scan<'_> {
    Scan {
        filter,
        order: Order::NewestFirst,
        resume: None,
        max_row: u64::MAX,
        now: NOW,
        budget: PLENTY,
    }
}

pub(crate) fn row(outcome: &Outcome) -> u64 {
    match outcome {
        Outcome::Stored(stored) => stored.row,
        other => panic!("not stored but {other:?}"),
    }
}

pub(crate) fn ids(events: &[Stored]) -> Vec<EventId> {
    events.iter().map(|stored| *stored.event.id()).collect()
}

pub(crate) fn ids_of(events: &[&Arc<Event>]) -> Vec<EventId> {
    events.iter().map(|event| *event.id()).collect()
}

/// Makes a test of each rule for every store.
macro_rules! for_every_store {
    ($($rule:ident),+ $(,)?) => {
        mod memory {
            $(#[test] fn $rule() { super::$rule(&crate::subject::Subject::memory()); })+
        }
        mod lmdb {
            $(#[test] fn $rule() { super::$rule(&crate::subject::Subject::lmdb()); })+
        }
    };
}
pub(crate) use for_every_store;
