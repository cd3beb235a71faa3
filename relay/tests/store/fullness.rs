//! C19, H3: a full quota or disk refuses what is new; reads and removals go on, and writes resume when there is room.

use crate::draft::{Draft, deletion_of, pubkey};
use crate::subject::{NOW, Subject, row, small_options};
use rand::Rng;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use tempfile::TempDir;
use trellis_relay::event::Event;
use trellis_relay::store::lmdb::{LmdbOptions, LmdbStore};
use trellis_relay::store::{Cause, NoPolicy, Outcome, Store, Write};

/// A note of some 2,000 bytes that nothing compresses.
fn note() -> Arc<Event> {
    let content: String = (0..1_500)
        .map(|_| rand::rng().random_range('g'..='z'))
        .collect();
    Draft::of(1)
        .tag(&["t", &content[..9]])
        .content(content)
        .build()
}

fn commit(store: &LmdbStore, batch: &[Write]) -> Vec<Outcome> {
    store.commit(batch, &NoPolicy, NOW).unwrap()
}

fn is_full(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Refused(reason) if reason.to_string().starts_with("error: the store is full"))
}

/// Stores notes until one is refused.
fn fill(store: &LmdbStore) -> Vec<Arc<Event>> {
    let mut stored = Vec::new();
    loop {
        let batch: Vec<Write> = (0..20).map(|_| Write::Put(note())).collect();
        for outcome in commit(store, &batch) {
            match outcome {
                Outcome::Stored(event) => stored.push(event.event),
                other => {
                    assert!(is_full(&other), "{other:?}");
                    return stored;
                }
            }
        }
    }
}

/// What must hold while the store is full, and that removals make room.
fn check_full_store(store: &LmdbStore, stored: &[Arc<Event>]) {
    assert!(store.stats().unwrap().full);
    let value = |value| Write::Kv {
        extension: "groups".to_owned(),
        key: b"key".to_vec(),
        value,
    };
    let elsewhere = note();
    let deletes_nothing = deletion_of(1, NOW, &[&elsewhere]);
    let batch = [
        Write::Put(note()),
        value(Some(vec![1])),
        value(None),
        Write::Put(deletes_nothing),
    ];
    let outcomes = commit(store, &batch);
    assert!(is_full(&outcomes[0]) && is_full(&outcomes[1]) && is_full(&outcomes[3]));
    assert_eq!(outcomes[2], Outcome::Done);
    assert!(
        stored
            .iter()
            .all(|event| store.contains(event.id()).unwrap())
    );

    let deletion = deletion_of(1, NOW, &[&stored[0]]);
    row(&commit(store, &[Write::Put(deletion)])[0]);
    assert!(!store.contains(stored[0].id()).unwrap());
    let (gone, kept) = stored[1..].split_at(stored.len() / 2);
    for gone in gone.chunks(50) {
        let batch: Vec<Write> = gone
            .iter()
            .map(|event| Write::Remove(*event.id(), Cause::Expiry))
            .collect();
        assert_eq!(commit(store, &batch), vec![Outcome::Done; gone.len()]);
    }
    assert!(kept.iter().all(|event| store.contains(event.id()).unwrap()));
}

#[test]
fn c19_a_full_quota_takes_removals_only_until_there_is_room() {
    let directory = TempDir::new().unwrap();
    let options = LmdbOptions {
        quota_bytes: 4 << 20,
        reserve_bytes: Some(2 << 20),
        ..small_options()
    };
    let mut store = LmdbStore::open(directory.path(), options.clone()).unwrap();
    for _ in 0..3 {
        let stored = fill(&store);
        drop(store);
        store = LmdbStore::open(directory.path(), options.clone()).unwrap();
        check_full_store(&store, &stored);
        row(&commit(&store, &[Write::Put(note())])[0]);
        assert!(!store.stats().unwrap().full);
        let report = store.check().unwrap();
        assert!(report.is_sound(), "{report:?}");
    }
}

#[test]
fn c10_a_full_quota_takes_decisions_of_the_operator_and_no_rows_of_extensions() {
    let directory = TempDir::new().unwrap();
    let options = LmdbOptions {
        quota_bytes: 4 << 20,
        reserve_bytes: Some(2 << 20),
        ..small_options()
    };
    let store = LmdbStore::open(directory.path(), options).unwrap();
    fill(&store);
    let row = |space: &str| Write::Kv {
        extension: space.to_owned(),
        key: b"p".to_vec(),
        value: Some(vec![0]),
    };
    let append = |even_if_full| Write::Append {
        space: trellis_relay::decisions::SPACE.to_owned(),
        entry: b"written down".to_vec(),
        even_if_full,
    };
    let outcomes = commit(
        &store,
        &[
            row("groups"),
            row(trellis_relay::moderation::SPACE),
            append(true),
            append(false),
        ],
    );
    assert!(is_full(&outcomes[0]), "{outcomes:?}");
    assert_eq!(outcomes[1..3], [Outcome::Done, Outcome::Done]);
    assert!(is_full(&outcomes[3]), "{outcomes:?}");
    let stored = store
        .kv_get(trellis_relay::moderation::SPACE, b"p")
        .unwrap();
    assert_eq!(stored, Some(vec![0]));
}

#[test]
fn c19_a_batch_larger_than_the_map_is_taken_in_part() {
    let subject = Subject::lmdb_with(LmdbOptions {
        quota_bytes: 2 << 20,
        reserve_bytes: Some(1 << 20),
        ..small_options()
    });
    let batch: Vec<Write> = (0..3_000).map(|_| Write::Put(note())).collect();
    let outcomes = subject.commit_with(&batch, &NoPolicy);
    assert_eq!(outcomes.len(), batch.len());
    let mut stored = 0;
    for (write, outcome) in batch.iter().zip(&outcomes) {
        let Write::Put(event) = write else { continue };
        assert_eq!(subject.has(event), !is_full(outcome), "{outcome:?}");
        stored += u64::from(subject.has(event));
    }
    assert!((100..2_900).contains(&stored), "{stored}");
    assert_eq!(subject.count("{}"), stored);
}

/// A deletion or a request that brings more than it removes would fill the store until nothing helps.
#[test]
fn c19_a_full_store_takes_no_deletion_that_makes_it_fuller() {
    let directory = TempDir::new().unwrap();
    let options = LmdbOptions {
        quota_bytes: 4 << 20,
        reserve_bytes: Some(2 << 20),
        ..small_options()
    };
    let store = LmdbStore::open(directory.path(), options).unwrap();
    let mention = Draft::of(1).by(3).tag(&["p", &pubkey(9).to_hex()]);
    let wrap = Draft::of(1059).by(3).tag(&["p", &pubkey(8).to_hex()]);
    let article = Draft::of(30_023).by(4).tag(&["d", "here"]).build();
    let early = [mention.build(), wrap.build(), article.clone()];
    commit(&store, &early.map(Write::Put));
    let stored = fill(&store);
    let put = |event: &Arc<Event>| commit(&store, &[Write::Put(event.clone())]).remove(0);

    let absent: Vec<Arc<Event>> = (0..3_000).map(|n| Draft::of(1).at(n).build()).collect();
    let targets = |present: usize, absent_count: usize| -> Vec<&Event> {
        let present = stored[..present].iter();
        let targets = present.chain(&absent[..absent_count]);
        targets.map(|event| &**event).collect()
    };
    let bloated = deletion_of(1, NOW, &targets(1, 3_000));
    assert!(is_full(&put(&bloated)));
    assert!(store.contains(stored[0].id()).unwrap());
    row(&put(&deletion_of(1, NOW, &targets(5, 10))));
    let address = |d: &str| format!("30023:{}:{d}", pubkey(4).to_hex());
    let by_address = Draft::of(5).by(4).at(NOW).tag(&["a", &address("here")]);
    row(&put(&by_address.tag(&["a", &address("elsewhere")]).build()));

    let request = |n| Draft::of(62).by(n).at(NOW).tag(&["relay", "ALL_RELAYS"]);
    let vanish = |draft: Draft| commit(&store, &[Write::Vanish(draft.build())]).remove(0);
    assert!(
        is_full(&vanish(request(9))),
        "a mention does not go with who is mentioned"
    );
    assert!(is_full(&vanish(request(8).content("x".repeat(100_000)))));
    row(&vanish(request(8)));

    let gone = stored[5..].iter();
    let removals: Vec<Write> = gone
        .map(|event| Write::Remove(*event.id(), Cause::Retention))
        .collect();
    for some in removals.chunks(100) {
        commit(&store, some);
    }
    assert!(!store.stats().unwrap().full);
    // What was deleted stays away. Of the rest a full store could not take note.
    assert!((0..5).all(|n| put(&stored[n]) == Outcome::Deleted));
    assert_eq!(put(&article), Outcome::Deleted);
    row(&put(&absent[0]));
    row(&put(&Draft::of(30_023)
        .by(4)
        .tag(&["d", "elsewhere"])
        .build()));
    assert!(store.check().unwrap().is_sound());
}

/// Someone with events in a full store vanishes from it; a stranger's request is no way to fill it further.
fn vanish_from_full_store(store: &LmdbStore, stored: &[Arc<Event>]) {
    assert!(store.stats().unwrap().full);
    let request = |n| Draft::of(62).by(n).at(NOW).tag(&["relay", "ALL_RELAYS"]);
    let batch = [request(1), request(9)].map(|draft| Write::Vanish(draft.build()));
    let outcomes = commit(store, &batch);
    row(&outcomes[0]);
    assert!(is_full(&outcomes[1]));
    assert!(
        stored
            .iter()
            .all(|event| !store.contains(event.id()).unwrap())
    );
    let vanishing = store.vanishings(10).unwrap().remove(0);
    let mut removed = 0;
    loop {
        let page = store.vanishing_positions(&vanishing, None, 256).unwrap();
        if page.positions.is_empty() {
            break;
        }
        let removals = page.positions.iter();
        let batch: Vec<Write> = removals
            .map(|position| Write::Remove(position.id, Cause::Vanish))
            .collect();
        assert_eq!(commit(store, &batch), vec![Outcome::Done; batch.len()]);
        removed += batch.len();
    }
    assert!(removed >= stored.len());
    let end = [Write::EndVanishing(vanishing)];
    assert_eq!(commit(store, &end), [Outcome::Done]);
    let report = store.check().unwrap();
    assert!(report.is_sound() && report.events == 1, "{report:?}");
    row(&commit(store, &[Write::Put(Draft::of(1).by(2).build())])[0]);
    assert!(!store.stats().unwrap().full);
}

#[test]
fn c10_vanish_works_in_a_store_whose_quota_is_full() {
    let directory = TempDir::new().unwrap();
    let options = LmdbOptions {
        quota_bytes: 4 << 20,
        reserve_bytes: Some(2 << 20),
        ..small_options()
    };
    let store = LmdbStore::open(directory.path(), options).unwrap();
    let stored = fill(&store);
    vanish_from_full_store(&store, &stored);
}

#[test]
fn c10_vanish_works_on_a_full_disk() {
    let Some(disk) = SmallDisk::mount(32) else {
        return;
    };
    let options = LmdbOptions {
        ballast_bytes: 4 << 20,
        ..small_options()
    };
    let store = LmdbStore::open(disk.path.join("data"), options).unwrap();
    let stored = fill(&store);
    vanish_from_full_store(&store, &stored);
}

/// A batch far larger than the reserve, so that commits find the map full to its last page.
#[test]
fn h8_a_map_full_to_its_end_is_sound_and_emptied_with_a_larger_reserve() {
    let directory = TempDir::new().unwrap();
    let open = |reserve_bytes| {
        let options = LmdbOptions {
            quota_bytes: 2 << 20,
            reserve_bytes: Some(reserve_bytes),
            ..small_options()
        };
        let store = LmdbStore::open(directory.path(), options).unwrap();
        let report = store.check().unwrap();
        assert!(report.is_sound(), "{report:?}");
        store
    };
    let store = open(1 << 20);
    let batch: Vec<Write> = (0..1_500).map(|_| Write::Put(note())).collect();
    let outcomes = commit(&store, &batch);
    assert!(outcomes.iter().any(is_full));
    let removals: Vec<Write> = outcomes
        .iter()
        .filter_map(|outcome| match outcome {
            Outcome::Stored(stored) => Some(Write::Remove(*stored.event.id(), Cause::Retention)),
            _ => None,
        })
        .collect();
    let report = store.check().unwrap();
    assert!(report.is_sound(), "{report:?}");
    assert_eq!(report.events, removals.len() as u64);
    drop(store);
    let store = open(4 << 20);
    for chunk in removals.chunks(256) {
        let outcomes = commit(&store, chunk);
        assert!(outcomes.iter().all(|outcome| *outcome == Outcome::Done));
    }
    let report = store.check().unwrap();
    assert!(report.is_sound() && report.events == 0, "{report:?}");
}

/// A file system of its own, gone with the value.
pub(crate) struct SmallDisk {
    pub(crate) path: PathBuf,
    _directory: TempDir,
}

impl SmallDisk {
    /// `None`, and a word about it past the capture of output, where mounting is not allowed.
    pub(crate) fn mount(mebibytes: u64) -> Option<Self> {
        let directory = TempDir::new().unwrap();
        let size = format!("size={mebibytes}m");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "tmpfs"])
            .arg(directory.path())
            .output()
            .is_ok_and(|output| output.status.success());
        if !mounted {
            let test = std::thread::current().name().unwrap_or_default().to_owned();
            let skipped = format!("SKIPPED: {test} may not mount a tmpfs\n");
            std::io::stderr().write_all(skipped.as_bytes()).unwrap();
        }
        mounted.then(|| SmallDisk {
            path: directory.path().to_owned(),
            _directory: directory,
        })
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.path).output();
    }
}

/// Writes until the disk is full.
pub(crate) fn fill_disk(file: &Path) {
    let mut file = std::fs::File::create(file).unwrap();
    for length in [1 << 20, 1 << 12] {
        while file.write_all(&vec![1; length]).is_ok() {}
    }
}

#[test]
fn c19_a_full_disk_takes_removals_only_until_there_is_room() {
    let Some(disk) = SmallDisk::mount(32) else {
        return;
    };
    let options = LmdbOptions {
        ballast_bytes: 4 << 20,
        ..small_options()
    };
    let store = LmdbStore::open(disk.path.join("data"), options).unwrap();
    let stored = fill(&store);
    assert!(stored.len() > 500);
    check_full_store(&store, &stored);
    row(&commit(&store, &[Write::Put(note())])[0]);
    assert!(store.check().unwrap().is_sound());
}

#[test]
fn c19_a_disk_filled_by_others_takes_removals_only_until_there_is_room() {
    let Some(disk) = SmallDisk::mount(32) else {
        return;
    };
    let options = LmdbOptions {
        ballast_bytes: 4 << 20,
        ..small_options()
    };
    let store = LmdbStore::open(disk.path.join("data"), options).unwrap();
    let stored: Vec<_> = (0..2_000).map(|_| note()).collect();
    for batch in stored.chunks(100) {
        let batch: Vec<Write> = batch.iter().cloned().map(Write::Put).collect();
        assert!(commit(&store, &batch).iter().all(|o| !is_full(o)));
    }
    let ballast = disk.path.join("data/ballast");
    assert!(ballast.exists());
    fill_disk(&disk.path.join("others"));
    assert!(is_full(&commit(&store, &[Write::Put(note())])[0]));
    // One of four, so that nearly all pages change and few are given up.
    let removals: Vec<Write> = stored
        .iter()
        .step_by(4)
        .map(|event| Write::Remove(*event.id(), Cause::Admin))
        .collect();
    assert_eq!(
        commit(&store, &removals),
        vec![Outcome::Done; removals.len()]
    );
    assert!(!ballast.exists(), "thrown out for the removals");
    assert_eq!(
        store.stats().unwrap().events,
        (stored.len() - removals.len()) as u64
    );
    std::fs::remove_file(disk.path.join("others")).unwrap();
    row(&commit(&store, &[Write::Put(note())])[0]);
    assert!(ballast.exists(), "taken aboard again");
    let report = store.check().unwrap();
    assert!(report.is_sound(), "{report:?}");
}

#[test]
fn c19_a_disk_that_fills_during_a_commit_refuses_with_an_answer() {
    let Some(disk) = SmallDisk::mount(32) else {
        return;
    };
    let options = LmdbOptions {
        ballast_bytes: 2 << 20,
        ..small_options()
    };
    let store = LmdbStore::open(disk.path.join("data"), options).unwrap();
    let early: Vec<Write> = (0..100).map(|_| Write::Put(note())).collect();
    commit(&store, &early);
    // There is room enough to begin, not to end.
    let large: Vec<Write> = (0..20_000).map(|_| Write::Put(note())).collect();
    let outcomes = commit(&store, &large);
    assert_eq!(outcomes.len(), large.len());
    for (write, outcome) in large.iter().zip(&outcomes) {
        let Write::Put(event) = write else { continue };
        assert_eq!(store.contains(event.id()).unwrap(), !is_full(outcome));
    }
    assert!(outcomes.iter().any(is_full));
    let stored: Vec<_> = early
        .iter()
        .map(|write| match write {
            Write::Put(event) => event.clone(),
            other => panic!("{other:?}"),
        })
        .collect();
    check_full_or_open(&store, &stored);
}

/// Whichever state the failure left: removals are taken, and nothing is damaged.
fn check_full_or_open(store: &LmdbStore, stored: &[Arc<Event>]) {
    let batch: Vec<Write> = stored
        .iter()
        .map(|event| Write::Remove(*event.id(), Cause::Admin))
        .collect();
    assert_eq!(commit(store, &batch), vec![Outcome::Done; stored.len()]);
    let report = store.check().unwrap();
    assert!(report.is_sound(), "{report:?}");
}
