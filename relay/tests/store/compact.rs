//! C21: a compaction changes nothing but the size, may be killed at any moment, and lets reading go on.

use crate::draft::{Draft, deletion_of};
use crate::fullness::{SmallDisk, fill_disk};
use crate::subject::{NOW, PLENTY, Subject, ids, small_options};
use rand::Rng as _;
use std::io::{BufRead as _, BufReader, Write as _};
use std::ops::ControlFlow;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use trellis_relay::event::{Event, EventId};
use trellis_relay::filter::Filter;
use trellis_relay::store::lmdb::{LmdbOptions, LmdbStore};
use trellis_relay::store::{
    Cause, CompactReport, NoPolicy, Order, Outcome, Scan, Store, StoreError, Stored, Write,
};

const DIRECTORY: &str = "TEST_COMPACT_DIRECTORY";
const ROUNDS: usize = 12;

fn compact(store: &dyn Store) -> CompactReport {
    store
        .compact(&mut |_| ControlFlow::Continue(()))
        .expect("a compaction")
}

fn everything(store: &dyn Store) -> Vec<Stored> {
    let filter = Filter::default();
    let scan = Scan {
        filter: &filter,
        order: Order::NewestFirst,
        resume: None,
        max_row: u64::MAX,
        now: NOW,
        budget: PLENTY,
    };
    store.scan(&scan).unwrap().events
}

fn note(n: u64) -> Arc<Event> {
    let draft = Draft::of(1).at(n).tag(&["t", &format!("topic {}", n % 7)]);
    draft.content("x".repeat(400)).build()
}

/// Notes of which all but every tenth are gone again, a deletion, versions of an address, and an extension's row.
fn fill(store: &dyn Store) {
    let notes: Vec<_> = (0..3_000).map(note).collect();
    for some in notes.chunks(500) {
        let puts: Vec<_> = some.iter().cloned().map(Write::Put).collect();
        store.commit(&puts, &NoPolicy, NOW).unwrap();
    }
    let gone = notes.iter().enumerate().filter(|(n, _)| n % 10 != 0);
    let removals: Vec<_> = gone
        .map(|(_, event)| Write::Remove(*event.id(), Cause::Admin))
        .collect();
    store.commit(&removals, &NoPolicy, NOW).unwrap();
    let mut others = vec![Write::Put(deletion_of(1, NOW, &[&notes[20]]))];
    others.extend((0..3).map(|n| Write::Put(Draft::of(30_000).at(n).tag(&["d", "x"]).build())));
    others.push(Write::Kv {
        extension: "probe".to_owned(),
        key: b"key".to_vec(),
        value: Some(b"value".to_vec()),
    });
    store.commit(&others, &NoPolicy, NOW).unwrap();
}

#[test]
fn c21_compacting_changes_nothing_but_the_size() {
    let subject = Subject::lmdb();
    let store = &*subject.store;
    fill(store);
    let (before, changes) = (everything(store), store.changes(0, 10_000).unwrap());
    let last_row = store.last_row().unwrap();
    let report = compact(store);
    assert!(report.after_bytes < report.before_bytes / 2, "{report:?}");
    assert_eq!(everything(store), before);
    assert_eq!(store.changes(0, 10_000).unwrap().changes, changes.changes);
    assert_eq!(store.last_row().unwrap(), last_row);
    let value = store.kv_get("probe", b"key").unwrap();
    assert_eq!(value.as_deref(), Some(&b"value"[..]));
    assert_eq!(subject.put(&note(20)), Outcome::Deleted);
    assert!(subject.stored(&note(21)) > last_row);
    let check = store.inspect(false, &mut |_| ControlFlow::Continue(()));
    assert!(check.unwrap().is_sound());
    // There is nothing left to gain, and doing it again does no harm.
    let again = compact(store);
    assert!(
        again.after_bytes <= report.after_bytes + (64 << 10),
        "{again:?}"
    );
}

#[test]
fn c21_a_compacted_store_opens_again() {
    let directory = TempDir::new().unwrap();
    let store = LmdbStore::open(directory.path(), small_options()).unwrap();
    fill(&store);
    let before = everything(&store);
    compact(&store);
    drop(store);
    let store = LmdbStore::open(directory.path(), small_options()).unwrap();
    assert_eq!(everything(&store), before);
    assert!(store.check().unwrap().is_sound());
    assert!(!directory.path().join(".trellis-compacting").exists());
}

/// What a compaction may leave behind is its two files and their directory; whatever else stands there is somebody's.
#[test]
fn c21_opening_and_compacting_delete_nothing_of_others() {
    let directory = TempDir::new().unwrap();
    let theirs = ["compact/letters.txt", ".trellis-compacting/letters.txt"];
    let leftovers = [
        ".trellis-compacting/data.mdb",
        ".trellis-compacting/lock.mdb",
    ];
    for name in theirs.iter().chain(&leftovers) {
        let file = directory.path().join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, "words").unwrap();
    }
    let store = LmdbStore::open(directory.path(), small_options()).unwrap();
    assert!(
        leftovers
            .iter()
            .all(|name| !directory.path().join(name).exists())
    );
    let refused = store.compact(&mut |_| ControlFlow::Continue(()));
    let words = refused.unwrap_err().to_string();
    assert!(words.contains(".trellis-compacting"), "{words}");
    for name in theirs {
        assert_eq!(
            std::fs::read(directory.path().join(name)).unwrap(),
            b"words"
        );
    }
    std::fs::remove_dir_all(directory.path().join(".trellis-compacting")).unwrap();
    compact(&store);
}

#[test]
fn c21_a_file_or_a_link_where_the_second_database_would_be_keeps_no_store_from_opening() {
    let elsewhere = TempDir::new().unwrap();
    let file = elsewhere.path().join("data.mdb");
    std::fs::write(&file, "words").unwrap();
    let directory = TempDir::new().unwrap();
    let beside = directory.path().join(".trellis-compacting");
    let make = [
        |_: &Path, beside: &Path| std::fs::write(beside, "words"),
        |to: &Path, beside: &Path| std::os::unix::fs::symlink(to, beside),
    ];
    for make in make {
        make(elsewhere.path(), &beside).unwrap();
        let store = LmdbStore::open(directory.path(), small_options()).unwrap();
        let refused = store.compact(&mut |_| ControlFlow::Continue(()));
        let words = refused.unwrap_err().to_string();
        assert!(words.contains(".trellis-compacting"), "{words}");
        std::fs::remove_file(&beside).unwrap();
    }
    assert_eq!(std::fs::read(file).unwrap(), b"words");
}

#[test]
fn c21_reading_and_writing_go_on_around_compactions() {
    let subject = Subject::lmdb();
    fill(&*subject.store);
    let kept = everything(&*subject.store);
    let is_done = AtomicBool::new(false);
    let (store, is_done) = (&*subject.store, &is_done);
    let written = std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !is_done.load(Ordering::Relaxed) {
                    let found = everything(store);
                    assert!(kept.iter().all(|stored| found.contains(stored)));
                }
            });
        }
        let writer = scope.spawn(|| {
            let mut written = Vec::new();
            for n in 10_000.. {
                if is_done.load(Ordering::Relaxed) {
                    break;
                }
                let event = note(n);
                let outcomes = store
                    .commit(&[Write::Put(event.clone())], &NoPolicy, NOW)
                    .unwrap();
                assert!(matches!(outcomes[..], [Outcome::Stored(_)]), "{outcomes:?}");
                written.push(*event.id());
            }
            written
        });
        for _ in 0..10 {
            compact(store);
        }
        is_done.store(true, Ordering::Relaxed);
        writer.join().unwrap()
    });
    let found = ids(&everything(store));
    assert!(written.iter().all(|id| found.contains(id)));
    let check = store.inspect(false, &mut |_| ControlFlow::Continue(()));
    assert!(check.unwrap().is_sound());
}

#[test]
fn c21_a_compaction_that_is_stopped_leaves_the_store_as_it_was() {
    let directory = TempDir::new().unwrap();
    let store = LmdbStore::open(directory.path(), small_options()).unwrap();
    fill(&store);
    let before = everything(&store);
    let stopped = store.compact(&mut |_| ControlFlow::Break(()));
    assert!(matches!(stopped, Err(StoreError::Stopped)), "{stopped:?}");
    assert_eq!(everything(&store), before);
    assert!(!directory.path().join(".trellis-compacting").exists());
    compact(&store);
    assert_eq!(everything(&store), before);
}

#[test]
fn c21_a_check_and_a_compaction_wait_for_nobody() {
    let subject = Subject::lmdb();
    fill(&*subject.store);
    let mut refusals = 0;
    subject
        .store
        .compact(&mut |headway| {
            assert!(headway.done <= headway.total);
            let refused = subject
                .store
                .inspect(true, &mut |_| ControlFlow::Continue(()));
            assert!(matches!(refused, Err(StoreError::Unavailable(_))));
            refusals += 1;
            ControlFlow::Continue(())
        })
        .unwrap();
    assert!(refusals > 0);
}

/// As when file handles or memory ran out between closing and opening.
#[test]
fn c21_a_store_that_could_not_be_opened_after_a_compaction_is_once_it_can_be() {
    let directory = TempDir::new().unwrap();
    let store = LmdbStore::open(directory.path(), small_options()).unwrap();
    fill(&store);
    let before = everything(&store);
    let lock = directory.path().join("lock.mdb");
    let mut obstruct = Some(|| {
        std::fs::remove_file(&lock).unwrap();
        std::fs::create_dir(&lock).unwrap();
    });
    let failed = store.compact(&mut |_| {
        obstruct.take().into_iter().for_each(|obstruct| obstruct());
        ControlFlow::Continue(())
    });
    for failed in [failed.map(drop), store.stats().map(drop)] {
        let words = failed.unwrap_err().to_string();
        for part in ["lock.mdb", "after a compaction", "start the relay again"] {
            assert!(words.contains(part), "{words}");
        }
    }
    std::fs::remove_dir(&lock).unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    while store.stats().is_err() {
        assert!(Instant::now() < deadline, "it stays closed");
        std::thread::yield_now();
    }
    assert_eq!(everything(&store), before);
    let outcomes = store.commit(&[Write::Put(note(5_000))], &NoPolicy, NOW);
    assert!(matches!(outcomes.unwrap()[..], [Outcome::Stored(_)]));
    assert!(store.check().unwrap().is_sound());
}

#[test]
fn c21_a_disk_without_room_for_a_second_database_is_told_before() {
    let directory = TempDir::new().unwrap();
    let store = LmdbStore::open(directory.path(), small_options()).unwrap();
    fill(&store);
    let before = everything(&store);
    drop(store);
    // What is to stay free is more than any disk has.
    let options = LmdbOptions {
        ballast_bytes: 1 << 60,
        ..small_options()
    };
    let store = LmdbStore::open(directory.path(), options).unwrap();
    let refused = store.compact(&mut |_| ControlFlow::Continue(()));
    let Err(error @ StoreError::DiskSpace { .. }) = refused else {
        panic!("{refused:?}");
    };
    let words = error.to_string();
    assert!(words.contains("free disk"), "{words}");
    assert!(
        words.contains(directory.path().to_str().unwrap()),
        "{words}"
    );
    assert_eq!(everything(&store), before);
}

#[test]
fn c21_a_disk_that_fills_during_a_compaction_is_told_as_such() {
    let Some(disk) = SmallDisk::mount(32) else {
        return;
    };
    let store = LmdbStore::open(disk.path.join("data"), small_options()).unwrap();
    fill(&store);
    let before = everything(&store);
    let others = disk.path.join("others");
    let refused = store.compact(&mut |_| {
        if !others.exists() {
            fill_disk(&others);
        }
        ControlFlow::Continue(())
    });
    assert!(
        matches!(refused, Err(StoreError::DiskSpace { .. })),
        "{refused:?}"
    );
    assert!(!disk.path.join("data/.trellis-compacting").exists());
    std::fs::remove_file(&others).unwrap();
    assert_eq!(everything(&store), before);
    compact(&store);
    assert_eq!(everything(&store), before);
}

#[test]
fn c21_a_database_behind_a_link_is_not_compacted() {
    let (directory, volume) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    drop(LmdbStore::open(directory.path(), small_options()).unwrap());
    let (name, target) = (
        directory.path().join("data.mdb"),
        volume.path().join("data.mdb"),
    );
    std::fs::rename(&name, &target).unwrap();
    std::os::unix::fs::symlink(&target, &name).unwrap();
    let store = LmdbStore::open(directory.path(), small_options()).unwrap();
    let refused = store.compact(&mut |_| ControlFlow::Continue(()));
    let words = refused.unwrap_err().to_string();
    assert!(words.contains("data.mdb is a symbolic link"), "{words}");
    assert!(name.is_symlink());
    fill(&store);
}

/// Not a test of its own: what the child process runs until it is killed.
#[test]
#[ignore = "run by a crash test as a child process"]
fn child_compacts_until_killed() {
    let Some(directory) = std::env::var_os(DIRECTORY) else {
        return;
    };
    let store = LmdbStore::open(directory, small_options()).unwrap();
    let say = |words: &str| {
        let mut out = std::io::stdout().lock();
        writeln!(out, "{words}").and_then(|()| out.flush()).unwrap();
    };
    for n in store.last_row().unwrap().. {
        store
            .compact(&mut |_| {
                say("under way");
                ControlFlow::Continue(())
            })
            .unwrap();
        say("compacted");
        let event = note(100_000 + n);
        store
            .commit(&[Write::Put(event.clone())], &NoPolicy, NOW)
            .unwrap();
        say(&event.id().to_hex());
    }
}

#[test]
fn c21_kill_9_during_a_compaction_leaves_a_whole_database() {
    let directory = TempDir::new().unwrap();
    let store = LmdbStore::open(directory.path(), small_options()).unwrap();
    fill(&store);
    let mut known: Vec<EventId> = ids(&everything(&store));
    drop(store);
    for round in 0..ROUNDS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["compact::child_compacts_until_killed", "--exact"])
            .args(["--ignored", "--nocapture"])
            .env(DIRECTORY, directory.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let killed_after = rand::rng().random_range(1..60);
        let mut told = 0;
        for line in output.lines() {
            let line = line.unwrap();
            known.extend(EventId::from_hex(&line));
            told += usize::from(line == "under way" || line == "compacted");
            if told == killed_after {
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        assert!(told >= killed_after, "the child ended by itself");

        let store = LmdbStore::open(directory.path(), small_options()).unwrap();
        let report = store.check().unwrap();
        assert!(report.is_sound(), "round {round}: {report:?}");
        for id in &known {
            assert!(store.contains(id).unwrap(), "round {round}: {id:?} is lost");
        }
        assert!(!directory.path().join(".trellis-compacting").exists());
    }
}
