//! The key spaces of extensions.

use crate::subject::{Subject, for_every_store};
use trellis_relay::store::chain::Follower;
use trellis_relay::store::{MAX_KEY_BYTES, NoPolicy, Outcome, StoreError, Write};

for_every_store!(
    e3_rows_are_set_read_and_deleted,
    e3_extensions_do_not_see_each_others_rows,
    e3_rows_are_listed_by_prefix_and_page,
    e3_a_key_that_is_too_long_is_refused_alone,
    c29_rows_are_added_behind_the_last_one,
);

fn append(space: &str, entry: &[u8]) -> Write {
    Write::Append {
        space: space.to_owned(),
        entry: entry.to_vec(),
        even_if_full: true,
    }
}

fn c29_rows_are_added_behind_the_last_one(subject: &Subject) {
    let read = |space: &str| -> Vec<Vec<u8>> {
        let rows = subject.store.kv_scan(space, b"", None, 1_000).unwrap();
        let mut follower = Follower::default();
        let entries = rows.iter().map(|(key, value)| {
            let entry = follower.follow(key, value).unwrap();
            entry.to_vec()
        });
        entries.collect()
    };
    // Neighbours in the table, before and behind.
    subject.commit_with(
        &[set("a", b"\xff", Some(b"x")), set("b", b"", Some(b"y"))],
        &NoPolicy,
    );
    let batch = [
        append("log", b"1"),
        set("c", b"k", Some(b"z")),
        append("log", b"2"),
    ];
    assert_eq!(
        subject.commit_with(&batch, &NoPolicy),
        vec![Outcome::Done; 3]
    );
    subject.commit_with(&[append("log", b""), append("other", b"1")], &NoPolicy);
    subject.commit_with(&[append("log", b"4")], &NoPolicy);
    assert_eq!(read("log"), [&b"1"[..], b"2", b"", b"4"]);
    assert_eq!(read("other"), [b"1"]);
    for _ in 0..300 {
        subject.commit_with(&[append("log", b"many"), append("log", b"more")], &NoPolicy);
    }
    assert_eq!(read("log").len(), 604);
}

fn set(extension: &str, key: &[u8], value: Option<&[u8]>) -> Write {
    Write::Kv {
        extension: extension.to_owned(),
        key: key.to_vec(),
        value: value.map(<[u8]>::to_vec),
    }
}

fn e3_rows_are_set_read_and_deleted(subject: &Subject) {
    let get = |key: &[u8]| subject.store.kv_get("groups", key).unwrap();
    assert_eq!(get(b"a"), None);
    let outcomes = subject.commit_with(
        &[
            set("groups", b"a", Some(b"1")),
            set("groups", b"", Some(b"empty key")),
            set("groups", b"b", Some(b"")),
            set("groups", b"b", Some(b"2")),
            set("groups", b"c", Some(b"3")),
            set("groups", b"c", None),
            set("groups", b"never", None),
        ],
        &NoPolicy,
    );
    assert_eq!(outcomes, vec![Outcome::Done; 7]);
    assert_eq!(get(b"a").as_deref(), Some(&b"1"[..]));
    assert_eq!(get(b"").as_deref(), Some(&b"empty key"[..]));
    assert_eq!(get(b"b").as_deref(), Some(&b"2"[..]));
    assert_eq!(get(b"c"), None);
    subject.commit_with(&[set("groups", b"a", None)], &NoPolicy);
    assert_eq!(get(b"a"), None);
    assert_eq!(subject.store.last_row().unwrap(), 0, "rows are of events");
    let big = vec![7; 100_000];
    subject.commit_with(&[set("groups", b"big", Some(&big))], &NoPolicy);
    assert_eq!(get(b"big"), Some(big));
}

fn e3_extensions_do_not_see_each_others_rows(subject: &Subject) {
    subject.commit_with(
        &[
            set("groups", b"k", Some(b"1")),
            set("group", b"k", Some(b"2")),
        ],
        &NoPolicy,
    );
    assert_eq!(
        subject.store.kv_get("groups", b"k").unwrap().as_deref(),
        Some(&b"1"[..])
    );
    assert_eq!(
        subject.store.kv_get("group", b"k").unwrap().as_deref(),
        Some(&b"2"[..])
    );
    assert_eq!(subject.store.kv_get("grou", b"k").unwrap(), None);
    assert_eq!(
        subject.store.kv_scan("groups", b"", None, 9).unwrap().len(),
        1
    );
}

fn e3_rows_are_listed_by_prefix_and_page(subject: &Subject) {
    let keys: [&[u8]; 6] = [b"a", b"m\x00", b"m\x01", b"m\xff", b"m\xff\xff", b"n"];
    for extension in ["a", "groups", "z"] {
        let batch: Vec<_> = keys
            .iter()
            .map(|key| set(extension, key, Some(key)))
            .collect();
        subject.commit_with(&batch, &NoPolicy);
    }
    let list = |prefix: &[u8], after: Option<&[u8]>, max| -> Vec<Vec<u8>> {
        let rows = subject.store.kv_scan("groups", prefix, after, max).unwrap();
        assert!(rows.iter().all(|(key, value)| key == value));
        rows.into_iter().map(|(key, _)| key).collect()
    };
    assert_eq!(list(b"", None, 99), keys);
    assert_eq!(list(b"m", None, 99), keys[1..5]);
    assert_eq!(list(b"m", None, 2), keys[1..3]);
    assert_eq!(list(b"m", Some(b"m\x01"), 99), keys[3..5]);
    assert_eq!(list(b"m", Some(b"a"), 99), keys[1..5]);
    assert_eq!(list(b"m", Some(b"z"), 99), Vec::<Vec<u8>>::new());
    assert_eq!(list(b"m\xff", None, 99), keys[3..5]);
    assert_eq!(list(b"x", None, 99), Vec::<Vec<u8>>::new());
    let nobody = subject.store.kv_scan("nobody", b"", None, 99).unwrap();
    assert_eq!(nobody, []);
}

fn e3_a_key_that_is_too_long_is_refused_alone(subject: &Subject) {
    let longest = [b'k'; MAX_KEY_BYTES];
    let too_long = [b'k'; MAX_KEY_BYTES + 1];
    let outcomes = subject.commit_with(
        &[
            set("groups", &too_long, Some(b"1")),
            set("groups", &longest, Some(b"2")),
        ],
        &NoPolicy,
    );
    assert!(matches!(outcomes[0], Outcome::Refused(_)));
    assert_eq!(outcomes[1], Outcome::Done);
    assert!(subject.store.kv_get("groups", &longest).unwrap().is_some());
    let is_too_long = |error| matches!(error, StoreError::KeyTooLong(length) if length > 500);
    let store = &subject.store;
    assert!(is_too_long(store.kv_get("groups", &too_long).unwrap_err()));
    let listed = store.kv_scan("groups", &longest, Some(&too_long), 9);
    assert!(is_too_long(listed.unwrap_err()));
}
