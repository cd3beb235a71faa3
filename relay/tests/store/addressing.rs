//! NIP-01: duplicates, replaceable and addressable events.

use crate::draft::{Draft, pubkey};
use crate::subject::{Subject, for_every_store, ids_of, row};
use trellis_relay::store::{Cause, NoPolicy, Outcome, Write};

for_every_store!(
    c1_a_repeated_event_is_a_duplicate,
    c1_a_newer_version_replaces,
    c1_an_older_version_is_superseded,
    c1_of_two_versions_in_one_second_the_lower_id_stays,
    c1_authors_and_kinds_have_their_own_versions,
    c1_addresses_differ_by_d,
    c1_a_missing_d_is_the_empty_one,
    c1_the_first_d_counts_at_any_position,
    c1_later_writes_of_a_batch_see_earlier_ones,
    c1_a_replaced_event_may_come_back_after_its_successor_is_gone,
);

fn c1_a_repeated_event_is_a_duplicate(subject: &Subject) {
    let event = Draft::of(1).build();
    assert_eq!(subject.stored(&event), 1);
    assert_eq!(subject.put(&event), Outcome::Duplicate);
    assert!(subject.has(&event));
    assert_eq!(subject.count("{}"), 1);
    assert_eq!(subject.store.last_row().unwrap(), 1);
}

fn c1_a_newer_version_replaces(subject: &Subject) {
    for kind in [0, 3, 10_002, 30_023] {
        let old = Draft::of(kind).at(100).build();
        let new = Draft::of(kind).at(101).build();
        subject.stored(&old);
        subject.stored(&new);
        assert!(!subject.has(&old), "kind {kind}");
        assert_eq!(
            subject.query(&format!(r#"{{"kinds":[{kind}]}}"#)),
            ids_of(&[&new])
        );
    }
}

fn c1_an_older_version_is_superseded(subject: &Subject) {
    let new = Draft::of(10_002).at(101).build();
    subject.stored(&new);
    let old = Draft::of(10_002).at(100).build();
    assert_eq!(subject.put(&old), Outcome::Superseded);
    assert_eq!(subject.query("{}"), ids_of(&[&new]));
}

fn c1_of_two_versions_in_one_second_the_lower_id_stays(subject: &Subject) {
    let low = Draft::of(30_000).tag(&["d", "x"]).id([3; 32]).build();
    let middle = Draft::of(30_000).tag(&["d", "x"]).id([5; 32]).build();
    let high = Draft::of(30_000).tag(&["d", "x"]).id([7; 32]).build();
    subject.stored(&middle);
    assert_eq!(subject.put(&high), Outcome::Superseded);
    subject.stored(&low);
    assert_eq!(subject.query("{}"), ids_of(&[&low]));
}

fn c1_authors_and_kinds_have_their_own_versions(subject: &Subject) {
    let events = [
        Draft::of(0).by(1).build(),
        Draft::of(0).by(2).build(),
        Draft::of(3).by(1).build(),
        Draft::of(1).by(1).build(),
        Draft::of(1).by(1).content("again").build(),
    ];
    for event in &events {
        subject.stored(event);
    }
    assert_eq!(subject.count("{}"), 5);
}

fn c1_addresses_differ_by_d(subject: &Subject) {
    let a = Draft::of(30_000).tag(&["d", "a"]).build();
    let b = Draft::of(30_000).tag(&["d", "b"]).build();
    let long = Draft::of(30_000).tag(&["d", &"long".repeat(500)]).build();
    for event in [&a, &b, &long] {
        subject.stored(event);
    }
    let newer_b = Draft::of(30_000).tag(&["d", "b"]).at(1_700_000_001).build();
    subject.stored(&newer_b);
    assert!(subject.has(&a) && subject.has(&long) && !subject.has(&b));
    // A `d` of a replaceable kind names nothing.
    subject.stored(&Draft::of(10_000).tag(&["d", "a"]).at(5).build());
    assert_eq!(
        subject.put(&Draft::of(10_000).tag(&["d", "b"]).at(4).build()),
        Outcome::Superseded
    );
}

fn c1_a_missing_d_is_the_empty_one(subject: &Subject) {
    subject.stored(&Draft::of(30_000).at(100).build());
    subject.stored(&Draft::of(30_000).tag(&["d", ""]).at(101).build());
    subject.stored(&Draft::of(30_000).tag(&["d"]).at(102).build());
    assert_eq!(subject.count("{}"), 1);
}

fn c1_the_first_d_counts_at_any_position(subject: &Subject) {
    let first = Draft::of(30_000)
        .tag(&["t", "cats"])
        .tag(&["d", "x"])
        .tag(&["d", "y"])
        .at(100);
    subject.stored(&first.build());
    subject.stored(&Draft::of(30_000).tag(&["d", "y"]).at(101).build());
    assert_eq!(subject.count("{}"), 2);
    subject.stored(&Draft::of(30_000).tag(&["d", "x"]).at(101).build());
    assert_eq!(subject.count("{}"), 2);
}

fn c1_later_writes_of_a_batch_see_earlier_ones(subject: &Subject) {
    let first = Draft::of(0).at(100).build();
    let second = Draft::of(0).at(200).build();
    let third = Draft::of(0).at(150).build();
    let note = Draft::of(1).build();
    let outcomes = subject.commit_with(
        &[
            Write::Put(first.clone()),
            Write::Put(second.clone()),
            Write::Put(third),
            Write::Put(note.clone()),
            Write::Put(note.clone()),
            Write::Remove(*note.id(), Cause::Admin),
            Write::Put(note.clone()),
        ],
        &NoPolicy,
    );
    assert_eq!(outcomes[0], Outcome::StoredThenRemoved);
    assert_eq!(row(&outcomes[1]), 2);
    assert_eq!(outcomes[2], Outcome::Superseded);
    assert_eq!(outcomes[3], Outcome::StoredThenRemoved);
    assert_eq!(outcomes[4], Outcome::Duplicate);
    assert_eq!(outcomes[5], Outcome::Done);
    // Rows 1 and 4 are the events that are gone, 3 and 5 their removals.
    assert_eq!(row(&outcomes[6]), 6);
    assert_eq!(subject.query("{}"), ids_of(&[&note, &second]));
    let author = pubkey(1).to_hex();
    assert_eq!(
        subject.count(&format!(r#"{{"authors":["{author}"],"kinds":[0]}}"#)),
        1
    );
}

fn c1_a_replaced_event_may_come_back_after_its_successor_is_gone(subject: &Subject) {
    let old = Draft::of(0).at(100).build();
    let new = Draft::of(0).at(101).build();
    subject.stored(&old);
    subject.stored(&new);
    assert_eq!(subject.put(&old), Outcome::Superseded);
    assert_eq!(subject.remove(&new, Cause::Admin), Outcome::Done);
    subject.stored(&old);
    assert_eq!(subject.query("{}"), ids_of(&[&old]));
}
