//! D4: what a store gives out for a backup, and takes back.

use crate::draft::{Draft, deletion_of, pubkey};
use crate::subject::{NOW, Subject, for_every_store};
use trellis_relay::event::Address;
use trellis_relay::store::{
    Cause, Change, EntriesOf, Entry, NoPolicy, Outcome, PutBack, Store, Stored, Vanishing, Write,
    chain,
};

for_every_store!(
    d4_entries_come_page_by_page_and_each_once,
    d4_entries_that_are_asked_for_stand_as_the_changes_do,
    d4_the_last_rows_of_a_key_space_that_grows_are_told,
    d4_what_is_put_back_is_as_it_was,
    d4_a_version_that_is_put_back_before_the_older_one_goes_stays,
    d4_entries_are_forgotten_before_others_take_their_place,
);

fn kv(key: &[u8], value: Option<&[u8]>) -> Write {
    Write::Kv {
        extension: "rows".to_owned(),
        key: key.to_vec(),
        value: value.map(<[u8]>::to_vec),
    }
}

fn row(key: &[u8], value: Option<&[u8]>) -> Entry {
    Entry::Row {
        extension: "rows".to_owned(),
        key: key.to_vec(),
        value: value.map(<[u8]>::to_vec),
    }
}

fn all_entries(store: &dyn Store, max: usize) -> Vec<Entry> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = store.entries(after.as_ref(), max).unwrap();
        assert_eq!(page.nameless, 0);
        all.extend(page.entries);
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    all.sort();
    all
}

/// Tombstones of each kind, somebody who vanishes, and rows.
fn fill(subject: &Subject) -> Vec<Entry> {
    let note = Draft::of(1).build();
    subject.stored(&note);
    let address = Address {
        kind: 30_023,
        pubkey: pubkey(1),
        d: "a:\"b\"".to_owned(),
    };
    let deletion = Draft::of(5).at(1_700_000_009);
    let deletion = deletion.tag(&["e", &note.id().to_hex()]);
    subject.stored(&deletion.tag(&["a", &address.to_string()]).build());
    let vanish = Draft::of(62).by(2).tag(&["relay", "ALL_RELAYS"]).build();
    let until = vanish.created_at();
    let batch = [
        Write::Vanish(vanish),
        kv(b"", Some(b"1")),
        kv(b"k", Some(b"")),
    ];
    subject.commit_with(&batch, &NoPolicy);
    let mut entries = vec![
        row(b"", Some(b"1")),
        row(b"k", Some(b"")),
        Entry::DeletedId {
            id: *note.id(),
            by: pubkey(1),
        },
        Entry::DeletedAddress {
            address,
            until: 1_700_000_009,
        },
        Entry::Vanished {
            pubkey: pubkey(2),
            until,
        },
        Entry::Vanishing {
            pubkey: pubkey(2),
            until: Some(until),
        },
    ];
    entries.sort();
    entries
}

fn d4_entries_come_page_by_page_and_each_once(subject: &Subject) {
    assert!(all_entries(&*subject.store, 5).is_empty());
    let entries = fill(subject);
    for max in [1, 2, 3, 100] {
        assert_eq!(all_entries(&*subject.store, max), entries);
    }
}

fn d4_entries_that_are_asked_for_stand_as_the_changes_do(subject: &Subject) {
    let entries = fill(subject);
    let deletion = subject.store.changes(0, 100).unwrap().changes;
    let deletion = deletion.into_iter().find_map(|change| match change {
        Change::Stored(stored) if stored.event.kind() == 5 => Some(stored.event),
        _ => None,
    });
    let of = [
        EntriesOf::Deletion(deletion.unwrap()),
        EntriesOf::Vanishing(pubkey(2)),
        EntriesOf::Vanishing(pubkey(3)),
        EntriesOf::Row {
            extension: "rows".to_owned(),
            key: b"k".to_vec(),
        },
        EntriesOf::Row {
            extension: "others".to_owned(),
            key: b"k".to_vec(),
        },
    ];
    let (changes, told) = subject.store.changes_with(0, 100, &of).unwrap();
    assert_eq!(changes.next, subject.store.last_row().unwrap());
    let is_there = |entry: &&Entry| !matches!(entry, Entry::Row { key, .. } if key.is_empty());
    let mut expected: Vec<Entry> = entries.iter().filter(is_there).cloned().collect();
    expected.push(Entry::Vanishing {
        pubkey: pubkey(3),
        until: None,
    });
    expected.push(Entry::Row {
        extension: "others".to_owned(),
        key: b"k".to_vec(),
        value: None,
    });
    let sorted = |mut entries: Vec<Entry>| {
        entries.sort();
        entries
    };
    assert_eq!(sorted(told), sorted(expected));
}

fn d4_the_last_rows_of_a_key_space_that_grows_are_told(subject: &Subject) {
    let append = |entry: &str| Write::Append {
        space: "grows".to_owned(),
        entry: entry.as_bytes().to_vec(),
        even_if_full: true,
    };
    let batch = ["one", "two", "three"].map(append);
    subject.store.commit(&batch, &NoPolicy, NOW).unwrap();
    fill(subject);
    let last = |space: &str, rows| {
        let of = [EntriesOf::LastRows {
            space: space.to_owned(),
            rows,
        }];
        let (_, told) = subject.store.changes_with(0, 1, &of).unwrap();
        let keys = told.into_iter().map(|entry| match entry {
            Entry::Row {
                extension,
                key,
                value: Some(_),
            } if extension == space => chain::number(&key).unwrap(),
            other => panic!("{other:?}"),
        });
        keys.collect::<Vec<_>>()
    };
    assert_eq!(last("grows", 2), [3, 2]);
    assert_eq!(last("grows", 9), [3, 2, 1]);
    assert!(last("no such", 9).is_empty());
}

fn put_back_of(changes: &[Change]) -> Vec<PutBack> {
    let put = |change: &Change| match change {
        Change::Stored(stored) => PutBack::Event(stored.clone()),
        Change::Removed {
            row,
            id,
            kind,
            pubkey,
            cause,
        } => PutBack::Removed {
            row: *row,
            id: *id,
            kind: *kind,
            pubkey: *pubkey,
            cause: *cause,
        },
        Change::Gap { .. } => panic!("a gap"),
    };
    changes.iter().map(put).collect()
}

fn d4_what_is_put_back_is_as_it_was(subject: &Subject) {
    let entries = fill(subject);
    let kept = Draft::of(30_023).tag(&["d", "x"]).build();
    subject.stored(&kept);
    let other = Draft::of(1).by(4).build();
    subject.stored(&other);
    subject.remove(&other, Cause::Admin);
    let changes = subject.store.changes(0, 100).unwrap();
    for restored in [Subject::memory(), Subject::lmdb()] {
        let mut batch = put_back_of(&changes.changes);
        batch.extend(entries.iter().cloned().map(PutBack::Entry));
        for some in batch.chunks(2) {
            restored.store.put_back(some).unwrap();
        }
        let told = restored.store.changes(0, 100).unwrap();
        assert_eq!(told.changes, changes.changes);
        assert_eq!(told.next, changes.next);
        assert_eq!(all_entries(&*restored.store, 3), entries);
        // It goes on where it was.
        let next = restored.stored(&Draft::of(1).by(5).build());
        assert_eq!(next, changes.next + 1);
        let sound = restored
            .store
            .inspect(false, &mut |_| std::ops::ControlFlow::Continue(()));
        assert!(sound.unwrap().is_sound());
    }
}

/// The removal of the older one comes with the next batch.
fn d4_a_version_that_is_put_back_before_the_older_one_goes_stays(subject: &Subject) {
    let version = |at: u64| Draft::of(30_023).at(at).tag(&["d", "x"]).build();
    let (old, new) = (version(100), version(101));
    let put = |row, event: &std::sync::Arc<_>| {
        PutBack::Event(Stored {
            row,
            expires_at: None,
            event: std::sync::Arc::clone(event),
        })
    };
    let removed = PutBack::Removed {
        row: 9,
        id: *old.id(),
        kind: 30_023,
        pubkey: *old.pubkey(),
        cause: Cause::Replacement,
    };
    for one in [PutBack::Begin(3), put(2, &old), put(8, &new), removed] {
        subject.store.put_back(&[one]).unwrap();
    }
    assert!(subject.has(&new) && !subject.has(&old));
    assert_eq!(subject.put(&version(99)), Outcome::Superseded);
    let gap = subject.store.changes(0, 10).unwrap().changes;
    assert_eq!(gap[0], Change::Gap { from: 1, to: 3 });
    let sound = subject
        .store
        .inspect(false, &mut |_| std::ops::ControlFlow::Continue(()));
    assert_eq!(sound.unwrap().problems, Vec::<String>::new());
    let newest = version(102);
    subject.stored(&newest);
    assert!(!subject.has(&new));
}

fn d4_entries_are_forgotten_before_others_take_their_place(subject: &Subject) {
    fill(subject);
    let put = [
        PutBack::Entry(row(b"early", Some(b"1"))),
        PutBack::ForgetEntries,
        PutBack::Entry(row(b"late", Some(b"2"))),
    ];
    subject.store.put_back(&put).unwrap();
    let late = [row(b"late", Some(b"2"))];
    assert_eq!(all_entries(&*subject.store, 9), late);
    // Nobody has vanished any more, and nothing is deleted.
    let ended = [Write::EndVanishing(Vanishing {
        pubkey: pubkey(2),
        until: 1_700_000_000,
    })];
    assert_eq!(subject.commit_with(&ended, &NoPolicy), [Outcome::Kept]);
    let note = Draft::of(1).build();
    subject.stored(&deletion_of(1, NOW - 1, &[&note]));
    assert_eq!(subject.put(&note), Outcome::Deleted);
}
