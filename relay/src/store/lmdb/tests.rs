//! What only shows from inside: damage that a check must find, and directories of newer versions. Those of earlier ones
//! are in `moving`.
#![allow(clippy::unwrap_used)]

mod moving;

use super::changes::changes;
use super::cursor::{Pen, Walk};
use super::mapped::Mapped;
use super::tables::Table;
use super::{LmdbOptions, LmdbStore};
use crate::event::{Event, EventId, EventParts};
use crate::filter::Filter;
use crate::store::{Budget, Cause, CheckReport, NoPolicy, Order, Scan, Store, StoreError, Write};
use lmdb::{Transaction, WriteFlags};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

fn options() -> LmdbOptions {
    LmdbOptions {
        quota_bytes: 1 << 30,
        ballast_bytes: 0,
        ..LmdbOptions::default()
    }
}

fn event(n: u8, kind: u16, tags_json: &str) -> Write {
    let event: Event = EventParts {
        id: &[n; 32],
        pubkey: &[1; 32],
        created_at: 1_700_000_000 + u64::from(n),
        kind,
        tags_json,
        content_json: r#""content""#,
        sig: &[2; 64],
    }
    .assemble();
    Write::Put(Arc::new(event))
}

/// A store with an entry in every index.
fn filled(directory: &TempDir) -> LmdbStore {
    let store = LmdbStore::open(directory.path(), options()).unwrap();
    let batch = [
        event(1, 1, r#"[["t","cats"],["expiration","1800000000"]]"#),
        event(2, 30_000, r#"[["d","x"]]"#),
        event(3, 0, "[]"),
    ];
    store.commit(&batch, &NoPolicy, 0).unwrap();
    assert_eq!(store.check().unwrap().problems, [""; 0]);
    store
}

fn within<T>(store: &LmdbStore, look: impl FnOnce(&Mapped) -> T) -> T {
    look(store.mapped.read().unwrap().as_ref().unwrap())
}

#[test]
fn c19_used_bytes_are_those_of_pages_that_are_not_free() {
    let directory = TempDir::new().unwrap();
    let store = LmdbStore::open(directory.path(), options()).unwrap();
    let page_bytes = within(&store, |mapped| mapped.room.page_bytes());
    for n in 0..200 {
        store.commit(&[event(n, 1, "[]")], &NoPolicy, 0).unwrap();
        let walked = within(&store, |mapped| {
            let extent = mapped.env.info().unwrap().last_pgno() as u64 + 1;
            extent - mapped.env.freelist().unwrap() as u64
        });
        let told = store.stats().unwrap().used_bytes / page_bytes;
        // The list of free pages is itself a page or two.
        assert!((told..=told + 2).contains(&walked), "{walked}, {told}");
    }
}

#[test]
fn e4_the_newest_changes_in_memory_are_those_of_the_tables() {
    for removal_log_entries in [3, 1_000] {
        let directory = TempDir::new().unwrap();
        let options = LmdbOptions {
            removal_log_entries,
            ..options()
        };
        let store = LmdbStore::open(directory.path(), options).unwrap();
        store.changes(0, 1).unwrap();
        let remove = |n| Write::Remove(EventId::from_byte_array([n; 32]), Cause::Admin);
        let mut answered = 0;
        for n in 10..40 {
            // A version that replaces the last one, what goes sooner or later, and what goes at once.
            let expiration = format!(r#"[["expiration","{}"]]"#, 1_800_000_000 + u64::from(n));
            let batch = [
                event(n, 0, "[]"),
                event(n + 50, 1, &expiration),
                event(n + 100, 1, "[]"),
                remove(n + 100),
                remove(n + 43),
            ];
            store.commit(&batch, &NoPolicy, 0).unwrap();
            for (after, max) in (0..=store.last_row().unwrap() + 1)
                .flat_map(|after| [1, 3, usize::MAX].map(|max| (after, max)))
            {
                let (newest, told) = within(&store, |mapped| {
                    let told = changes(
                        &mapped.env.begin_ro_txn().unwrap(),
                        &mapped.tables,
                        after,
                        max,
                    )
                    .unwrap();
                    (mapped.newest.changes(after, max), told)
                });
                if let Some(newest) = newest {
                    assert_eq!(newest.changes, told.changes, "{after}, {max}");
                    assert_eq!(newest.next, told.next, "{after}, {max}");
                    answered += 1;
                }
            }
        }
        assert!(answered > 300, "{answered}");
    }
}

/// Changes the first pair of a table and tells what a check finds.
fn check_after(table: Table, change: impl FnOnce(&mut Pen<'_>, &[u8], &[u8])) -> CheckReport {
    let directory = TempDir::new().unwrap();
    let store = filled(&directory);
    within(&store, |mapped| {
        let mut txn = mapped.env.begin_rw_txn().unwrap();
        let handle = mapped.tables.of(table);
        let (key, value) = {
            let mut walk = Walk::new(&txn, handle).unwrap();
            let (key, value) = walk.first().unwrap().unwrap();
            (key.to_vec(), value.to_vec())
        };
        change(&mut Pen::new(&mut txn, handle).unwrap(), &key, &value);
        txn.commit().unwrap();
    });
    store.check().unwrap()
}

#[test]
fn c21_check_finds_a_missing_entry_in_any_index() {
    for table in super::check::INDEXES {
        let report = check_after(table, |pen, key, _| assert!(pen.delete(key).unwrap()));
        assert!(!report.is_sound(), "{table:?}");
        assert!(report.problems[0].contains("missing"), "{report:?}");
    }
}

/// As if two values of a tag had the same hash.
#[test]
fn c21_what_is_to_be_removed_by_a_tag_has_that_tag() {
    let directory = TempDir::new().unwrap();
    let store = LmdbStore::open(directory.path(), options()).unwrap();
    let batch = [
        event(1, 1, r#"[["t","cats"]]"#),
        event(2, 1, r#"[["t","dogs"]]"#),
    ];
    store.commit(&batch, &NoPolicy, 0).unwrap();
    within(&store, |mapped| {
        let cats = mapped.hash.tag(b't', "cats");
        let dogs = mapped.hash.tag(b't', "dogs");
        let to_cats = |bytes: &[u8]| {
            let mut bytes = bytes.to_vec();
            let at = bytes.windows(dogs.len()).position(|some| some == dogs);
            if let Some(at) = at {
                bytes[at..at + cats.len()].copy_from_slice(&cats);
            }
            bytes
        };
        let mut txn = mapped.env.begin_rw_txn().unwrap();
        for table in [Table::Data, Table::Tag] {
            let handle = mapped.tables.of(table);
            let mut pairs = Vec::new();
            let mut walk = Walk::new(&txn, handle).unwrap();
            let mut found = walk.first().unwrap();
            while let Some((key, value)) = found {
                pairs.push((key.to_vec(), value.to_vec()));
                found = walk.next().unwrap();
            }
            drop(walk);
            let mut pen = Pen::new(&mut txn, handle).unwrap();
            for (key, value) in pairs {
                pen.put(&to_cats(&key), &to_cats(&value)).unwrap();
            }
        }
        txn.commit().unwrap();
    });
    let mut filter = Filter::default();
    filter.tags.insert(b't', vec!["cats".to_owned()]);
    let scan = Scan {
        filter: &filter,
        order: Order::NewestFirst,
        resume: None,
        max_row: u64::MAX,
        now: 0,
        budget: Budget {
            events: 10,
            entries: 10,
            bytes: usize::MAX,
            time: Duration::MAX,
        },
    };
    assert_eq!(store.positions(&scan).unwrap().positions.len(), 2);
    let sure = store.positions_to_remove(&scan).unwrap().positions;
    assert_eq!(sure.len(), 1);
    assert_eq!(sure[0].id.as_bytes(), &[1; 32]);
}

#[test]
fn c21_check_finds_an_entry_that_leads_nowhere() {
    for table in super::check::INDEXES {
        let report = check_after(table, |pen, key, value| {
            let mut other = key.to_vec();
            other[0] ^= 1;
            pen.put(&other, value).unwrap();
        });
        assert_eq!(report.problem_count, 1, "{table:?}: {report:?}");
    }
}

#[test]
fn c21_check_finds_a_wrong_value() {
    for table in [
        Table::Id,
        Table::Time,
        Table::Author,
        Table::Tag,
        Table::Address,
    ] {
        let report = check_after(table, |pen, key, value| {
            let mut other = value.to_vec();
            other[0] ^= 1;
            pen.put(key, &other).unwrap();
        });
        assert_eq!(report.problem_count, 1, "{table:?}: {report:?}");
    }
}

#[test]
fn c21_check_finds_a_damaged_record() {
    let cut = check_after(Table::Data, |pen, key, value| {
        pen.put(key, &value[..value.len() - 1]).unwrap();
    });
    assert!(cut.problems[0].contains("row 1"), "{cut:?}");
    let unquoted = check_after(Table::Data, |pen, key, value| {
        let mut other = value.to_vec();
        *other.last_mut().unwrap() = b'x';
        pen.put(key, &other).unwrap();
    });
    assert!(unquoted.problems[0].contains("row 1"), "{unquoted:?}");
}

#[test]
fn c19_a_newer_schema_is_refused() {
    let directory = TempDir::new().unwrap();
    let store = filled(&directory);
    within(&store, |mapped| {
        let mut txn = mapped.env.begin_rw_txn().unwrap();
        let newer = (super::meta::SCHEMA + 1).to_be_bytes();
        let meta = mapped.tables.of(Table::Meta);
        txn.put(meta, b"schema", &newer, WriteFlags::empty())
            .unwrap();
        txn.commit().unwrap();
    });
    drop(store);
    let refused = LmdbStore::open(directory.path(), options()).unwrap_err();
    assert!(
        matches!(refused, StoreError::Schema { found: 4, known: 3 }),
        "{refused:?}"
    );
}

#[test]
fn c21_check_finds_a_request_to_vanish_without_its_tombstone() {
    let directory = TempDir::new().unwrap();
    let store = filled(&directory);
    let Write::Put(request) = event(9, 62, r#"[["relay","ALL_RELAYS"]]"#) else {
        return;
    };
    let batch = [Write::Vanish(request)];
    store.commit(&batch, &NoPolicy, 0).unwrap();
    within(&store, |mapped| {
        let mut txn = mapped.env.begin_rw_txn().unwrap();
        let mut pen = Pen::new(&mut txn, mapped.tables.of(Table::Vanished)).unwrap();
        assert!(pen.delete(&[1; 32]).unwrap());
        drop(pen);
        txn.commit().unwrap();
    });
    assert_eq!(store.check().unwrap().problem_count, 1);
}

#[test]
fn v7_bytes_an_event_after_load_and_after_compact() {
    let directory = TempDir::new().unwrap();
    let store = LmdbStore::open(directory.path(), options()).unwrap();
    let mut random = 1u64;
    let mut word = move || {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (random ^ random >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd)
    };
    let mut key = || -> [u8; 32] {
        let words = [word(), word(), word(), word()].map(u64::to_be_bytes);
        words.as_flattened().try_into().unwrap()
    };
    const EVENTS: usize = 20_000;
    const BATCH: usize = 1_000;
    let content = format!(r#""{}""#, "Some words of a note. ".repeat(28));
    let mut json_bytes = 0;
    for batch in 0..EVENTS / BATCH {
        let writes: Vec<Write> = (0..BATCH)
            .map(|n| {
                let tags = [(); 4].map(|()| format!(r#"["p","{}"]"#, const_hex::encode(key())));
                let event = EventParts {
                    id: &key(),
                    pubkey: &key(),
                    created_at: 1_700_000_000 + (batch * BATCH + n) as u64,
                    kind: 1,
                    tags_json: &format!("[{}]", tags.join(",")),
                    content_json: &content,
                    sig: &[2; 64],
                };
                let event = event.assemble();
                json_bytes += event.json().len();
                Write::Put(Arc::new(event))
            })
            .collect();
        store.commit(&writes, &NoPolicy, 0).unwrap();
    }
    assert!(json_bytes / EVENTS > 1_100, "{}", json_bytes / EVENTS);
    let file_bytes = || directory.path().join("data.mdb").metadata().unwrap().len();
    let loaded_bytes = file_bytes() / EVENTS as u64;
    assert!(loaded_bytes <= 2_600, "{loaded_bytes} bytes an event");
    store.compact(&mut |_| ControlFlow::Continue(())).unwrap();
    let compact_bytes = file_bytes() / EVENTS as u64;
    assert!(compact_bytes <= 2_000, "{compact_bytes} bytes an event");
    assert_eq!(store.check().unwrap().problems, [""; 0]);
}
