//! Random histories, copied at random moments, come back as they were: events, rows, tombstones, entries, removals.

use super::super::keeps::SPACE;
use super::*;
use crate::event::EventId;
use crate::store::Cause;
use crate::store::Vanishing;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};

const KINDS: [u16; 9] = [0, 1, 1, 5, 5, 62, 1_059, 10_002, 30_023];
const AUTHORS: u8 = 4;
const SECONDS: u64 = 12;
const CAUSES: [Cause; 3] = [Cause::Admin, Cause::Expiry, Cause::Retention];

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
