//! NIP-09: who may delete what, and that it stays deleted.

use crate::draft::{Draft, deletion_of, hex, pubkey};
use crate::subject::{Subject, for_every_store, ids_of};
use trellis_relay::store::{Cause, NoPolicy, Outcome, Write};

for_every_store!(
    c4_authors_delete_their_events,
    c4_nobody_deletes_the_events_of_others,
    c4_an_event_deleted_before_it_came_is_not_accepted,
    c4_a_tombstone_binds_its_author_only,
    c4_a_deletion_cannot_be_deleted,
    c4_a_deletion_that_was_named_before_it_came_is_accepted,
    c4_recipients_delete_gift_wraps,
    c4_senders_of_other_kinds_are_safe_from_their_recipients,
    c4_an_address_is_deleted_up_to_the_time_of_the_deletion,
    c4_a_later_version_survives_the_deletion_of_its_address,
    c4_the_address_of_another_author_is_not_deleted,
    c4_of_two_deletions_of_an_address_the_later_counts,
    c4_upper_case_and_broken_ids_delete_nothing,
    c4_an_event_named_twice_is_removed_once,
    c4_an_event_deleted_in_its_own_batch_is_gone,
    c4_an_event_removed_by_hand_may_come_back,
);

fn c4_authors_delete_their_events(subject: &Subject) {
    let mine = Draft::of(1).build();
    let other = Draft::of(1).content("stays").build();
    subject.stored(&mine);
    subject.stored(&other);
    let deletion = deletion_of(1, 1_700_000_001, &[&mine]);
    subject.stored(&deletion);
    assert_eq!(subject.query("{}"), ids_of(&[&deletion, &other]));
    assert_eq!(subject.put(&mine), Outcome::Deleted);
    assert_eq!(subject.count(r#"{"kinds":[1]}"#), 1);
}

fn c4_nobody_deletes_the_events_of_others(subject: &Subject) {
    let theirs = Draft::of(1).by(2).build();
    subject.stored(&theirs);
    subject.stored(&deletion_of(1, 1_700_000_001, &[&theirs]));
    assert!(subject.has(&theirs));
}

fn c4_an_event_deleted_before_it_came_is_not_accepted(subject: &Subject) {
    let mine = Draft::of(1).build();
    subject.stored(&deletion_of(1, 1_700_000_001, &[&mine]));
    assert_eq!(subject.put(&mine), Outcome::Deleted);
    assert!(!subject.has(&mine));
}

fn c4_a_tombstone_binds_its_author_only(subject: &Subject) {
    let theirs = Draft::of(1).by(2).build();
    subject.stored(&deletion_of(1, 1_700_000_001, &[&theirs]));
    subject.stored(&theirs);
    assert!(subject.has(&theirs));
}

fn c4_a_deletion_cannot_be_deleted(subject: &Subject) {
    let deletion = deletion_of(1, 100, &[&Draft::of(1).build()]);
    subject.stored(&deletion);
    subject.stored(&deletion_of(1, 200, &[&deletion]));
    assert!(subject.has(&deletion));
    assert_eq!(subject.put(&deletion), Outcome::Duplicate);
}

fn c4_a_deletion_that_was_named_before_it_came_is_accepted(subject: &Subject) {
    let deletion = deletion_of(1, 100, &[&Draft::of(1).build()]);
    subject.stored(&deletion_of(1, 200, &[&deletion]));
    subject.stored(&deletion);
    assert!(subject.has(&deletion));
}

fn c4_recipients_delete_gift_wraps(subject: &Subject) {
    let wrap = Draft::of(1059).by(9).tag(&["p", &pubkey(1).to_hex()]);
    let known = wrap.build();
    let unknown = wrap.content("later").build();
    subject.stored(&known);
    subject.stored(&deletion_of(2, 1_700_000_001, &[&known, &unknown]));
    assert!(subject.has(&known), "only the recipient may");
    subject.stored(&deletion_of(1, 1_700_000_001, &[&known, &unknown]));
    assert!(!subject.has(&known));
    assert_eq!(subject.put(&known), Outcome::Deleted);
    assert_eq!(subject.put(&unknown), Outcome::Deleted);
}

fn c4_senders_of_other_kinds_are_safe_from_their_recipients(subject: &Subject) {
    let message = Draft::of(4).by(9).tag(&["p", &pubkey(1).to_hex()]);
    let known = message.build();
    let unknown = message.content("later").build();
    subject.stored(&known);
    subject.stored(&deletion_of(1, 1_700_000_001, &[&known, &unknown]));
    assert!(subject.has(&known));
    subject.stored(&unknown);
}

fn c4_an_address_is_deleted_up_to_the_time_of_the_deletion(subject: &Subject) {
    let article = Draft::of(30_023).tag(&["d", "a:b"]);
    let old = article.clone().at(100).build();
    subject.stored(&old);
    let address = format!("30023:{}:a:b", pubkey(1).to_hex());
    let deletion = Draft::of(5).at(150).tag(&["a", &address]).build();
    subject.stored(&deletion);
    assert!(!subject.has(&old));
    assert_eq!(
        subject.put(&article.clone().at(100).build()),
        Outcome::Deleted
    );
    assert_eq!(
        subject.put(&article.clone().at(150).build()),
        Outcome::Deleted
    );
    subject.stored(&article.at(151).build());
    // Replaceable kinds have addresses too.
    subject.stored(&Draft::of(10_002).at(100).build());
    let address = format!("10002:{}:", pubkey(1).to_hex());
    subject.stored(&Draft::of(5).at(150).tag(&["a", &address]).build());
    assert_eq!(subject.count(r#"{"kinds":[10002]}"#), 0);
    assert_eq!(
        subject.put(&Draft::of(10_002).at(150).build()),
        Outcome::Deleted
    );
}

fn c4_a_later_version_survives_the_deletion_of_its_address(subject: &Subject) {
    let new = Draft::of(30_023).tag(&["d", "x"]).at(200).build();
    subject.stored(&new);
    let address = format!("30023:{}:x", pubkey(1).to_hex());
    subject.stored(&Draft::of(5).at(199).tag(&["a", &address]).build());
    assert!(subject.has(&new));
    assert_eq!(subject.remove(&new, Cause::Admin), Outcome::Done);
    let old = Draft::of(30_023).tag(&["d", "x"]).at(199).build();
    assert_eq!(subject.put(&old), Outcome::Deleted);
}

fn c4_the_address_of_another_author_is_not_deleted(subject: &Subject) {
    let theirs = Draft::of(30_023).by(2).tag(&["d", "x"]).at(100).build();
    subject.stored(&theirs);
    let address = format!("30023:{}:x", pubkey(2).to_hex());
    subject.stored(&Draft::of(5).at(150).tag(&["a", &address]).build());
    assert!(subject.has(&theirs));
}

fn c4_of_two_deletions_of_an_address_the_later_counts(subject: &Subject) {
    let address = format!("30023:{}:x", pubkey(1).to_hex());
    let deletion = Draft::of(5).tag(&["a", &address]);
    subject.stored(&deletion.clone().at(200).build());
    subject.stored(&deletion.at(100).build());
    let version = Draft::of(30_023).tag(&["d", "x"]);
    assert_eq!(
        subject.put(&version.clone().at(150).build()),
        Outcome::Deleted
    );
    subject.stored(&version.at(201).build());
}

fn c4_upper_case_and_broken_ids_delete_nothing(subject: &Subject) {
    let mine = Draft::of(1).build();
    subject.stored(&mine);
    let id = mine.id().to_hex();
    let deletion = Draft::of(5)
        .tag(&["e", &id.to_uppercase()])
        .tag(&["e", &id[1..]])
        .tag(&["e", ""])
        .tag(&["e"])
        .tag(&["a", "30023"])
        .tag(&["a", "1:2:3"])
        .tag(&["E", &id]);
    subject.stored(&deletion.build());
    assert!(subject.has(&mine));
}

fn c4_an_event_named_twice_is_removed_once(subject: &Subject) {
    let mine = Draft::of(30_023).tag(&["d", "x"]).at(100).build();
    subject.stored(&mine);
    let id = mine.id().to_hex();
    let address = format!("30023:{}:x", hex(mine.pubkey().as_bytes()));
    let deletion = Draft::of(5)
        .at(100)
        .tag(&["e", &id])
        .tag(&["a", &address])
        .tag(&["e", &id])
        .build();
    assert_eq!(subject.stored(&deletion), 2);
    assert_eq!(subject.store.last_row().unwrap(), 3);
    assert_eq!(subject.query("{}"), ids_of(&[&deletion]));
}

fn c4_an_event_deleted_in_its_own_batch_is_gone(subject: &Subject) {
    let mine = Draft::of(1).tag(&["t", "cats"]).build();
    let deletion = deletion_of(1, 1_700_000_001, &[&mine]);
    let outcomes = subject.commit_with(
        &[
            Write::Put(mine.clone()),
            Write::Put(deletion.clone()),
            Write::Put(mine.clone()),
        ],
        &NoPolicy,
    );
    assert_eq!(outcomes[0], Outcome::StoredThenRemoved);
    assert_eq!(outcomes[2], Outcome::Deleted);
    assert_eq!(subject.query("{}"), ids_of(&[&deletion]));
    assert_eq!(subject.count(r##"{"#t":["cats"]}"##), 0);
}

fn c4_an_event_removed_by_hand_may_come_back(subject: &Subject) {
    let event = Draft::of(1).build();
    subject.stored(&event);
    for cause in [Cause::Admin, Cause::Retention, Cause::Vanish, Cause::Expiry] {
        assert_eq!(subject.remove(&event, cause), Outcome::Done);
        assert_eq!(subject.remove(&event, cause), Outcome::Kept);
        assert!(!subject.has(&event));
        subject.stored(&event);
    }
}
