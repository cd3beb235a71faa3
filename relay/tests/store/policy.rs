//! What extensions may say while a batch is open: vetoes, rows of their own, guards.

use crate::draft::{Draft, deletion_of, pubkey};
use crate::subject::{NOW, Subject, for_every_store, ids_of, row};
use std::cell::RefCell;
use std::sync::Arc;
use trellis_relay::event::{Event, EventId};
use trellis_relay::reason::Reason;
use trellis_relay::store::{
    Cause, CommitPolicy, KvWrites, NoPolicy, Outcome, StoreError, TxnRead, Write,
};

for_every_store!(
    e3_commit_sees_what_goes,
    e3_a_veto_leaves_no_trace_and_no_harm,
    e3_rows_come_with_their_event_and_are_seen_at_once,
    e3_a_hook_that_writes_too_long_a_key_is_refused,
    c10_a_commit_hook_writes_with_a_request_to_vanish_and_cannot_stop_it,
    e5_a_guard_is_asked_before_each_removal,
    e5_a_guard_keeps_an_event_from_expiry,
    e5_a_kept_event_has_no_tombstone,
);

/// Keeps what says "keep"; counts events per author in its rows; refuses what says "veto"; notes what it saw.
#[derive(Default)]
struct Counting {
    saw: RefCell<Vec<(EventId, Vec<EventId>)>>,
    asked: RefCell<Vec<(EventId, Cause)>>,
}

impl CommitPolicy for Counting {
    fn wants_commit(&self, kind: u16) -> bool {
        kind != 7
    }
    fn on_commit(
        &self,
        event: &Event,
        removes: &[Arc<Event>],
        txn: &dyn TxnRead,
    ) -> Result<KvWrites, Reason> {
        assert_ne!(event.kind(), 7, "not wanted");
        assert_eq!(txn.now_s(), NOW, "the time of the batch");
        let removes = removes.iter().map(|event| *event.id()).collect();
        self.saw.borrow_mut().push((*event.id(), removes));
        let key = event.pubkey().as_bytes().to_vec();
        let count = read_count(txn.kv_get("counting", &key)) + 1;
        let mut rows = KvWrites::from([(
            ("counting".to_owned(), key),
            Some(count.to_be_bytes().to_vec()),
        )]);
        if event.content() == "long key" {
            rows.insert(("counting".to_owned(), vec![0; 501]), Some(vec![]));
        }
        match event.content().as_ref() {
            "veto" => Err(Reason::blocked("no")),
            _ => Ok(rows),
        }
    }
    fn guards_removal(&self, kind: u16) -> bool {
        kind != 7
    }
    fn may_remove(&self, event: &Event, cause: Cause) -> bool {
        assert_ne!(event.kind(), 7, "not wanted");
        self.asked.borrow_mut().push((*event.id(), cause));
        !event.content().starts_with("keep")
    }
}

fn read_count(value: Result<Option<Vec<u8>>, StoreError>) -> u64 {
    value
        .unwrap()
        .map_or(0, |value| u64::from_be_bytes(value.try_into().unwrap()))
}

fn counted(subject: &Subject, n: u8) -> u64 {
    read_count(subject.store.kv_get("counting", pubkey(n).as_bytes()))
}

fn e3_commit_sees_what_goes(subject: &Subject) {
    let policy = Counting::default();
    let old = Draft::of(0).at(100).build();
    let new = Draft::of(0).at(101).build();
    let note = Draft::of(1).build();
    let deletion = deletion_of(1, 102, &[&note, &Draft::of(1).by(2).build(), &new]);
    for event in [&old, &note, &new, &deletion] {
        row(&subject.put_with(event, &policy));
    }
    let reaction = Draft::of(7).build();
    row(&subject.put_with(&reaction, &policy));
    assert_eq!(
        *policy.saw.borrow(),
        [
            (*old.id(), vec![]),
            (*note.id(), vec![]),
            (*new.id(), ids_of(&[&old])),
            (*deletion.id(), ids_of(&[&note, &new])),
        ]
    );
}

fn e3_a_veto_leaves_no_trace_and_no_harm(subject: &Subject) {
    let policy = Counting::default();
    let old = Draft::of(0).at(100).build();
    let vetoed = Draft::of(0).at(101).content("veto").build();
    let note = Draft::of(1).build();
    let vetoed_deletion = Draft::of(5)
        .content("veto")
        .tag(&["e", &note.id().to_hex()])
        .build();
    let after = Draft::of(1).at(5).build();
    let batch = [&old, &vetoed, &note, &vetoed_deletion, &after].map(|e| Write::Put(e.clone()));
    let outcomes = subject.commit_with(&batch, &policy);
    assert_eq!(outcomes[1], Outcome::Refused(Reason::blocked("no")));
    assert_eq!(outcomes[3], Outcome::Refused(Reason::blocked("no")));
    assert_eq!([0, 2, 4].map(|i| row(&outcomes[i])), [1, 2, 3]);
    assert_eq!(subject.query("{}"), ids_of(&[&note, &old, &after]));
    assert_eq!(counted(subject, 1), 3);
    subject.stored(&vetoed_deletion);
    assert!(!subject.has(&note));
}

fn e3_rows_come_with_their_event_and_are_seen_at_once(subject: &Subject) {
    let policy = Counting::default();
    let batch: Vec<_> = (0..5)
        .map(|at| Write::Put(Draft::of(1).at(at).build()))
        .chain([Write::Put(Draft::of(1).by(2).build())])
        .collect();
    subject.commit_with(&batch, &policy);
    assert_eq!((counted(subject, 1), counted(subject, 2)), (5, 1));
    subject.commit_with(&batch, &policy);
    assert_eq!(counted(subject, 1), 5, "duplicates reach no hook");
}

fn e3_a_hook_that_writes_too_long_a_key_is_refused(subject: &Subject) {
    let event = Draft::of(1).content("long key").build();
    let outcome = subject.put_with(&event, &Counting::default());
    assert!(matches!(outcome, Outcome::Refused(_)), "{outcome:?}");
    assert!(!subject.has(&event));
    assert_eq!(counted(subject, 1), 0);
}

fn c10_a_commit_hook_writes_with_a_request_to_vanish_and_cannot_stop_it(subject: &Subject) {
    let policy = Counting::default();
    for (n, content, rows) in [(1, "veto", 0), (2, "long key", 0), (3, "accepted", 1)] {
        let note = Draft::of(1).by(n).at(100).build();
        subject.stored(&note);
        let request = Draft::of(62).by(n).at(100).content(content);
        let request = request.tag(&["relay", "ALL_RELAYS"]).build();
        let outcomes = subject.commit_with(&[Write::Vanish(request.clone())], &policy);
        row(&outcomes[0]);
        assert!(subject.has(&request) && !subject.has(&note), "{content}");
        assert_eq!(subject.put(&note), Outcome::Vanished, "{content}");
        assert_eq!(counted(subject, n), rows, "{content}");
    }
    // One that is meant for another relay is an event as any other.
    let elsewhere = Draft::of(62).by(4).content("veto").build();
    let refused = Outcome::Refused(Reason::blocked("no"));
    assert_eq!(subject.put_with(&elsewhere, &policy), refused);
}

fn e5_a_guard_is_asked_before_each_removal(subject: &Subject) {
    let policy = Counting::default();
    let profile = Draft::of(0).at(100).content("keep").build();
    let note = Draft::of(1).content("keep too").build();
    let plain = Draft::of(1).content("may go").build();
    for event in [&profile, &note, &plain] {
        subject.stored(event);
    }
    let newer = Draft::of(0).at(101).build();
    assert!(matches!(
        subject.put_with(&newer, &policy),
        Outcome::Refused(_)
    ));
    let remove = |event: &Event, cause| {
        subject
            .commit_with(&[Write::Remove(*event.id(), cause)], &policy)
            .remove(0)
    };
    for cause in [Cause::Admin, Cause::Retention, Cause::Vanish] {
        assert_eq!(remove(&note, cause), Outcome::Kept);
        assert!(policy.asked.borrow().contains(&(*note.id(), cause)));
    }
    let deletion = deletion_of(1, 200, &[&note, &plain, &profile]);
    row(&subject.put_with(&deletion, &policy));
    assert_eq!(
        policy.saw.borrow().last(),
        Some(&(*deletion.id(), ids_of(&[&plain])))
    );
    assert_eq!(subject.query("{}"), ids_of(&[&note, &deletion, &profile]));
    let replacement = (*profile.id(), Cause::Replacement);
    assert!(policy.asked.borrow().contains(&replacement));
    assert!(
        policy
            .asked
            .borrow()
            .contains(&(*note.id(), Cause::Deletion))
    );
    let reaction = Draft::of(7).content("keep").build();
    subject.stored(&reaction);
    assert_eq!(remove(&reaction, Cause::Admin), Outcome::Done);
}

fn e5_a_guard_keeps_an_event_from_expiry(subject: &Subject) {
    let policy = Counting::default();
    let tags = ["expiration", &(NOW + 5).to_string()];
    let kept = Draft::of(1).content("keep").tag(&tags).build();
    let late = Draft::of(1)
        .content("keep, late")
        .tag(&["expiration", "1"])
        .build();
    let going = Draft::of(1).content("going").tag(&tags).build();
    for event in [&kept, &late, &going] {
        let outcome = subject.put_with(event, &policy);
        let Outcome::Stored(stored) = outcome else {
            panic!("{outcome:?}");
        };
        assert_eq!(stored.expires_at.is_none(), event.content() != "going");
    }
    let expired = subject.store.expired(NOW + 5, 10).unwrap();
    assert_eq!(expired, ids_of(&[&going]));
}

fn e5_a_kept_event_has_no_tombstone(subject: &Subject) {
    let policy = Counting::default();
    let note = Draft::of(1).content("keep").build();
    let article = Draft::of(30_023).content("keep").tag(&["d", "x"]).build();
    for event in [&note, &article] {
        subject.stored(event);
    }
    let address = format!("30023:{}:x", pubkey(1).to_hex());
    let deletion = Draft::of(5)
        .at(1_700_000_001)
        .tag(&["e", &note.id().to_hex()])
        .tag(&["a", &address])
        .build();
    row(&subject.put_with(&deletion, &policy));
    for event in [&note, &article] {
        assert!(subject.has(event));
        subject.commit_with(&[Write::Remove(*event.id(), Cause::Admin)], &NoPolicy);
        subject.stored(event);
    }
}
