//! NIP-62: whoever vanishes is hidden at once, removed piece by piece, and stays away.

use crate::draft::{Draft, author, deletion_of, pubkey};
use crate::subject::{NOW, Subject, for_every_store, ids_of, row, scan_of};
use std::sync::Arc;
use trellis_relay::event::{Event, EventId};
use trellis_relay::filter::{Filter, FilterLimits};
use trellis_relay::kinds::Kinds;
use trellis_relay::reason::Reason;
use trellis_relay::store::{
    Cause, Change, CommitPolicy, KvWrites, NoPolicy, Order, Outcome, Position, TxnRead, Vanishing,
    Write,
};

for_every_store!(
    c10_who_vanishes_is_hidden_before_anything_is_removed,
    c10_the_sweep_lists_all_that_is_hidden_page_by_page,
    c10_what_vanished_does_not_come_back,
    c10_gift_wraps_vanish_with_their_recipient,
    c10_others_and_later_events_stay,
    c10_a_request_stays_and_cannot_be_deleted,
    c10_an_older_request_is_void,
    c10_a_later_request_goes_further,
    c10_a_request_binds_the_rest_of_its_batch,
    c10_a_refused_request_does_not_bind,
    c10_what_a_guard_keeps_is_shown_again_after_the_sweep,
    c10_what_a_guard_would_keep_is_taken_from_who_has_vanished,
    c10_a_version_that_a_guard_would_keep_follows_one_that_is_hidden,
    c10_a_newer_version_of_a_hidden_event_is_taken,
);

const UNTIL: u64 = 1_700_000_000;

fn request(n: u8, created_at: u64) -> Arc<Event> {
    Draft::of(62)
        .by(n)
        .at(created_at)
        .tag(&["relay", "ALL_RELAYS"])
        .build()
}

fn wrap_to(n: u8, created_at: u64) -> Arc<Event> {
    let to = pubkey(n).to_hex();
    let draft = Draft::of(1059).by(77).at(created_at).tag(&["p", &to]);
    draft.content(format!("{created_at}")).build()
}

fn vanish(subject: &Subject, request: &Arc<Event>) -> Outcome {
    subject
        .commit_with(&[Write::Vanish(request.clone())], &NoPolicy)
        .remove(0)
}

/// All that is to be removed, in pages of two.
fn doomed(subject: &Subject, vanishing: &Vanishing) -> Vec<EventId> {
    let mut positions: Vec<Position> = Vec::new();
    let mut resume = None;
    loop {
        let page = subject
            .store
            .vanishing_positions(vanishing, resume, 2)
            .unwrap();
        assert!(page.positions.len() <= 2);
        positions.extend(&page.positions);
        let Some(next) = page.next else { break };
        assert_ne!(resume, Some(next), "no progress");
        resume = Some(next);
    }
    assert!(positions.is_sorted_by_key(|position| (position.created_at, position.id)));
    positions.iter().map(|position| position.id).collect()
}

/// What the sweeper does, at once.
fn sweep(subject: &Subject, policy: &dyn CommitPolicy) {
    for vanishing in subject.store.vanishings(100).unwrap() {
        let removals = doomed(subject, &vanishing);
        let removals = removals.iter().map(|id| Write::Remove(*id, Cause::Vanish));
        let mut batch: Vec<Write> = removals.collect();
        batch.push(Write::EndVanishing(vanishing));
        let outcomes = subject.commit_with(&batch, policy);
        assert_eq!(outcomes.last(), Some(&Outcome::Done));
    }
    assert_eq!(subject.store.vanishings(100).unwrap(), []);
}

fn c10_who_vanishes_is_hidden_before_anything_is_removed(subject: &Subject) {
    let note = Draft::of(1).at(UNTIL).tag(&["t", "cats"]).build();
    let other = Draft::of(1).by(2).at(UNTIL).tag(&["t", "cats"]).build();
    let deletion = deletion_of(1, 100, &[&Draft::of(1).at(5).build()]);
    let wrap = wrap_to(1, UNTIL);
    for event in [&note, &other, &deletion, &wrap] {
        subject.stored(event);
    }
    let request = request(1, UNTIL);
    row(&vanish(subject, &request));
    let shown = |filter: &str| {
        let found = subject.query(filter);
        assert_eq!(subject.count(filter), found.len() as u64, "{filter}");
        let parsed = Filter::parse(filter, &FilterLimits::default()).unwrap();
        let positions = subject.store.positions(&scan_of(&parsed)).unwrap();
        assert_eq!(positions.positions.len(), found.len(), "{filter}");
        for whole in [Kinds::none(), Kinds::from([5, 1059])] {
            let page = subject.store.find(&scan_of(&parsed), &whole).unwrap();
            assert_eq!(page.found.len(), found.len(), "{filter}");
        }
        let mut oldest_first = subject.query_by(filter, Order::OldestFirst);
        oldest_first.sort_unstable();
        let mut sorted = found.clone();
        sorted.sort_unstable();
        assert_eq!(oldest_first, sorted, "{filter}");
        found
    };
    let mut rest = ids_of(&[&other, &request]);
    rest.sort_unstable();
    assert_eq!(shown("{}"), rest);
    assert_eq!(shown(r##"{"#t":["cats"]}"##), ids_of(&[&other]));
    assert_eq!(shown(r#"{"kinds":[5,1059]}"#), []);
    let author = format!(r#"{{"authors":["{}"]}}"#, pubkey(1).to_hex());
    assert_eq!(shown(&author), ids_of(&[&request]));
    let by_id = format!(r#"{{"ids":["{}"]}}"#, note.id().to_hex());
    assert_eq!(shown(&by_id), []);
    assert!(!subject.has(&note) && !subject.has(&wrap) && subject.has(&request));
    for hidden in [&note, &deletion, &wrap] {
        assert_eq!(subject.put(hidden), Outcome::Vanished);
    }
    assert_eq!(subject.store.stats().unwrap().events, 5, "nothing is gone");
}

fn c10_the_sweep_lists_all_that_is_hidden_page_by_page(subject: &Subject) {
    let mut events: Vec<Arc<Event>> = (0..7)
        .map(|i| {
            Draft::of(1)
                .at(UNTIL - i / 2)
                .content(i.to_string())
                .build()
        })
        .collect();
    events.extend((0..5).map(|i| wrap_to(1, UNTIL - i)));
    let to_self = Draft::of(1059).at(UNTIL).tag(&["p", &pubkey(1).to_hex()]);
    events.push(to_self.build());
    for event in &events {
        subject.stored(event);
    }
    vanish(subject, &request(1, UNTIL));
    let vanishing = Vanishing {
        pubkey: pubkey(1),
        until: UNTIL,
    };
    assert_eq!(subject.store.vanishings(10).unwrap(), [vanishing]);
    let mut found = doomed(subject, &vanishing);
    let mut expected: Vec<EventId> = events.iter().map(|event| *event.id()).collect();
    found.sort_unstable();
    expected.sort_unstable();
    assert_eq!(found, expected);
    let from = subject.store.last_row().unwrap();
    sweep(subject, &NoPolicy);
    assert_eq!(subject.store.stats().unwrap().events, 1);
    let removed = subject.store.changes(from, 100).unwrap().changes;
    assert_eq!(removed.len(), events.len());
    assert!(removed.iter().all(|change| matches!(
        change,
        Change::Removed {
            cause: Cause::Vanish,
            ..
        }
    )));
    assert_eq!(doomed(subject, &vanishing), []);
}

fn c10_what_vanished_does_not_come_back(subject: &Subject) {
    let note = Draft::of(1).at(UNTIL - 5).build();
    subject.stored(&note);
    vanish(subject, &request(1, UNTIL));
    sweep(subject, &NoPolicy);
    let profile = Draft::of(0).at(UNTIL).build();
    let deletion = deletion_of(1, UNTIL, &[&note]);
    for event in [&note, &profile, &deletion, &wrap_to(1, UNTIL)] {
        assert_eq!(subject.put(event), Outcome::Vanished);
        assert!(!subject.has(event));
    }
    assert_eq!(subject.count("{}"), 1);
}

fn c10_gift_wraps_vanish_with_their_recipient(subject: &Subject) {
    let to_both = Draft::of(1059)
        .by(9)
        .at(UNTIL)
        .tag(&["p", &pubkey(2).to_hex()])
        .tag(&["p", &pubkey(1).to_hex()])
        .build();
    let message = Draft::of(4).by(9).tag(&["p", &pubkey(1).to_hex()]).build();
    let (to_other, late) = (wrap_to(2, UNTIL), wrap_to(1, UNTIL + 1));
    for event in [&to_both, &message, &to_other, &late] {
        subject.stored(event);
    }
    vanish(subject, &request(1, UNTIL));
    for _ in 0..2 {
        assert!(!subject.has(&to_both));
        for kept in [&message, &to_other, &late] {
            assert!(subject.has(kept));
        }
        assert_eq!(subject.count(r#"{"kinds":[1059]}"#), 2);
        sweep(subject, &NoPolicy);
    }
}

fn c10_others_and_later_events_stay(subject: &Subject) {
    let mut near = author(1);
    near[31] = 2;
    // An author whose key begins like that of the one who vanishes.
    let neighbour = Draft::of(1).by_key(near).at(UNTIL).build();
    let other = Draft::of(1).by(2).at(UNTIL).build();
    let later = Draft::of(1).at(UNTIL + 1).build();
    for event in [&neighbour, &other, &later] {
        subject.stored(event);
    }
    vanish(subject, &request(1, UNTIL));
    sweep(subject, &NoPolicy);
    for event in [&neighbour, &other, &later] {
        assert!(subject.has(event));
    }
    subject.stored(&Draft::of(1).at(UNTIL + 2).build());
    subject.stored(&Draft::of(1).by(2).at(UNTIL - 1).build());
}

fn c10_a_request_stays_and_cannot_be_deleted(subject: &Subject) {
    let request = request(1, UNTIL);
    subject.stored(&deletion_of(1, UNTIL + 5, &[&request]));
    row(&vanish(subject, &request));
    sweep(subject, &NoPolicy);
    subject.stored(&deletion_of(1, UNTIL + 6, &[&request]));
    assert!(subject.has(&request));
    assert_eq!(vanish(subject, &request), Outcome::Duplicate);
    assert_eq!(subject.store.vanishings(10).unwrap(), []);
}

fn c10_an_older_request_is_void(subject: &Subject) {
    row(&vanish(subject, &request(1, UNTIL)));
    assert_eq!(vanish(subject, &request(1, UNTIL - 1)), Outcome::Vanished);
    let same_second = Draft::of(62).at(UNTIL).content("again").build();
    assert_eq!(vanish(subject, &same_second), Outcome::Vanished);
    let until: Vec<u64> = subject
        .store
        .vanishings(10)
        .unwrap()
        .iter()
        .map(|vanishing| vanishing.until)
        .collect();
    assert_eq!(until, [UNTIL]);
}

fn c10_a_later_request_goes_further(subject: &Subject) {
    let (first, second) = (request(1, UNTIL), request(1, UNTIL + 10));
    row(&vanish(subject, &first));
    let between = Draft::of(1).at(UNTIL + 5).build();
    subject.stored(&between);
    let out_of_date = subject.store.vanishings(10).unwrap().remove(0);
    row(&vanish(subject, &second));
    assert!(!subject.has(&between) && !subject.has(&first));
    let end = Write::EndVanishing(out_of_date);
    assert_eq!(subject.commit_with(&[end], &NoPolicy), [Outcome::Kept]);
    assert!(!subject.has(&between));
    sweep(subject, &NoPolicy);
    assert_eq!(subject.query("{}"), ids_of(&[&second]));
}

fn c10_a_request_binds_the_rest_of_its_batch(subject: &Subject) {
    let before = Draft::of(1).at(UNTIL - 1).build();
    let after = Draft::of(1).at(UNTIL - 2).build();
    let wrap = wrap_to(1, UNTIL);
    let batch = [
        Write::Put(before.clone()),
        Write::Vanish(request(1, UNTIL)),
        Write::Put(before.clone()),
        Write::Put(after),
        Write::Put(wrap),
        Write::Put(Draft::of(1).by(2).build()),
    ];
    let outcomes = subject.commit_with(&batch, &NoPolicy);
    assert_eq!(outcomes[0], Outcome::StoredThenRemoved);
    assert_eq!(row(&outcomes[1]), 2);
    assert_eq!(outcomes[2..5], vec![Outcome::Vanished; 3]);
    row(&outcomes[5]);
    assert!(!subject.has(&before));
    sweep(subject, &NoPolicy);
    assert_eq!(subject.store.stats().unwrap().events, 2);
}

/// Keeps what says so, but lets it be replaced.
struct Keeper;

impl CommitPolicy for Keeper {
    fn wants_commit(&self, _kind: u16) -> bool {
        false
    }
    fn on_commit(
        &self,
        _event: &Event,
        _removes: &[Arc<Event>],
        _txn: &dyn TxnRead,
    ) -> Result<KvWrites, Reason> {
        Ok(KvWrites::new())
    }
    fn guards_removal(&self, _kind: u16) -> bool {
        true
    }
    fn may_remove(&self, event: &Event, cause: Cause) -> bool {
        event.content() != "keep" || cause == Cause::Replacement
    }
}

fn c10_a_refused_request_does_not_bind(subject: &Subject) {
    let note = Draft::of(1).at(UNTIL).build();
    subject.stored(&note);
    let expired = Draft::of(62)
        .at(UNTIL)
        .tag(&["expiration", &NOW.to_string()])
        .build();
    assert!(matches!(vanish(subject, &expired), Outcome::Refused(_)));
    assert!(subject.has(&note) && !subject.has(&expired));
    assert_eq!(subject.store.vanishings(10).unwrap(), []);
    subject.stored(&Draft::of(1).at(UNTIL - 1).build());
}

fn c10_what_a_guard_keeps_is_shown_again_after_the_sweep(subject: &Subject) {
    let kept = Draft::of(1).at(UNTIL).content("keep").build();
    let going = Draft::of(1).at(UNTIL).build();
    subject.stored(&kept);
    subject.stored(&going);
    vanish(subject, &request(1, UNTIL));
    assert!(!subject.has(&kept));
    sweep(subject, &Keeper);
    assert!(subject.has(&kept) && !subject.has(&going));
    assert_eq!(subject.query(r#"{"kinds":[1]}"#), ids_of(&[&kept]));
    assert_eq!(subject.put(&kept), Outcome::Duplicate);
    assert_eq!(subject.put(&going), Outcome::Vanished);
}

fn c10_what_a_guard_would_keep_is_taken_from_who_has_vanished(subject: &Subject) {
    vanish(subject, &request(1, UNTIL));
    let early = Draft::of(1).at(UNTIL - 1).content("keep").build();
    row(&subject.put_with(&early, &Keeper));
    sweep(subject, &Keeper);
    let late = Draft::of(1).at(UNTIL).content("keep").build();
    row(&subject.put_with(&late, &Keeper));
    let other = Draft::of(1).at(UNTIL).build();
    assert_eq!(subject.put_with(&other, &Keeper), Outcome::Vanished);
    assert_eq!(subject.query(r#"{"kinds":[1]}"#), ids_of(&[&late, &early]));
}

fn c10_a_version_that_a_guard_would_keep_follows_one_that_is_hidden(subject: &Subject) {
    let version = |at| Draft::of(0).at(at).content("keep").build();
    subject.stored(&version(UNTIL - 2));
    vanish(subject, &request(1, UNTIL));
    row(&subject.put_with(&version(UNTIL - 1), &Keeper));
    sweep(subject, &Keeper);
    row(&subject.put_with(&version(UNTIL), &Keeper));
    assert_eq!(
        subject.query(r#"{"kinds":[0]}"#),
        ids_of(&[&version(UNTIL)])
    );
}

fn c10_a_newer_version_of_a_hidden_event_is_taken(subject: &Subject) {
    let old = Draft::of(0).at(UNTIL).build();
    subject.stored(&old);
    vanish(subject, &request(1, UNTIL));
    let new = Draft::of(0).at(UNTIL + 1).build();
    subject.stored(&new);
    sweep(subject, &NoPolicy);
    assert_eq!(subject.query(r#"{"kinds":[0]}"#), ids_of(&[&new]));
}
