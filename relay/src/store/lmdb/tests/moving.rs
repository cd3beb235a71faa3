//! Directories that earlier versions wrote: their records are moved, or nothing is touched.

use super::{event, filled, options, within};
use crate::event::EventParts;
use crate::store::lmdb::cursor::Walk;
use crate::store::lmdb::mapped::Mapped;
use crate::store::lmdb::moving::{NAME_BEFORE, Steps};
use crate::store::lmdb::tables::Table;
use crate::store::lmdb::{LmdbOptions, LmdbStore, Migration, keys, meta};
use crate::store::{NoPolicy, Store, StoreError, Write};
use lmdb::{DatabaseFlags, Environment, Transaction, WriteFlags};
use std::sync::Arc;
use tempfile::TempDir;

/// Lays a store's tables out as version 1 had them: without that of vanishings, and with bytes as the keys of records.
fn copy_as_version_1(from: &Mapped, directory: &TempDir) {
    let env = Environment::new()
        .set_max_dbs(Table::ALL.len() as u32)
        .set_map_size(1 << 26)
        .open(directory.path())
        .unwrap();
    let source = from.env.begin_ro_txn().unwrap();
    for (table, name) in Table::ALL {
        if table == Table::Vanishing {
            continue;
        }
        let name = match table {
            Table::Data => NAME_BEFORE,
            _ => name,
        };
        let copy = env.create_db(Some(name), DatabaseFlags::empty()).unwrap();
        let mut txn = env.begin_rw_txn().unwrap();
        let mut walk = Walk::new(&source, from.tables.of(table)).unwrap();
        let mut found = walk.first().unwrap();
        while let Some((key, value)) = found {
            let key = match table {
                Table::Data => key_of_version_2(key),
                _ => key.to_vec(),
            };
            txn.put(copy, &key, &value, WriteFlags::empty()).unwrap();
            found = walk.next().unwrap();
        }
        if table == Table::Meta {
            txn.put(copy, b"schema", &1u32.to_be_bytes(), WriteFlags::empty())
                .unwrap();
        }
        txn.commit().unwrap();
    }
}

/// `row5 . chunk1`
fn key_of_version_2(key: &[u8]) -> Vec<u8> {
    let (row, chunk) = keys::read_data(key).unwrap();
    [&keys::five(row)[..], &[chunk]].concat()
}

#[test]
fn c19_a_directory_of_version_1_is_migrated_and_its_events_stay() {
    let (current, old) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let filled = filled(&current);
    within(&filled, |mapped| copy_as_version_1(mapped, &old));
    for migration in [Some(Migration { from: 1, to: 3 }), None] {
        let store = LmdbStore::open(old.path(), options()).unwrap();
        assert_eq!(store.migration(), migration);
        within(&store, |mapped| {
            let txn = mapped.env.begin_ro_txn().unwrap();
            let schema = mapped.tables.get(&txn, Table::Meta, b"schema").unwrap();
            assert_eq!(schema, Some(&meta::SCHEMA.to_be_bytes()[..]));
        });
        let report = store.check().unwrap();
        assert!(report.is_sound() && report.events == 3, "{report:?}");
        let all = store.changes(0, 10).unwrap().changes;
        assert_eq!(all, filled.changes(0, 10).unwrap().changes);
    }
    let store = LmdbStore::open(old.path(), options()).unwrap();
    let Write::Put(request) = event(9, 62, r#"[["relay","ALL_RELAYS"]]"#) else {
        return;
    };
    store
        .commit(&[Write::Vanish(request)], &NoPolicy, 0)
        .unwrap();
    assert_eq!(store.vanishings(10).unwrap().len(), 1);
    assert!(store.check().unwrap().is_sound());
}

/// As if the program had ended between two transactions of the move.
fn move_one_and_break_off(directory: &TempDir) {
    let env = Environment::new()
        .set_max_dbs(Table::MOST_OPEN)
        .set_map_size(1 << 26)
        .open(directory.path())
        .unwrap();
    let before = env.open_db(Some(NAME_BEFORE)).unwrap();
    let (_, name) = Table::ALL[Table::Data as usize];
    let now = env
        .create_db(Some(name), DatabaseFlags::INTEGER_KEY)
        .unwrap();
    let meta = env.open_db(Some("meta")).unwrap();
    let mut txn = env.begin_rw_txn().unwrap();
    let (key, chunk) = {
        let (key, chunk) = Walk::new(&txn, before).unwrap().first().unwrap().unwrap();
        (key.to_vec(), chunk.to_vec())
    };
    let moved = keys::data_from_version_2(&key).unwrap();
    txn.put(now, &&*moved, &chunk, WriteFlags::empty()).unwrap();
    txn.del(before, &key, None).unwrap();
    let schema = meta::SCHEMA.to_be_bytes();
    txn.put(meta, b"schema", &schema, WriteFlags::empty())
        .unwrap();
    txn.commit().unwrap();
}

#[test]
fn d9_a_look_counts_records_that_have_to_be_moved() {
    let (current, old) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let filled = filled_with_mebibytes(&current, 2);
    within(&filled, |mapped| copy_as_version_1(mapped, &old));
    let look = || LmdbStore::look(old.path(), &options()).unwrap().unwrap();
    let seen = look();
    assert_eq!((seen.schema, seen.events), (1, 2 * 64));
    assert!(seen.has_to_move && seen.used_bytes > 2 << 20, "{seen:?}");
    move_one_and_break_off(&old);
    let seen = look();
    assert_eq!((seen.schema, seen.known), (meta::SCHEMA, meta::SCHEMA));
    assert!(seen.has_to_move && seen.used_bytes > 2 << 20, "{seen:?}");
    drop(LmdbStore::open(old.path(), options()).unwrap());
    assert!(!look().has_to_move);
}

#[test]
fn c19_records_that_were_left_behind_are_moved_by_the_next_opening() {
    let (current, old) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let filled = filled(&current);
    within(&filled, |mapped| copy_as_version_1(mapped, &old));
    move_one_and_break_off(&old);
    let store = LmdbStore::open(old.path(), options()).unwrap();
    assert_eq!(store.migration(), None);
    let report = store.check().unwrap();
    assert!(report.is_sound() && report.events == 3, "{report:?}");
    let all = store.changes(0, 10).unwrap().changes;
    assert_eq!(all, filled.changes(0, 10).unwrap().changes);
}

/// Long records, so that there are more of them than one transaction moves.
fn filled_with_mebibytes(directory: &TempDir, mebibytes: u16) -> LmdbStore {
    let store = LmdbStore::open(directory.path(), options()).unwrap();
    let content_json = format!("\"{}\"", "x".repeat(1 << 14));
    for n in 0..mebibytes {
        let batch = (0..64u8).map(|i| {
            let mut id = [i; 32];
            id[..2].copy_from_slice(&n.to_be_bytes());
            let event = EventParts {
                id: &id,
                pubkey: &[1; 32],
                created_at: 1_700_000_000,
                kind: 1,
                tags_json: "[]",
                content_json: &content_json,
                sig: &[2; 64],
            };
            Write::Put(Arc::new(event.assemble()))
        });
        let batch: Vec<Write> = batch.collect();
        store.commit(&batch, &NoPolicy, 0).unwrap();
    }
    store
}

#[test]
fn c19_a_move_of_many_transactions_needs_no_more_room_than_is_asked_for() {
    let (current, old) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let filled = filled_with_mebibytes(&current, 6);
    within(&filled, |mapped| copy_as_version_1(mapped, &old));
    let file_bytes = || old.path().join("data.mdb").metadata().unwrap().len();
    let before_bytes = file_bytes();
    let whole = Steps::default();
    // As the defaults, at an eighth.
    let steps = Steps {
        transaction_bytes: whole.transaction_bytes / 8,
        room_bytes: whole.room_bytes / 8,
    };
    drop(Mapped::open_moving(old.path(), &options(), steps).unwrap());
    let grown_bytes = file_bytes() - before_bytes;
    assert!(grown_bytes <= steps.room_bytes, "{grown_bytes}");
    let store = LmdbStore::open(old.path(), options()).unwrap();
    let report = store.check().unwrap();
    assert!(report.is_sound() && report.events == 6 * 64, "{report:?}");
}

#[test]
fn c19_without_room_to_move_a_directory_stays_with_its_version() {
    let (current, old) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let filled = filled(&current);
    within(&filled, |mapped| copy_as_version_1(mapped, &old));
    let ballast = old.path().join("ballast");
    std::fs::write(&ballast, [0; 1 << 10]).unwrap();
    let endless = Steps {
        room_bytes: u64::MAX,
        ..Steps::default()
    };
    let options = LmdbOptions {
        ballast_bytes: 1 << 10,
        ..options()
    };
    let refused = Mapped::open_moving(old.path(), &options, endless).unwrap_err();
    let refused = StoreError::from(refused);
    assert!(matches!(refused, StoreError::Full(_)), "{refused:?}");
    assert!(!ballast.exists(), "the ballast is thrown out first");
    let version = || {
        let env = Environment::new().set_max_dbs(1).open(old.path()).unwrap();
        let table = env.open_db(Some("meta")).unwrap();
        let txn = env.begin_ro_txn().unwrap();
        txn.get(table, b"schema").unwrap().to_vec()
    };
    assert_eq!(version(), 1u32.to_be_bytes());
    let store = LmdbStore::open(old.path(), options).unwrap();
    assert_eq!(store.check().unwrap().events, 3);
}
