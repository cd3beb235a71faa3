//! What the tests of the backup stand on: stores, a place, a clock, and what a store tells of itself.

#![allow(clippy::unwrap_used)]

mod beginnings;
mod histories;
mod lineages;
mod placed;
mod retention;
mod segments;

use super::keeps::Keeps;
use super::noted::Noted;
use super::opening::{Opening, Start};
use super::plan::{self, Found};
use super::restoring;
use super::shipping::Shipper;
use super::target::Target;
use super::{BackupError, names, pruning};
use crate::clock::{Clock, FakeClock};
use crate::config::Backup;
use crate::event::{Event, EventParts, PublicKey, escape_into};
use crate::reason::Reason;
use crate::store::lmdb::{LmdbOptions, LmdbStore};
use crate::store::memory::MemoryStore;
use crate::store::{Cause, Change, CommitPolicy, Entry, KvWrites, NoPolicy, Store, TxnRead, Write};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

const NOW_S: u64 = 1_800_000_000;

/// Writes a row with each event, vetoes some, keeps others.
struct Opinions;

impl CommitPolicy for Opinions {
    fn wants_commit(&self, kind: u16) -> bool {
        kind != 7
    }
    fn on_commit(
        &self,
        event: &Event,
        _removes: &[Arc<Event>],
        txn: &dyn TxnRead,
    ) -> Result<KvWrites, Reason> {
        if event.content() == "veto" {
            return Err(Reason::blocked("vetoed"));
        }
        let key = event.kind().to_be_bytes().to_vec();
        let mut value = txn.kv_get("opinions", &key).unwrap().unwrap_or_default();
        value.push(event.id().as_bytes()[0]);
        let value = (value.len() < 4).then_some(value);
        Ok(KvWrites::from([(("opinions".to_owned(), key), value)]))
    }
    fn guards_removal(&self, _kind: u16) -> bool {
        true
    }
    fn may_remove(&self, event: &Event, _cause: Cause) -> bool {
        event.content() != "keep"
    }
}

fn pubkey(n: u8) -> PublicKey {
    PublicKey::from_byte_array([n + 1; 32])
}

fn event(
    author: u8,
    kind: u16,
    created_at: u64,
    tags: &[Vec<String>],
    content: &str,
) -> Arc<Event> {
    let tags_json = serde_json::to_string(tags).unwrap();
    let mut content_json = Vec::new();
    escape_into(&mut content_json, content);
    let of = |id: [u8; 32]| {
        EventParts {
            id: &id,
            pubkey: pubkey(author).as_bytes(),
            created_at,
            kind,
            tags_json: &tags_json,
            content_json: std::str::from_utf8(&content_json).unwrap(),
            sig: &[7; 64],
        }
        .assemble()
    };
    Arc::new(of(of([0; 32]).computed_id()))
}

/// A store, and what belongs to it.
struct Ground {
    home: TempDir,
    clock: Arc<FakeClock>,
    config: Backup,
    stores: std::cell::Cell<u32>,
}

impl Ground {
    fn new() -> Self {
        let home = TempDir::new().unwrap();
        let url = format!("file://{}", home.path().join("copies").display());
        Ground {
            config: Backup {
                url,
                interval: crate::config::TimeSpan::from_millis(0),
                ..Backup::default()
            },
            home,
            clock: Arc::new(FakeClock::at_s(NOW_S)),
            stores: std::cell::Cell::new(0),
        }
    }

    fn store(&self, is_lmdb: bool) -> Arc<dyn Store> {
        if !is_lmdb {
            return Arc::new(MemoryStore::default());
        }
        let number = self.stores.get();
        self.stores.set(number + 1);
        let options = LmdbOptions {
            quota_bytes: 1 << 28,
            ballast_bytes: 1 << 16,
            ..LmdbOptions::default()
        };
        let path = self.home.path().join(number.to_string());
        Arc::new(LmdbStore::open(path, options).unwrap())
    }

    fn open(&self, store: &dyn Store) -> Result<Start, BackupError> {
        let opening = Opening {
            config: &self.config,
            clock: &*self.clock,
            takes_over: false,
            may_claim_later: false,
            started_at_row: None,
            note: None,
        };
        opening.open(store, &|_| {})
    }

    fn shipper(&self, store: &Arc<dyn Store>, noted: &Arc<Noted>) -> Shipper {
        let opened = match self.open(&**store).unwrap() {
            Start::Ready(opened) => *opened,
            Start::Restore(_) => panic!("nothing to restore"),
        };
        Shipper::new(
            opened,
            store.clone(),
            noted.clone(),
            self.clock.clone(),
            keeps(),
        )
    }

    /// A new store in memory, what is noted of it, and who writes it to its place.
    fn writing(&self) -> (Arc<dyn Store>, Arc<Noted>, Shipper) {
        let (store, noted) = (self.store(false), Arc::new(Noted::new(1 << 20)));
        let shipper = self.shipper(&store, &noted);
        (store, noted, shipper)
    }

    /// What is there, put into another store: up to a time, or all of it.
    fn restored(&self, is_lmdb: bool, until_ms: Option<u64>) -> Arc<dyn Store> {
        let target = Target::open(&self.config.url).unwrap();
        let head = target.head().unwrap().unwrap();
        let history = target.history(&head.lineage).unwrap();
        let plan = match plan::find(&target, &history, until_ms).unwrap() {
            Found::Plan(plan) => plan,
            other => panic!("{other:?}"),
        };
        let store = self.store(is_lmdb);
        restoring::run(&target, &plan, &*store, &mut |_| {}).unwrap();
        store
    }
}

fn keeps() -> Keeps {
    Keeps::by(|space, key| space != "passing" || !key.starts_with(&[1]))
}

/// All that a store tells of itself: its last row, its changes, its entries.
fn told(store: &dyn Store) -> (u64, Vec<Change>, Vec<Entry>) {
    let changes = store.changes(0, usize::MAX).unwrap().changes;
    let stored = |change: &Change| matches!(change, Change::Stored(_));
    let changes = changes.into_iter().filter(stored).collect();
    let mut entries = Vec::new();
    let mut after = None;
    loop {
        let page = store.entries(after.as_ref(), 64).unwrap();
        entries.extend(page.entries);
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    entries.retain(|entry| keeps().entry(entry));
    entries.sort();
    (store.last_row().unwrap(), changes, entries)
}

fn assert_sound(store: &dyn Store) {
    let report = store
        .inspect(true, &mut |_| std::ops::ControlFlow::Continue(()))
        .unwrap();
    assert!(report.is_sound(), "{:?}", report.problems);
}

fn commit(store: &dyn Store, noted: &Noted, batch: &[Write]) {
    noted
        .around(batch, &Opinions, |policy| {
            store.commit(batch, policy, NOW_S)
        })
        .unwrap();
}

/// Copies everything anew, with nobody else writing.
fn snapshot(shipper: &mut Shipper) {
    shipper.ship().unwrap();
    shipper.begin_snapshot();
    while !shipper.is_copied() {
        shipper.copy_some().unwrap();
    }
    shipper.end_snapshot().unwrap();
}

/// A small event, the same for the same number.
fn note(number: u64) -> Arc<Event> {
    event(0, 1, number, &[], "")
}
