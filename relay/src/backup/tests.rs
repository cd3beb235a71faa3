//! Random histories, copied at random moments, come back as they were: events, rows, tombstones, entries, removals.

#![allow(clippy::unwrap_used)]

mod lineages;
use super::keeps::{Keeps, SPACE};
use super::noted::Noted;
use super::opening::{Opening, Start};
use super::plan::{self, Found};
use super::restoring;
use super::shipping::Shipper;
use super::target::Target;
use super::{BackupError, names, pruning};
use crate::clock::{Clock, FakeClock};
use crate::config::Backup;
use crate::event::{Event, EventId, EventParts, PublicKey, escape_into};
use crate::reason::Reason;
use crate::store::lmdb::{LmdbOptions, LmdbStore};
use crate::store::memory::MemoryStore;
use crate::store::{
    Cause, Change, CommitPolicy, Entry, KvWrites, NoPolicy, Store, TxnRead, Vanishing, Write,
};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

const KINDS: [u16; 9] = [0, 1, 1, 5, 5, 62, 1_059, 10_002, 30_023];
const AUTHORS: u8 = 4;
const SECONDS: u64 = 12;
const NOW_S: u64 = 1_800_000_000;
const CAUSES: [Cause; 3] = [Cause::Admin, Cause::Expiry, Cause::Retention];

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

struct World {
    random: StdRng,
    known: Vec<Arc<Event>>,
}

impl World {
    fn seeded(seed: u64) -> Self {
        World {
            random: StdRng::seed_from_u64(seed),
            known: Vec::new(),
        }
    }

    fn batch(&mut self) -> Vec<Write> {
        let writes = self.random.random_range(1..12);
        (0..writes).map(|_| self.write()).collect()
    }

    fn write(&mut self) -> Write {
        match self.random.random_range(0..20) {
            0 | 1 => Write::Remove(self.id(), *CAUSES.choose(&mut self.random).unwrap()),
            2..=4 => Write::Kv {
                extension: ["a", "b", "passing", SPACE]
                    .choose(&mut self.random)
                    .unwrap()
                    .to_string(),
                key: vec![self.random.random_range(0..5); self.random.random_range(0..3)],
                value: self
                    .random
                    .random_bool(0.6)
                    .then(|| vec![self.random.random(), 2]),
            },
            5 => Write::EndVanishing(Vanishing {
                pubkey: pubkey(self.random.random_range(0..AUTHORS)),
                until: self.second(),
            }),
            6 => {
                let event = self.event(62);
                Write::Vanish(event)
            }
            8 => Write::Append {
                space: "grows".to_owned(),
                entry: vec![self.random.random()],
                even_if_full: true,
            },
            7 if !self.known.is_empty() => {
                Write::Put(self.known.choose(&mut self.random).unwrap().clone())
            }
            _ => {
                let kind = *KINDS.choose(&mut self.random).unwrap();
                Write::Put(self.event(kind))
            }
        }
    }

    fn event(&mut self, kind: u16) -> Arc<Event> {
        let mut tags = Vec::new();
        if kind == 5 {
            for _ in 0..self.random.random_range(1..4) {
                tags.push(vec!["e".to_owned(), self.id().to_hex()]);
                let author = pubkey(self.random.random_range(0..AUTHORS)).to_hex();
                let address = ["0", "30023"].choose(&mut self.random).unwrap();
                let d = ["", "x", "d \"y\""].choose(&mut self.random).unwrap();
                tags.push(vec!["a".to_owned(), format!("{address}:{author}:{d}")]);
            }
        }
        if kind == 30_023 {
            let d = ["", "x", "d \"y\""].choose(&mut self.random).unwrap();
            tags.push(vec!["d".to_owned(), (*d).to_owned()]);
        }
        if self.random.random_bool(0.1) {
            tags.push(vec!["expiration".to_owned(), (NOW_S + 9).to_string()]);
        }
        let content = match self.random.random_range(0..9) {
            0 => "veto".to_owned(),
            1 => "keep".to_owned(),
            2 => "x".repeat(self.random.random_range(0..4_000)),
            n => n.to_string(),
        };
        let author = self.random.random_range(0..AUTHORS);
        let event = event(author, kind, self.second(), &tags, &content);
        self.known.push(event.clone());
        event
    }

    fn second(&mut self) -> u64 {
        1_700_000_000 + self.random.random_range(0..SECONDS)
    }

    fn id(&mut self) -> EventId {
        match self.known.choose(&mut self.random) {
            Some(event) => *event.id(),
            None => EventId::from_byte_array(self.random.random()),
        }
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
        let page = store.entries(after.as_ref(), 3).unwrap();
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

fn history(seed: u64, is_lmdb: bool) {
    let ground = Ground::new();
    let mut world = World::seeded(seed);
    let store = ground.store(is_lmdb);
    let noted = Arc::new(Noted::new(1 << 12));
    for _ in 0..world.random.random_range(0..10) {
        // Before there was a backup.
        store.commit(&world.batch(), &Opinions, NOW_S).unwrap();
    }
    let mut shipper = ground.shipper(&store, &noted);
    let mut points = Vec::new();
    let mut has_snapshot = false;
    for _ in 0..60 {
        match world.random.random_range(0..9) {
            0..5 => {
                ground.clock.advance(Duration::from_millis(1));
                commit(&*store, &noted, &world.batch());
            }
            5 | 6 => {
                ground.clock.advance(Duration::from_millis(10));
                shipper.ship().unwrap();
                if has_snapshot {
                    points.push((ground.clock.now_ms(), told(&*store)));
                }
            }
            7 if !shipper.is_copying() => {
                shipper.ship().unwrap();
                shipper.begin_snapshot();
            }
            7 if shipper.is_copied() => {
                ground.clock.advance(Duration::from_millis(10));
                shipper.end_snapshot().unwrap();
                has_snapshot = true;
            }
            7 => {
                shipper.copy_some().unwrap();
            }
            _ => {
                // A crash: what was not brought away is still in the store, and what was noted is lost.
                let _ = noted.take();
                shipper = ground.shipper(&store, &noted);
                shipper.ship().unwrap();
            }
        }
    }
    ground.clock.advance(Duration::from_millis(10));
    shipper.ship().unwrap();
    shipper.begin_snapshot();
    while !shipper.is_copied() {
        shipper.copy_some().unwrap();
        commit(&*store, &noted, &world.batch());
    }
    shipper.end_snapshot().unwrap();
    commit(&*store, &noted, &world.batch());
    ground.clock.advance(Duration::from_millis(10));
    shipper.ship().unwrap();
    let original = told(&*store);
    for is_lmdb in [true, false] {
        let restored = ground.restored(is_lmdb, None);
        assert_eq!(told(&*restored), original, "seed {seed}, lmdb {is_lmdb}");
        assert_sound(&*restored);
        goes_on_as(&*store, &*restored, &mut World::seeded(seed + 1));
    }
    for (at_ms, then) in points.into_iter().rev().take(4) {
        let restored = ground.restored(true, Some(at_ms));
        assert_eq!(told(&*restored), then, "seed {seed} at {at_ms}");
        assert_sound(&*restored);
    }
}

/// What was kept away is kept away, and rows go on where they were. Changes neither.
fn goes_on_as(original: &dyn Store, restored: &dyn Store, world: &mut World) {
    let known: Vec<Arc<Event>> = original
        .changes(0, usize::MAX)
        .unwrap()
        .changes
        .iter()
        .filter_map(|change| match change {
            Change::Stored(stored) => Some(stored.event.clone()),
            _ => None,
        })
        .collect();
    world.known = known;
    for event in world.known.clone() {
        assert_eq!(
            original.contains(event.id()).unwrap(),
            restored.contains(event.id()).unwrap()
        );
    }
}

#[test]
fn d4_random_histories_in_memory_come_back_as_they_were() {
    for seed in 0..30 {
        history(seed, false);
    }
}

#[test]
fn d4_random_histories_in_lmdb_come_back_as_they_were() {
    for seed in 100..115 {
        history(seed, true);
    }
}

#[test]
fn d4_a_restored_store_refuses_what_the_original_refuses() {
    for seed in 200..210 {
        let ground = Ground::new();
        let mut world = World::seeded(seed);
        let store = ground.store(false);
        let noted = Arc::new(Noted::new(1 << 20));
        let mut shipper = ground.shipper(&store, &noted);
        for _ in 0..30 {
            commit(&*store, &noted, &world.batch());
        }
        shipper.ship().unwrap();
        shipper.begin_snapshot();
        while !shipper.is_copied() {
            shipper.copy_some().unwrap();
        }
        shipper.end_snapshot().unwrap();
        let restored = ground.restored(true, None);
        for event in &world.known {
            let put = [Write::Put(event.clone())];
            let outcomes = |store: &dyn Store| store.commit(&put, &NoPolicy, NOW_S).unwrap();
            assert_eq!(outcomes(&*store), outcomes(&*restored), "seed {seed}");
        }
    }
}

#[test]
fn d4_nothing_new_writes_nothing() {
    let ground = Ground::new();
    let store = ground.store(false);
    let noted = Arc::new(Noted::new(1 << 20));
    let mut shipper = ground.shipper(&store, &noted);
    commit(&*store, &noted, &[Write::Put(event(0, 1, 1, &[], ""))]);
    assert_eq!(shipper.ship().unwrap().segments, 1);
    assert_eq!(shipper.ship().unwrap().segments, 0);
}

#[test]
fn d4_what_a_crash_left_half_written_is_written_over() {
    let ground = Ground::new();
    let store = ground.store(false);
    let noted = Arc::new(Noted::new(1 << 20));
    let mut shipper = ground.shipper(&store, &noted);
    let target = Target::open(&ground.config.url).unwrap();
    let lineage = shipper.opened.lineage.clone();
    let put = |name: &str| target.put(name, b"half".to_vec()).unwrap();
    put(&names::segment(&lineage, 1));
    commit(&*store, &noted, &[Write::Put(event(0, 1, 1, &[], ""))]);
    shipper.ship().unwrap();
    // With a manifest it is somebody else's.
    put(&names::segment(&lineage, 2));
    put(&names::segment_manifest(&lineage, 2));
    commit(&*store, &noted, &[Write::Put(event(0, 1, 2, &[], ""))]);
    let error = shipper.ship().unwrap_err();
    assert!(matches!(error, BackupError::NotAlone { .. }), "{error}");
}

#[test]
fn d4_what_is_too_old_goes_and_the_rest_can_be_restored() {
    let ground = Ground::new();
    let store = ground.store(false);
    let noted = Arc::new(Noted::new(1 << 20));
    let mut shipper = ground.shipper(&store, &noted);
    let mut told_at = Vec::new();
    for second in 0..6 {
        commit(&*store, &noted, &[Write::Put(event(0, 1, second, &[], ""))]);
        ground.clock.advance(Duration::from_secs(1));
        shipper.ship().unwrap();
        if second % 2 == 0 {
            shipper.begin_snapshot();
            while !shipper.is_copied() {
                shipper.copy_some().unwrap();
            }
            shipper.end_snapshot().unwrap();
        }
        told_at.push((ground.clock.now_ms(), told(&*store)));
    }
    let target = Target::open(&ground.config.url).unwrap();
    let lineage = shipper.opened.lineage.clone();
    let (kept_from, _) = told_at[3];
    assert!(pruning::prune(&target, &lineage, kept_from).unwrap() > 0);
    assert_eq!(target.sequences(&lineage, None).unwrap(), [3, 4, 5, 6]);
    assert_eq!(target.snapshot_sequences(&lineage).unwrap(), [3, 5]);
    for (at_ms, then) in &told_at[3..] {
        assert_eq!(&told(&*ground.restored(false, Some(*at_ms))), then);
    }
    assert_eq!(pruning::prune(&target, &lineage, kept_from).unwrap(), 0);
}
