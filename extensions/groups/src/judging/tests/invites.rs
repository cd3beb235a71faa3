//! Which invites count: those of events that are there and have not ended.

use super::{person, rules, take};
use crate::moderation::revoke;
use crate::rebuilding::{Pages, differences, fold, without_ended_invites};
use crate::state::State;
use std::sync::Arc;
use std::time::Duration;
use trellis_relay::event::Event;
use trellis_relay::testing::{Draft, START_S};

fn by(author: u64, kind: u16) -> Draft {
    person(author).draft(kind).tag(["h", "one"])
}

#[test]
fn g2_of_two_invites_with_one_code_each_lets_in_until_it_is_deleted() {
    let (rules, mut pages) = (rules(), Pages::new());
    let create = by(1, 9007).sign();
    let invites =
        ["first", "second"].map(|words| by(1, 9009).tag(["code", "a"]).content(words).sign());
    let closed = by(1, 9002).tag(["closed"]).sign();
    for event in [&create, &closed, &invites[0], &invites[1]] {
        take(&mut pages, event, &rules).unwrap();
    }
    let differing = |pages: &Pages, events: &[&Event]| {
        let events: Vec<_> = events
            .iter()
            .map(|event| Arc::new((*event).clone()))
            .collect();
        differences(&fold(&events, &[], &rules, START_S).0, pages)
    };
    let join = |author, pages: &mut Pages| {
        take(pages, &by(author, 9021).tag(["code", "a"]).sign(), &rules)
    };
    // A moderator deletes one, the author takes the other one back: their events go.
    let delete = by(1, 9005).tag(["e", &invites[1].id().to_hex()]).sign();
    take(&mut pages, &delete, &rules).unwrap();
    let left = differing(&pages, &[&create, &closed, &invites[0], &delete]);
    assert!(left.is_empty(), "{left:?}");
    join(2, &mut pages).unwrap();
    revoke("one", &[*invites[0].id()], &mut State::of(&mut pages)).unwrap();
    let left = differing(&pages, &[&create, &closed, &delete]);
    assert!(left.is_empty(), "{left:?}");
    assert!(join(3, &mut pages).is_err());
}

#[test]
fn g2_an_invite_that_has_ended_is_none_whether_its_event_is_there_or_not() {
    let (rules, mut pages) = (rules(), Pages::new());
    let brief = by(1, 9009)
        .tag(["code", "a"])
        .expires_in(Duration::from_secs(60));
    let events = [by(1, 9007).sign(), brief.sign()];
    for event in &events {
        take(&mut pages, event, &rules).unwrap();
    }
    let after_s = START_S + 61;
    for count in [1, 2] {
        let events: Vec<_> = events[..count].iter().cloned().map(Arc::new).collect();
        let mut rebuilt = fold(&events, &[], &rules, after_s).0;
        let mut rows = pages.clone();
        without_ended_invites(&mut rebuilt, after_s);
        without_ended_invites(&mut rows, after_s);
        let differing = differences(&rebuilt, &rows);
        assert!(differing.is_empty(), "{differing:?}");
    }
}
