//! Communities by their own words, and from a store.

#![allow(clippy::unwrap_used)]

use super::Refusal;
use super::cache::Cache;
use super::community::Community;
use super::definition::{Access, Definition};
use crate::operator::Operator;
use std::sync::Arc;
use trellis_relay::event::Event;
use trellis_relay::testing::{Author, Draft};

const OPERATOR: &str = "https://calls.example";

fn community() -> Author {
    Author::new(100)
}

/// A definition with these tags, each `name value`, after the operator's.
fn definition(tags: &[&str]) -> Event {
    let draft = community().draft(10222).tag(["livekit", OPERATOR]);
    let add = |draft: Draft, tag: &&str| {
        let (name, value) = tag.split_once(' ').unwrap();
        draft.tag([name, &value.replace("OWN", &community().pubkey().to_hex())])
    };
    tags.iter().fold(draft, add).sign()
}

fn list(d: &str, members: &[u64]) -> Event {
    let draft = community().draft(30000).tag(["d", d]);
    let add =
        |draft: Draft, member: &u64| draft.tag(["p", &Author::new(*member).pubkey().to_hex()]);
    members.iter().fold(draft, add).sign()
}

/// Who of the community, a listed person and a stranger belongs.
fn who_belongs(tags: &[&str]) -> [bool; 3] {
    let lists = [list("people", &[1]), list("others", &[3])];
    let found = Community::of(&definition(tags), &lists[..1], 100);
    let operator = Operator::new(Some(OPERATOR));
    [community(), Author::new(1), Author::new(2)]
        .map(|who| found.judge(&operator, &who.pubkey()).is_ok())
}

#[test]
fn l12_members_are_on_the_list_of_the_section_that_has_spaces() {
    let tags = [
        "content Chat",
        "k 9",
        "content Rooms",
        "k 30312",
        "a 30000:OWN:people",
    ];
    assert_eq!(who_belongs(&tags), [true, true, false]);
    // Several kinds, and further tags.
    let tags = [
        "r wss://relay.example",
        "content Rooms",
        "k 30313",
        "k 30312",
        "a 30000:OWN:people",
    ];
    assert_eq!(who_belongs(&tags), [true, true, false]);
    // An application form is no condition of its own.
    let tags = [
        "content Rooms",
        "k 30312",
        "a 30168:OWN:form",
        "a 30000:OWN:people",
    ];
    assert_eq!(who_belongs(&tags), [true, true, false]);
}

#[test]
fn l12_a_section_without_a_list_is_open_and_without_a_section_there_is_the_community_alone() {
    assert_eq!(
        who_belongs(&["content Rooms", "k 30312"]),
        [true, true, true]
    );
    assert_eq!(who_belongs(&["content Chat", "k 9"]), [true, false, false]);
    assert_eq!(who_belongs(&[]), [true, false, false]);
    // The list of another section says nothing of rooms, nor does a kind outside of any.
    let tags = ["content Chat", "k 9", "a 30000:OWN:people"];
    assert_eq!(who_belongs(&tags), [true, false, false]);
    assert_eq!(who_belongs(&["k 30312"]), [true, false, false]);
}

#[test]
fn l12_a_condition_that_is_not_understood_opens_nothing() {
    let other = format!("a 30000:{}:people", Author::new(7).pubkey().to_hex());
    for condition in [
        other.as_str(),
        "a 30000:nonsense",
        "a 30009:OWN:badge",
        "role admin",
        "access members",
        "badge a",
        "fee 10",
    ] {
        let tags = ["content Rooms", "k 30312", condition];
        assert_eq!(who_belongs(&tags), [true, false, false], "{condition}");
    }
    let tags = [
        "content Rooms",
        "k 30312",
        "role admin",
        "a 30000:OWN:people",
    ];
    assert_eq!(who_belongs(&tags), [true, true, false]);
}

#[test]
fn l12_lists_of_several_sections_add_up() {
    let event = definition(&[
        "content A",
        "k 30312",
        "a 30000:OWN:people",
        "content B",
        "k 30312",
        "a 30000:OWN:others",
    ]);
    let Access::Listed(lists) = Definition::of(&event).access else {
        panic!("no lists");
    };
    let names: Vec<_> = lists.into_iter().map(|list| list.d).collect();
    assert_eq!(names, ["people", "others"]);
    let tags = [
        "content A",
        "k 30312",
        "a 30000:OWN:people",
        "content B",
        "k 30312",
    ];
    assert_eq!(who_belongs(&tags), [true, true, true]);
}

#[test]
fn l12_the_community_must_name_this_operator() {
    let judge = |event: Event, operator: Option<&str>| {
        let who = community().pubkey();
        Community::of(&event, [], 100).judge(&Operator::new(operator), &who)
    };
    let nameless = community().draft(10222).sign();
    let other = community()
        .draft(10222)
        .tag(["livekit", "https://other.example"])
        .sign();
    assert_eq!(
        judge(nameless.clone(), Some(OPERATOR)),
        Err(Refusal::OtherOperator)
    );
    assert_eq!(
        judge(other.clone(), Some(OPERATOR)),
        Err(Refusal::OtherOperator)
    );
    assert_eq!(judge(definition(&[]), Some(OPERATOR)), Ok(()));
    assert_eq!(judge(nameless, None), Ok(()));
    assert_eq!(judge(other, None), Ok(()));
}

#[test]
fn l12_members_and_communities_are_kept_within_bounds() {
    let tags = ["content Rooms", "k 30312", "a 30000:OWN:people"];
    let many = list("people", &[1, 2, 3, 4, 5]);
    let kept = Community::of(&definition(&tags), [&many], 3);
    assert_eq!(kept.weight(), 4);

    let cache = Cache::new(2, 6);
    let keep = |number: u64, members: &[u64]| {
        let key = Author::new(number).pubkey();
        let Err(since) = cache.get(&key) else {
            panic!("it is there already");
        };
        let found = Community::of(&definition(&tags), [&list("people", members)], 100);
        cache.keep(key, Some(Arc::new(found)), &since);
    };
    let is_kept = |number: u64| cache.get(&Author::new(number).pubkey()).is_ok();
    keep(1, &[11, 12]);
    keep(2, &[11, 12]);
    assert!(is_kept(1) && is_kept(2));
    // A third one puts out the longest unused.
    assert!(is_kept(1));
    keep(3, &[11]);
    assert!(is_kept(1) && !is_kept(2) && is_kept(3));
    // So does one with many members.
    keep(4, &[11, 12, 13, 14, 15, 16]);
    assert!(is_kept(4) && !is_kept(1) && !is_kept(3));
}

#[test]
fn l12_what_was_read_before_a_change_is_not_kept() {
    let (cache, key) = (Cache::new(10, 10), community().pubkey());
    let Err(since) = cache.get(&key) else {
        panic!("nothing was kept");
    };
    cache.forget(&key);
    cache.keep(key, None, &since);
    assert!(cache.get(&key).is_err());
}
