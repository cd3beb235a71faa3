//! The policy alone, on rows in memory: many events in a moment, without a relay.

#![allow(clippy::unwrap_used)]

mod bounds;
mod hidden;
mod invites;

use crate::config::Config;
use crate::group::Standing;
use crate::judging::judge;
use crate::moderation::keepers;
use crate::rebuilding::{Pages, counts_differ, differences, fold};
use crate::rules::Rules;
use crate::state::{Refusal, State};
use proptest::prelude::*;
use std::sync::Arc;
use trellis_relay::event::Event;
use trellis_relay::testing::{Author, Draft, START_S};

/// People: the relay is one of them, the others may be anything.
const PEOPLE: u64 = 5;
const RELAY: u64 = 0;
const GROUPS: [&str; 3] = ["one", "two", "three"];

fn person(number: u64) -> Author {
    Author::new(number + 1)
}

fn rules() -> Rules {
    let table = "roles.admin.rights = ['put-user', 'remove-user', 'edit-metadata', 'delete-event', 'delete-group', 'create-invite', 'update-pin-list']\n\
                 roles.helper.rights = ['remove-user', 'create-invite']\n\
                 max_members = 4\nmax_invites = 3\ntimeline_events = 0";
    let config: Config = toml::from_str(table).unwrap();
    config.settle(person(RELAY).pubkey()).unwrap()
}

/// One step: who does what to which group and whom.
#[derive(Clone, Debug)]
struct Step {
    kind: u16,
    by: u64,
    to: u64,
    group: usize,
    other: usize,
    choice: u8,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let kinds = prop::sample::select(vec![
        9000, 9000, 9000, 9001, 9001, 9002, 9002, 9005, 9007, 9007, 9008, 9009, 9010, 9021, 9021,
        9022,
    ]);
    let step = (
        kinds,
        0..PEOPLE,
        0..PEOPLE,
        0..3_usize,
        0..3_usize,
        any::<u8>(),
    );
    let step = step.prop_map(|(kind, by, to, group, other, choice)| Step {
        kind,
        by,
        to,
        group,
        other,
        choice,
    });
    prop::collection::vec(step, 1..80)
}

fn draft(step: &Step, number: usize, earlier: &[Arc<Event>]) -> Event {
    let to = person(step.to).pubkey().to_hex();
    let number = number.to_string();
    let draft = person(step.by).draft(step.kind).content(&number);
    let draft = draft.tag(["h", GROUPS[step.group]]);
    let any_earlier = earlier.get(usize::from(step.choice) % earlier.len().max(1));
    match step.kind {
        9000 => match step.choice % 4 {
            0 => draft.tag(["p", &to]),
            1 => draft.tag(["p", &to, "admin"]),
            2 => draft.tag(["p", &to, "helper", "cook"]),
            _ => draft.tag(["p", &to, "cook"]),
        },
        9001 => draft.tag(["p", &to]),
        9002 => metadata(draft, step),
        9005 => match any_earlier {
            Some(event) => draft.tag(["e", &event.id().to_hex()]),
            None => draft,
        },
        9009 | 9021 => draft.tag(["code", ["a", "b"][usize::from(step.choice % 2)]]),
        9010 => match any_earlier {
            Some(event) => draft.tag(["e", &event.id().to_hex()]),
            None => draft,
        },
        _ => draft,
    }
    .sign()
}

fn metadata(draft: Draft, step: &Step) -> Draft {
    let draft = draft.tag(["name", GROUPS[step.other]]);
    let flags = ["private", "closed", "hidden", "restricted"];
    let flags = flags.into_iter().enumerate();
    let draft = flags
        .filter(|(place, _)| step.choice & (1 << place) != 0)
        .fold(draft, |draft, (_, flag)| draft.tag([flag]));
    let draft = match step.choice & 0x30 {
        0x10 => draft.tag(["parent", GROUPS[step.other]]),
        _ => draft,
    };
    match step.choice & 0xc0 {
        0x40 => draft.tag(["child", GROUPS[(step.group + 1) % 3]]),
        _ => draft,
    }
}

/// What the relay answers to a request that was accepted.
fn answer(request: &Event) -> Option<Event> {
    let (kind, role) = match request.kind() {
        9021 => (9000, None),
        9022 => (9001, None),
        9007 => (9000, Some("admin")),
        _ => return None,
    };
    let draft = person(RELAY).draft(kind);
    let draft = draft.tag(["h", &request.first_tag_value("h")?]);
    let p = request.pubkey().to_hex();
    let draft = match role {
        None => draft.tag(["p", &p]),
        Some(role) => draft.tag(["p", &p, role]),
    };
    Some(draft.tag(["e", &request.id().to_hex()]).sign())
}

/// Judges an event on rows; whether it was accepted. What is refused must change nothing.
fn take(pages: &mut Pages, event: &Event, rules: &Rules) -> Result<(), String> {
    let before = pages.clone();
    match judge(event, &mut State::of(pages), rules, START_S) {
        Ok(()) => Ok(()),
        Err(Refusal::No(reason)) => {
            *pages = before;
            Err(reason.to_string())
        }
        Err(failure) => panic!("{failure}"),
    }
}

/// What holds of every state.
fn check(pages: &mut Pages, rules: &Rules) {
    let (mut groups, mut users) = (0, 0);
    let mut shares = [0; PEOPLE as usize];
    for id in GROUPS {
        let standings: Vec<_> = (0..PEOPLE)
            .map(|number| {
                State::of(pages)
                    .standing(id, &person(number).pubkey())
                    .unwrap()
            })
            .collect();
        let count = |wanted| standings.iter().filter(|it| **it == Some(wanted)).count();
        let (members, removed) = (count(Standing::Member), count(Standing::Removed));
        let state = State::of(pages);
        let Some(group) = state.group(id).unwrap() else {
            continue;
        };
        if group.is_deleted {
            continue;
        }
        groups += 1;
        users += (group.members + group.removed) as u64;
        let founder = |number: &u64| Some(person(*number).pubkey()) == group.founder;
        let founder = (0..PEOPLE).find(founder).unwrap();
        shares[founder as usize] += (group.members + group.removed) as u64;
        assert_eq!((group.members, group.removed), (members, removed), "{id}");
        assert!(members <= rules.max_members);
        let staff = state.staff(id).unwrap();
        assert!(keepers(&staff, rules) > 0, "{id} has no admin");
        for user in staff.keys() {
            assert_eq!(state.standing(id, user).unwrap(), Some(Standing::Member));
        }
        assert!(state.invites(id).unwrap().len() <= rules.max_invites);
        let mut above = group.parent.clone();
        for _ in 0..GROUPS.len() {
            let Some(parent) = above else { break };
            assert_ne!(parent, id, "a group is above itself");
            let children = state.display(&parent).unwrap().children;
            assert!(!children.is_empty());
            above = state.group(&parent).unwrap().unwrap().parent;
        }
        for child in state.display(id).unwrap().children {
            assert_eq!(
                state.group(&child).unwrap().unwrap().parent.as_deref(),
                Some(id)
            );
        }
    }
    let counts = State::of(pages).counts().unwrap();
    assert_eq!((counts.groups, counts.users), (groups, users));
    for (number, share) in (0..).zip(shares) {
        let founder = person(number).pubkey();
        let counted = State::of(pages).users_of_founder(&founder).unwrap();
        assert_eq!(counted, share);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn g3_the_state_follows_from_the_moderation_events_alone(steps in steps(), prompt in any::<bool>()) {
        let rules = rules();
        let mut pages = Pages::new();
        let mut accepted: Vec<Arc<Event>> = Vec::new();
        let mut to_answer: Vec<Event> = Vec::new();
        for (number, step) in steps.iter().enumerate() {
            // The relay itself may do everything: it could leave a group without an admin.
            let by = if step.by == RELAY { 1 } else { step.by };
            let event = draft(&Step { by, ..step.clone() }, number, &accepted);
            if take(&mut pages, &event, &rules).is_ok() {
                to_answer.extend(answer(&event));
                if event.kind() < 9020 {
                    accepted.push(Arc::new(event));
                }
            }
            check(&mut pages, &rules);
            // The relay answers at once, or after others have done more.
            if prompt || number % 7 == 0 {
                for event in to_answer.drain(..) {
                    if take(&mut pages, &event, &rules).is_ok() {
                        accepted.push(Arc::new(event));
                    }
                    check(&mut pages, &rules);
                }
            }
        }
        let (rebuilt, refused) = fold(&accepted, &[], &rules, START_S);
        prop_assert_eq!(refused, 0);
        let differing = differences(&rebuilt, &pages);
        prop_assert!(differing.is_empty(), "{:?}", differing);
        prop_assert!(!counts_differ(&rebuilt, &pages));
    }
}

#[test]
fn g2_an_answer_that_was_overtaken_changes_nothing() {
    let rules = rules();
    let mut pages = Pages::new();
    let by = |number, kind| person(number).draft(kind).tag(["h", "one"]);
    let (admin, user) = (1, 2);
    take(&mut pages, &by(admin, 9007).sign(), &rules).unwrap();
    let join = by(user, 9021).sign();
    take(&mut pages, &join, &rules).unwrap();
    let remove = by(admin, 9001).tag(["p", &person(user).pubkey().to_hex()]);
    take(&mut pages, &remove.sign(), &rules).unwrap();
    let late = answer(&join).unwrap();
    assert_eq!(
        take(&mut pages, &late, &rules),
        Err("blocked: something else was decided meanwhile".to_owned())
    );
    let standing = State::of(&mut pages).standing("one", &person(user).pubkey());
    assert_eq!(standing.unwrap(), Some(Standing::Removed));
}

#[test]
fn g3_events_from_elsewhere_are_judged_as_if_they_came_now() {
    let rules = rules();
    let by = |number: u64, kind| Arc::new(person(number).draft(kind).tag(["h", "one"]).sign());
    let put = |by: u64, user: u64| {
        let draft = person(by).draft(9000).tag(["h", "one"]);
        Arc::new(draft.tag(["p", &person(user).pubkey().to_hex()]).sign())
    };
    let others = [by(1, 9007), put(1, 2), put(3, 4)];
    let (mut rebuilt, refused) = fold(&[], &others, &rules, START_S);
    assert_eq!(refused, 1);
    let group = State::of(&mut rebuilt).group("one").unwrap().unwrap();
    assert_eq!(group.members, 2);
}

#[test]
fn g3_groups_outlive_the_events_of_those_that_were_deleted() {
    let rules = rules();
    let mut pages = Pages::new();
    let by = |kind, id: &str| person(1).draft(kind).tag(["h", id]);
    let events = [
        by(9007, "above").sign(),
        by(9007, "below").sign(),
        by(9007, "gone").sign(),
        by(9002, "gone").tag(["parent", "above"]).sign(),
        by(9002, "below")
            .tag(["name", "low"])
            .tag(["parent", "gone"])
            .sign(),
        by(9002, "above")
            .tag(["name", "high"])
            .tag(["child", "gone"])
            .sign(),
        by(9008, "gone").sign(),
    ];
    for event in &events {
        take(&mut pages, event, &rules).unwrap();
    }
    let is_left = |event: &&Event| {
        event.kind() == 9008 || event.first_tag_value("h").as_deref() != Some("gone")
    };
    let left: Vec<_> = events
        .iter()
        .filter(is_left)
        .cloned()
        .map(Arc::new)
        .collect();
    let (mut rebuilt, refused) = fold(&left, &[], &rules, START_S);
    assert_eq!(refused, 0);
    let mut differing = differences(&rebuilt, &pages);
    differing.remove("gone"); // the rows of its users go in the background
    assert!(differing.is_empty(), "{differing:?}");
    let state = State::of(&mut rebuilt);
    assert!(state.group("gone").unwrap().unwrap().is_deleted);
    assert_eq!(
        state.display("above").unwrap().name.as_deref(),
        Some("high")
    );
    assert_eq!(state.group("below").unwrap().unwrap().parent, None);
}
