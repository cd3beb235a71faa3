//! C22: what the rules of retention give up, by kind, author, age and count.

use crate::draft::{Draft, author, hex};
use crate::subject::{Subject, for_every_store, ids_of, row, small_options};
use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;
use trellis_relay::clock::{Clock as _, FakeClock};
use trellis_relay::config::RetentionRule;
use trellis_relay::event::Event;
use trellis_relay::reason::Reason;
use trellis_relay::retention::Walk;
use trellis_relay::store::lmdb::LmdbStore;
use trellis_relay::store::{
    Cause, CommitPolicy, KvWrites, NoPolicy, Outcome, Store, TxnRead, Vanishing, Write,
};

for_every_store!(
    c22_age_is_told_by_the_clock_to_the_second,
    c22_only_the_kinds_of_a_rule_go,
    c22_only_the_authors_of_a_rule_go,
    c22_the_newest_are_kept_of_all_together,
    c22_the_newest_are_kept_of_each_author,
    c22_the_newest_are_kept_of_the_authors_of_a_rule,
    c22_age_and_count_work_together,
    c22_of_one_second_the_first_in_order_are_kept,
    c22_a_guard_keeps_and_is_asked_once_a_walk,
    c22_what_has_gone_otherwise_does_not_count,
    c22_much_goes_in_small_pieces,
);

const FIRST: u64 = 1_700_000_000;

fn rule(toml: &str) -> RetentionRule {
    toml::from_str(toml).unwrap()
}

/// Walks a rule to its end as the sweeper does, and says how many events went.
fn apply(subject: &Subject, toml: &str, now: u64, policy: &dyn CommitPolicy) -> usize {
    apply_to(&*subject.store, toml, now, policy)
}

fn apply_to(store: &dyn Store, toml: &str, now: u64, policy: &dyn CommitPolicy) -> usize {
    let mut walk = Walk::new(&rule(toml));
    let mut gone = 0;
    while !walk.is_done() {
        let page = walk.page(store, now, 256).unwrap();
        assert!(page.len() <= 256);
        let batch: Vec<Write> = page
            .iter()
            .map(|id| Write::Remove(*id, Cause::Retention))
            .collect();
        let outcomes = store.commit(&batch, policy, now).unwrap();
        gone += outcomes.iter().filter(|o| **o == Outcome::Done).count();
    }
    gone
}

fn stored(subject: &Subject, drafts: impl IntoIterator<Item = Draft>) -> Vec<Arc<Event>> {
    let events: Vec<_> = drafts.into_iter().map(|draft| draft.build()).collect();
    let batch: Vec<Write> = events.iter().cloned().map(Write::Put).collect();
    for outcome in subject.commit_with(&batch, &NoPolicy) {
        row(&outcome);
    }
    events
}

fn c22_age_is_told_by_the_clock_to_the_second(subject: &Subject) {
    let clock = FakeClock::at_s(FIRST + 100);
    let events = stored(subject, [0, 1, 2].map(|at| Draft::of(1).at(FIRST + at)));
    let apply = || apply(subject, "max_age = '100s'", clock.now_s(), &NoPolicy);
    assert_eq!(apply(), 0, "just as old as allowed");
    clock.advance(Duration::from_secs(1));
    assert_eq!(apply(), 1);
    assert_eq!(subject.query("{}"), ids_of(&[&events[2], &events[1]]));
    clock.set_s(50);
    assert_eq!(apply(), 0, "a clock that is far behind removes nothing");
    clock.set_s(FIRST + 1_000);
    assert_eq!(apply(), 2);
}

fn c22_only_the_kinds_of_a_rule_go(subject: &Subject) {
    let events = stored(subject, [0, 1, 7, 19, 20, 23, 24].map(Draft::of));
    let rule = "kinds = [7, [20, 24]]\nmax_age = '1d'";
    assert_eq!(apply(subject, rule, FIRST + 100_000, &NoPolicy), 3);
    for event in &events {
        let goes = [7, 20, 23].contains(&event.kind());
        assert_eq!(subject.has(event), !goes, "kind {}", event.kind());
    }
}

fn c22_only_the_authors_of_a_rule_go(subject: &Subject) {
    let events = stored(subject, (1..5).map(|n| Draft::of(1).by(n)));
    let authors = [hex(&author(2)), hex(&author(3)), hex(&author(9))];
    let rule = format!("authors = {authors:?}\nmax_age = '1d'");
    assert_eq!(apply(subject, &rule, FIRST + 100_000, &NoPolicy), 2);
    let left = events.iter().filter(|event| subject.has(event)).count();
    assert_eq!(left, 2);
    assert!(!subject.has(&events[1]) && !subject.has(&events[2]));
}

fn c22_the_newest_are_kept_of_all_together(subject: &Subject) {
    let notes = (0..9u8).map(|at| Draft::of(1).by(1 + at % 3).at(FIRST + u64::from(at)));
    let notes = stored(subject, notes);
    let other = stored(subject, [Draft::of(7).at(1)]);
    let rule = "kinds = [1]\nmax_count = 4";
    assert_eq!(apply(subject, rule, FIRST, &NoPolicy), 5);
    let expected: Vec<&Arc<Event>> = notes[5..].iter().rev().collect();
    assert_eq!(subject.query(r#"{"kinds":[1]}"#), ids_of(&expected));
    assert!(subject.has(&other[0]));
    assert_eq!(apply(subject, rule, FIRST, &NoPolicy), 0);
    stored(subject, [Draft::of(1).at(FIRST + 50)]);
    assert_eq!(apply(subject, rule, FIRST, &NoPolicy), 1);
    assert!(!subject.has(&notes[5]) && subject.has(&notes[6]));
}

fn c22_the_newest_are_kept_of_each_author(subject: &Subject) {
    let drafts = (0..30u8).map(|i| Draft::of(1).by(1 + i % 3).at(FIRST + u64::from(i)));
    let events = stored(subject, drafts);
    let few = stored(subject, [Draft::of(1).by(200).at(1), Draft::of(7).at(1)]);
    let rule = "kinds = [1]\nmax_count = 2\nper = 'author'";
    assert_eq!(apply(subject, rule, FIRST, &NoPolicy), 24);
    for (i, event) in events.iter().enumerate() {
        assert_eq!(subject.has(event), i >= 24, "{i}");
    }
    assert!(few.iter().all(|event| subject.has(event)));
}

fn c22_the_newest_are_kept_of_the_authors_of_a_rule(subject: &Subject) {
    let drafts = (0..12u8).map(|i| Draft::of(1).by(1 + i % 3).at(FIRST + u64::from(i)));
    stored(subject, drafts);
    let authors = [hex(&author(1)), hex(&author(3))];
    let together = format!("authors = {authors:?}\nmax_count = 6");
    assert_eq!(apply(subject, &together, FIRST, &NoPolicy), 2);
    let each = format!("authors = {authors:?}\nmax_count = 1\nper = 'author'");
    assert_eq!(apply(subject, &each, FIRST, &NoPolicy), 4);
    let left = |n: u8| subject.count(&format!(r#"{{"authors":["{}"]}}"#, hex(&author(n))));
    assert_eq!([left(1), left(2), left(3)], [1, 4, 1]);
}

fn c22_age_and_count_work_together(subject: &Subject) {
    stored(subject, (0..10).map(|at| Draft::of(1).at(FIRST + at)));
    let rule = "max_age = '5s'\nmax_count = 3";
    // Three are too old, and of the seven left four are too many.
    assert_eq!(apply(subject, rule, FIRST + 8, &NoPolicy), 7);
    assert_eq!(subject.count("{}"), 3);
    assert_eq!(apply(subject, rule, FIRST + 14, &NoPolicy), 2);
}

fn c22_of_one_second_the_first_in_order_are_kept(subject: &Subject) {
    let drafts = (0..6u8).map(|i| Draft::of(1).content(i.to_string()));
    stored(subject, drafts);
    let before = subject.query("{}");
    assert_eq!(apply(subject, "max_count = 4", FIRST, &NoPolicy), 2);
    assert_eq!(subject.query("{}"), before[..4]);
}

/// Keeps what says so and counts how often it is asked.
#[derive(Default)]
struct Keeper {
    asked: Cell<usize>,
}

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
        Ok(KvWrites::default())
    }
    fn guards_removal(&self, _kind: u16) -> bool {
        true
    }
    fn may_remove(&self, event: &Event, cause: Cause) -> bool {
        assert_eq!(cause, Cause::Retention);
        self.asked.set(self.asked.get() + 1);
        event.content() != "keep"
    }
}

fn c22_a_guard_keeps_and_is_asked_once_a_walk(subject: &Subject) {
    let kept = (0..300).map(|at| Draft::of(1).at(at).content("keep"));
    let going = (300..305).map(|at| Draft::of(1).at(at));
    stored(subject, kept.chain(going));
    for (rule, gone, asked) in [
        ("max_age = '1d'", 5, 305),
        ("max_count = 1", 0, 299),
        ("max_count = 1\nper = 'author'", 0, 299),
    ] {
        let keeper = Keeper::default();
        assert_eq!(apply(subject, rule, FIRST, &keeper), gone, "{rule}");
        assert_eq!(keeper.asked.get(), asked, "{rule}");
    }
    assert_eq!(subject.count("{}"), 300);
}

fn c22_what_has_gone_otherwise_does_not_count(subject: &Subject) {
    let expires = ["expiration", &(FIRST + 5_000_000_000).to_string()];
    let newest = Draft::of(1).at(FIRST + 9).tag(&expires);
    stored(subject, [newest]);
    let mine = stored(subject, (0..3).map(|at| Draft::of(1).by(2).at(FIRST + at)));
    let vanishing = Draft::of(62).by(1).at(FIRST + 100).build();
    subject.commit_with(&[Write::Vanish(vanishing.clone())], &NoPolicy);
    let rule = "kinds = [1]\nmax_count = 2";
    assert_eq!(apply(subject, rule, FIRST, &NoPolicy), 1);
    assert!(!subject.has(&mine[0]) && subject.has(&mine[1]) && subject.has(&mine[2]));
    // What hides is left to the other sweep.
    let hidden = Vanishing {
        pubkey: *vanishing.pubkey(),
        until: vanishing.created_at(),
    };
    let page = subject.store.vanishing_positions(&hidden, None, 10);
    assert_eq!(page.unwrap().positions.len(), 1);
}

fn c22_much_goes_in_small_pieces(subject: &Subject) {
    let drafts = (0..1_000u64).map(|i| Draft::of(1).by((i % 250) as u8).at(FIRST + i / 3));
    stored(subject, drafts);
    let each = "max_count = 3\nper = 'author'";
    assert_eq!(apply(subject, each, FIRST, &NoPolicy), 250);
    assert_eq!(apply(subject, "max_count = 100", FIRST, &NoPolicy), 650);
    assert_eq!(apply(subject, "max_age = '1s'", 2 * FIRST, &NoPolicy), 100);
}

/// Both stores give up the same events, whatever the rule.
#[test]
fn h8_rules_of_retention_give_up_the_same_in_every_store() {
    let subject = Subject::memory();
    let directory = tempfile::TempDir::new().unwrap();
    let lmdb = LmdbStore::open(directory.path(), small_options()).unwrap();
    let batch: Vec<Write> = (0..600u64)
        .map(|i| {
            let draft = Draft::of([1, 7, 30_023][i as usize % 3]).by((i % 7) as u8);
            let d = i.to_string();
            Write::Put(draft.at(FIRST + i * 7 % 100).tag(&["d", &d]).build())
        })
        .collect();
    subject.commit_with(&batch, &NoPolicy);
    lmdb.commit(&batch, &NoPolicy, FIRST).unwrap();
    for toml in [
        "kinds = [7]\nmax_count = 50\nper = 'author'",
        "kinds = [1, [30000, 40000]]\nmax_count = 20\nper = 'author'",
        "max_age = '1d'\nkinds = [[0, 5]]",
        "max_count = 77",
    ] {
        let now = FIRST + 86_400 + 50;
        let ours = apply_to(&lmdb, toml, now, &NoPolicy);
        assert_eq!(ours, apply(&subject, toml, now, &NoPolicy), "{toml}");
        assert_eq!(
            lmdb.changes(0, usize::MAX).unwrap().changes,
            subject.store.changes(0, usize::MAX).unwrap().changes
        );
    }
    assert!(lmdb.check().unwrap().is_sound());
}
