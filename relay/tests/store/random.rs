//! H8: random histories and random filters give the same in LMDB as in the plain reference.

use crate::draft::{Draft, pubkey};
use crate::subject::{NOW, PLENTY, small_options};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use std::sync::Arc;
use tempfile::TempDir;
use trellis_relay::event::{Event, EventId, PublicKey};
use trellis_relay::filter::Filter;
use trellis_relay::kinds::Kinds;
use trellis_relay::reason::Reason;
use trellis_relay::store::lmdb::LmdbStore;
use trellis_relay::store::memory::MemoryStore;
use trellis_relay::store::{
    Budget, Cause, CommitPolicy, Found, KvWrites, Lent, NoPolicy, Order, Outcome, Position, Scan,
    Store, Stored, TxnRead, Vanishing, Write,
};

const KINDS: [u16; 12] = [0, 1, 1, 3, 4, 5, 7, 62, 1059, 10_002, 30_000, 30_023];
const AUTHORS: u8 = 5;
const FIRST_SECOND: u64 = 1_700_000_000;
const SECONDS: u64 = 15;
const LETTERS: &[u8] = b"tpeadT";
const CAUSES: [Cause; 4] = [Cause::Admin, Cause::Expiry, Cause::Retention, Cause::Vanish];

/// Vetoes, keeps and counts by what the event says.
struct Opinions;

impl CommitPolicy for Opinions {
    fn wants_commit(&self, kind: u16) -> bool {
        kind != 7
    }
    fn on_commit(
        &self,
        event: &Event,
        removes: &[Arc<Event>],
        txn: &dyn TxnRead,
    ) -> Result<KvWrites, Reason> {
        if event.content() == "veto" {
            return Err(Reason::blocked("vetoed"));
        }
        let key = [&event.kind().to_be_bytes()[..], event.pubkey().as_bytes()].concat();
        let mut value = txn.kv_get("opinions", &key).unwrap().unwrap_or_default();
        value.push(removes.len() as u8);
        // Short, so that rows vanish and come back.
        let value = (value.len() < 5).then_some(value);
        Ok(KvWrites::from([(("opinions".to_owned(), key), value)]))
    }
    fn guards_removal(&self, kind: u16) -> bool {
        kind != 0
    }
    fn may_remove(&self, event: &Event, cause: Cause) -> bool {
        event.content() != "keep" || cause == Cause::Retention
    }
}

struct World {
    random: StdRng,
    known: Vec<Arc<Event>>,
}

impl World {
    fn write(&mut self) -> Write {
        match self.random.random_range(0..20) {
            3 if self.random.random_bool(0.2) => {
                let event = self.request();
                self.known.push(event.clone());
                Write::Vanish(event)
            }
            4 if self.random.random_bool(0.5) => Write::EndVanishing(Vanishing {
                pubkey: pubkey(self.random.random_range(0..AUTHORS)),
                until: self.second(),
            }),
            0 => Write::Remove(self.id(), *CAUSES.choose(&mut self.random).unwrap()),
            1 => Write::Kv {
                extension: ["a", "b"].choose(&mut self.random).unwrap().to_string(),
                key: vec![self.random.random_range(0..9); self.random.random_range(0..3)],
                value: self.random.random_bool(0.7).then(|| vec![1, 2, 3]),
            },
            2 if self.random.random_bool(0.3) => Write::Append {
                space: "log".to_owned(),
                entry: vec![self.random.random(); self.random.random_range(0..3)],
                even_if_full: true,
            },
            2 if !self.known.is_empty() => {
                Write::Put(self.known.choose(&mut self.random).unwrap().clone())
            }
            _ => {
                let event = self.event();
                self.known.push(event.clone());
                Write::Put(event)
            }
        }
    }

    fn event(&mut self) -> Arc<Event> {
        let kind = *KINDS.choose(&mut self.random).unwrap();
        let mut draft = Draft::of(kind)
            .by(self.random.random_range(0..AUTHORS))
            .at(self.second());
        for _ in 0..self.random.random_range(0..4) {
            let letter = *LETTERS.choose(&mut self.random).unwrap();
            let value = self.tag_value(letter);
            draft = draft.tag(&[std::str::from_utf8(&[letter]).unwrap(), &value]);
        }
        if self.random.random_bool(0.1) {
            let at = NOW + self.random.random_range(0..10);
            draft = draft.tag(&["expiration", &at.to_string()]);
        }
        if kind == 5 {
            for _ in 0..self.random.random_range(1..5) {
                let letter = if self.random.random_bool(0.5) {
                    "e"
                } else {
                    "a"
                };
                let value = self.tag_value(letter.as_bytes()[0]);
                draft = draft.tag(&[letter, &value]);
            }
        }
        draft = match self.random.random_range(0..12) {
            0 => draft.content("veto"),
            1 => draft.content("keep"),
            2 => draft.content("x".repeat(self.random.random_range(0..5_000))),
            n => draft.content(n.to_string()),
        };
        if self.random.random_bool(0.2) {
            let mut id = [self.random.random_range(0..3); 32];
            self.random.fill(&mut id[8..]);
            draft = draft.id(id);
        }
        draft.build()
    }

    /// To vanish, but seldom with all that there is.
    fn request(&mut self) -> Arc<Event> {
        let second = FIRST_SECOND + self.random.random_range(0..SECONDS / 2);
        Draft::of(62)
            .by(self.random.random_range(0..AUTHORS))
            .at(second)
            .tag(&["relay", "ALL_RELAYS"])
            .content(self.random.random_range(0..9).to_string())
            .build()
    }

    fn second(&mut self) -> u64 {
        FIRST_SECOND + self.random.random_range(0..SECONDS)
    }

    fn id(&mut self) -> EventId {
        match self.known.choose(&mut self.random) {
            Some(event) if self.random.random_bool(0.9) => *event.id(),
            _ => EventId::from_byte_array(self.random.random()),
        }
    }

    fn tag_value(&mut self, letter: u8) -> String {
        let author = pubkey(self.random.random_range(0..AUTHORS)).to_hex();
        let name = ["", "x", "y", "\"quoted\""].choose(&mut self.random);
        let name = (*name.unwrap()).to_owned();
        match letter {
            b'e' => self.id().to_hex(),
            b'p' => author,
            b'a' => {
                let kind = [0, 3, 10_002, 30_000, 30_023].choose(&mut self.random);
                format!("{}:{author}:{name}", kind.unwrap())
            }
            _ => name,
        }
    }

    fn filter(&mut self) -> Filter {
        let mut filter = Filter::default();
        if self.random.random_bool(0.15) {
            filter.ids = Some((0..self.amount(20)).map(|_| self.id()).collect());
        }
        if self.random.random_bool(0.4) {
            let authors = (0..self.amount(4)).map(|_| self.random.random_range(0..AUTHORS + 2));
            filter.authors = Some(authors.map(pubkey).collect());
        }
        if self.random.random_bool(0.4) {
            let kinds = (0..self.amount(5)).map(|_| *KINDS.choose(&mut self.random).unwrap());
            filter.kinds = Some(kinds.collect());
        }
        for letter in LETTERS {
            if self.random.random_bool(0.12) {
                let values = (0..self.amount(6))
                    .map(|_| self.tag_value(*letter))
                    .collect();
                filter.tags.insert(*letter, values);
            }
        }
        if self.random.random_bool(0.25) {
            filter.since = Some(self.second() - 1);
        }
        if self.random.random_bool(0.25) {
            filter.until = Some(self.second() + 1);
        }
        if self.random.random_bool(0.01) {
            // More lanes than are opened at once.
            let mut authors = vec![pubkey(1); 1];
            authors.extend((0..5_000).map(|_| PublicKey::from_byte_array(self.random.random())));
            filter.authors = Some(authors);
        }
        filter.normalize();
        filter
    }

    /// Seldom none.
    fn amount(&mut self, most: usize) -> usize {
        match self.random.random_range(0..30) {
            0 => 0,
            _ => self.random.random_range(1..=most),
        }
    }

    fn budget(&mut self) -> Budget {
        let mut some = |most: usize| match self.random.random_bool(0.5) {
            true => usize::MAX,
            false => self.random.random_range(1..=most),
        };
        Budget {
            events: some(60),
            entries: some(60),
            bytes: some(20_000),
            ..PLENTY
        }
    }

    fn resume(&mut self) -> Option<Position> {
        let created_at = self.second();
        let anywhere = Position {
            created_at,
            id: self.id(),
        };
        match self.known.choose(&mut self.random) {
            Some(event) if self.random.random_bool(0.3) => Some(Position {
                created_at: event.created_at(),
                id: *event.id(),
            }),
            _ => self.random.random_bool(0.1).then_some(anywhere),
        }
    }
}

/// What a scan gives, page after page.
fn all_pages(store: &dyn Store, scan: &Scan<'_>) -> (Vec<Stored>, u64) {
    let mut events = Vec::new();
    let mut pages = scan.clone();
    loop {
        let page = store.scan(&pages).unwrap();
        assert!(page.events.len() <= scan.budget.events);
        events.extend(page.events);
        let Some(next) = page.next else { break };
        assert_ne!(pages.resume, Some(next), "no progress: {scan:?}");
        pages.resume = Some(next);
    }
    let mut lent = Vec::new();
    let mut pages = scan.clone();
    loop {
        let page = store.lend(&pages).unwrap();
        assert!(page.events.len() <= scan.budget.events);
        lent.extend(page.events);
        let Some(next) = page.next else { break };
        assert_ne!(pages.resume, Some(next), "no progress: {scan:?}");
        pages.resume = Some(next);
    }
    let scanned: Vec<Lent> = events.iter().cloned().map(Lent::from).collect();
    assert_eq!(lent, scanned, "{scan:?}");
    let mut count = 0;
    let mut pages = scan.clone();
    loop {
        let page = store.count(&pages).unwrap();
        count += page.count;
        let Some(next) = page.next else { break };
        assert_ne!(pages.resume, Some(next), "no progress: {scan:?}");
        pages.resume = Some(next);
    }
    let mut positions = Vec::new();
    let mut pages = scan.clone();
    loop {
        let page = store.positions(&pages).unwrap();
        positions.extend(page.positions);
        let Some(next) = page.next else { break };
        assert_ne!(pages.resume, Some(next), "no progress: {scan:?}");
        pages.resume = Some(next);
    }
    let of_events = events.iter().map(|stored| Position {
        created_at: stored.event.created_at(),
        id: *stored.event.id(),
    });
    assert!(of_events.eq(positions), "{scan:?}");
    for whole in [Kinds::none(), Kinds::from(0..=999), Kinds::all()] {
        assert_found(store, scan, &whole, &events);
    }
    (events, count)
}

/// That headers, with the bodies of some kinds, say the same as the events.
fn assert_found(store: &dyn Store, scan: &Scan<'_>, whole: &Kinds, events: &[Stored]) {
    let mut found = Vec::new();
    let mut pages = scan.clone();
    loop {
        let page = store.find(&pages, whole).unwrap();
        assert!(page.found.len() <= scan.budget.events);
        found.extend(page.found);
        let Some(next) = page.next else { break };
        assert_ne!(pages.resume, Some(next), "no progress: {scan:?}");
        pages.resume = Some(next);
    }
    let expected = events.iter().map(|stored| Found {
        position: Position {
            created_at: stored.event.created_at(),
            id: *stored.event.id(),
        },
        author: *stored.event.pubkey(),
        kind: stored.event.kind(),
        expires_at: stored.expires_at,
        event: whole
            .contains(stored.event.kind())
            .then(|| stored.event.clone()),
    });
    assert!(expected.eq(found), "{scan:?}, whole: {whole}");
}

/// What is to be removed, page after page.
fn doomed(store: &dyn Store, vanishing: &Vanishing) -> Vec<Position> {
    let (mut positions, mut resume) = (Vec::new(), None);
    loop {
        let page = store.vanishing_positions(vanishing, resume, 3).unwrap();
        positions.extend(page.positions);
        let Some(next) = page.next else {
            return positions;
        };
        assert_ne!(resume, Some(next), "no progress");
        resume = Some(next);
    }
}

fn compare_state(reference: &dyn Store, store: &dyn Store) {
    let last_row = reference.last_row().unwrap();
    assert_eq!(store.last_row().unwrap(), last_row);
    for after in [0, last_row / 2, last_row] {
        for max in [7, usize::MAX] {
            let (ours, theirs) = (
                store.changes(after, max).unwrap(),
                reference.changes(after, max).unwrap(),
            );
            assert_eq!(ours.changes, theirs.changes);
            assert_eq!(ours.next, theirs.next);
        }
    }
    for now in [NOW, NOW + 5, NOW + 10] {
        assert_eq!(
            store.expired(now, 1_000).unwrap(),
            reference.expired(now, 1_000).unwrap()
        );
    }
    let (mut ours, mut theirs) = (
        store.vanishings(100).unwrap(),
        reference.vanishings(100).unwrap(),
    );
    ours.sort_by_key(|vanishing| vanishing.pubkey);
    theirs.sort_by_key(|vanishing| vanishing.pubkey);
    assert_eq!(ours, theirs);
    for vanishing in &ours {
        assert_eq!(doomed(store, vanishing), doomed(reference, vanishing));
    }
    for extension in ["a", "b", "opinions", "log", "nobody"] {
        assert_eq!(
            store.kv_scan(extension, b"", None, 1_000).unwrap(),
            reference.kv_scan(extension, b"", None, 1_000).unwrap()
        );
    }
    assert_eq!(
        store.stats().unwrap().events,
        reference.stats().unwrap().events
    );
}

fn compare_filters(world: &mut World, reference: &dyn Store, store: &dyn Store, filters: usize) {
    let last_row = reference.last_row().unwrap();
    let mut events_seen = 0;
    for _ in 0..filters {
        let filter = world.filter();
        let scan = Scan {
            filter: &filter,
            order: match world.random.random_bool(0.3) {
                true => Order::OldestFirst,
                false => Order::NewestFirst,
            },
            resume: world.resume(),
            max_row: match world.random.random_bool(0.3) {
                true => world.random.random_range(0..=last_row),
                false => u64::MAX,
            },
            now: NOW + world.random.random_range(0..10),
            budget: world.budget(),
        };
        let (ours, our_count) = all_pages(store, &scan);
        let whole = Scan {
            budget: PLENTY,
            ..scan.clone()
        };
        let (theirs, their_count) = all_pages(reference, &whole);
        assert_eq!(ours, theirs, "{scan:?}");
        assert_eq!(our_count, their_count, "{scan:?}");
        assert_eq!(our_count, ours.len() as u64, "{scan:?}");
        events_seen += ours.len();
    }
    assert!(events_seen > filters, "the filters found hardly anything");
}

/// Now and then a part of what has vanished is removed, or all of it.
fn sweep(world: &mut World, reference: &dyn Store, store: &dyn Store) {
    let vanishings = reference.vanishings(1).unwrap();
    let Some(vanishing) = vanishings.first() else {
        return;
    };
    let doomed = doomed(reference, vanishing);
    let (goes, is_end) = match world.random.random_range(0..10) {
        0 => (doomed.len(), true),
        1..4 => (doomed.len() / 2, false),
        _ => return,
    };
    let removals = doomed[..goes].iter();
    let mut batch: Vec<Write> = removals
        .map(|position| Write::Remove(position.id, Cause::Vanish))
        .collect();
    batch.extend(is_end.then_some(Write::EndVanishing(*vanishing)));
    let ours = store.commit(&batch, &Opinions, NOW).unwrap();
    assert_eq!(ours, reference.commit(&batch, &Opinions, NOW).unwrap());
}

fn compare_history(seed: u64, writes: usize, filters: usize) {
    let mut world = World {
        random: StdRng::seed_from_u64(seed),
        known: Vec::new(),
    };
    let reference = MemoryStore::default();
    let directory = TempDir::new().unwrap();
    let mut store = LmdbStore::open(directory.path(), small_options()).unwrap();
    let mut done = 0;
    while done < writes {
        let size = world.random.random_range(1..60);
        let batch: Vec<Write> = (0..size).map(|_| world.write()).collect();
        let ours = store.commit(&batch, &Opinions, NOW).unwrap();
        let theirs = reference.commit(&batch, &Opinions, NOW).unwrap();
        for ((write, ours), theirs) in batch.iter().zip(&ours).zip(&theirs) {
            assert_eq!(ours, theirs, "seed {seed}: {write:?}");
        }
        done += size;
        sweep(&mut world, &reference, &store);
        for write in &batch {
            if let Some(event) = write.event() {
                let (ours, theirs) = (
                    store.contains(event.id()).unwrap(),
                    reference.contains(event.id()).unwrap(),
                );
                assert_eq!(ours, theirs);
            }
        }
    }
    for _ in 0..2 {
        let report = store.check().unwrap();
        assert!(report.is_sound(), "seed {seed}: {report:?}");
        assert_eq!(report.events, store.stats().unwrap().events);
        compare_state(&reference, &store);
        compare_filters(&mut world, &reference, &store, filters);
        drop(store);
        store = LmdbStore::open(directory.path(), small_options()).unwrap();
    }
    // What was deleted stays deleted after reopening.
    let again: Vec<Write> = world.known.iter().cloned().map(Write::Put).collect();
    let ours = store.commit(&again, &Opinions, NOW).unwrap();
    assert_eq!(ours, reference.commit(&again, &Opinions, NOW).unwrap());
    for outcome in [Outcome::Deleted, Outcome::Superseded, Outcome::Vanished] {
        assert!(ours.contains(&outcome), "{outcome:?}");
    }
    assert!(store.check().unwrap().is_sound());
}

#[test]
fn h8_random_histories_and_filters_agree_with_the_reference() {
    for seed in 0..10 {
        compare_history(seed, 800, 500);
    }
}

/// One history with deletions, requests to vanish, retention and expiry, and ever new filters: half of them before the
/// store is opened again, half after.
#[test]
fn h8_ten_thousand_random_filters_give_the_same_ids_in_the_same_order() {
    compare_history(2_024, 600, 5_000);
}

#[test]
fn h8_a_long_random_history_agrees_with_the_reference() {
    compare_history(99, 6_000, 300);
}

/// Deep trees, pages that split and merge: what small histories never come to.
#[test]
#[ignore = "takes ten seconds; run it after changes to the writing of indexes"]
fn h8_a_large_history_leaves_sound_indexes() {
    let mut world = World {
        random: StdRng::seed_from_u64(7),
        known: Vec::new(),
    };
    let directory = TempDir::new().unwrap();
    let store = LmdbStore::open(directory.path(), small_options()).unwrap();
    for round in 0..100 {
        let mut batch: Vec<Write> = (0..2_048).map(|_| world.write()).collect();
        if round % 10 == 9 {
            // Most of what there is goes at once.
            let most = world.known.len() * 4 / 5;
            let gone = world.known.drain(..most);
            batch.extend(gone.map(|event| Write::Remove(*event.id(), Cause::Retention)));
        }
        store.commit(&batch, &NoPolicy, NOW).unwrap();
        if round % 10 >= 8 {
            let report = store.check().unwrap();
            assert!(report.is_sound(), "round {round}: {report:?}");
        }
    }
}
