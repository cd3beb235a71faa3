//! What is told of calls, whatever news comes in whatever order.

#![allow(clippy::unwrap_used)]

use super::state::ENDED_MAX;
use super::*;
use proptest::prelude::*;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use trellis_relay::testing::Author;

fn key(who: u64) -> PublicKey {
    Author::new(who).pubkey()
}

fn room(name: &str, sid: &str) -> RoomSeen {
    let call = *Author::new(9).note("call").id();
    RoomSeen {
        name: name.to_owned(),
        sid: sid.to_owned(),
        created_ms: 0,
        facts: Some(RoomFacts::of_group("pizza", call)),
    }
}

/// One that LiveKit opened then.
fn room_of(name: &str, sid: &str, created_ms: u64) -> RoomSeen {
    RoomSeen {
        created_ms,
        ..room(name, sid)
    }
}

/// What is told of the end of a room; nothing where another goes on.
fn end(calls: &Calls, room: &RoomSeen) -> Option<Vec<News>> {
    calls.finished(room).map(news)
}

fn news(told: Vec<Announcement>) -> Vec<News> {
    told.into_iter().map(|it| it.news).collect()
}

fn sids(sids: &[&str]) -> BTreeSet<String> {
    sids.iter().map(|&it| it.to_owned()).collect()
}

#[test]
fn l8_who_comes_and_goes_is_told_once_and_numbered() {
    let (calls, room, alice) = (Calls::new(10, 10), room("r", "RM_1"), key(1));
    let told = calls.joined(&room, "PA_1", alice, 5);
    assert_eq!((told[0].number, &told[0].news), (1, &News::Joined(alice)));
    assert_eq!(news(calls.joined(&room, "PA_1", alice, 5)), []);
    assert_eq!(news(calls.joined(&room, "PA_2", alice, 6)), []);
    assert_eq!(news(calls.left(&room, "PA_1")), []);
    let told = calls.left(&room, "PA_2");
    assert_eq!((told[0].number, &told[0].news), (2, &News::Left(alice)));
    assert_eq!(end(&calls, &room), Some(vec![News::Finished]));
    assert_eq!(end(&calls, &room), Some(vec![]));
    assert_eq!(news(calls.joined(&room, "PA_3", alice, 7)), []);
    assert!(!calls.knows("r"));
}

#[test]
fn l8_of_a_room_that_says_not_what_it_is_for_nothing_is_told() {
    let (calls, alice) = (Calls::new(10, 10), key(1));
    let room = RoomSeen {
        facts: None,
        ..room("r", "RM_1")
    };
    assert_eq!(news(calls.joined(&room, "PA_1", alice, 5)), []);
    assert_eq!(calls.group_state("r").unwrap().leader, alice);
    assert_eq!(end(&calls, &room), Some(vec![]));
}

#[test]
fn l8_a_room_that_is_opened_anew_ends_the_one_before() {
    let (calls, alice) = (Calls::new(10, 10), key(1));
    calls.joined(&room("r", "RM_1"), "PA_1", alice, 5);
    calls
        .commit("r", alice, 0, "aa", "AA==".to_owned())
        .unwrap()
        .unwrap();
    let told = news(calls.joined(&room("r", "RM_2"), "PA_2", alice, 6));
    assert_eq!(told, [News::Finished, News::Joined(alice)]);
    assert_eq!(calls.group_state("r").unwrap().epoch, 0);
    // The end of the first comes late.
    assert_eq!(end(&calls, &room("r", "RM_1")), None);
    assert!(calls.knows("r"));
}

#[test]
fn l8_late_news_of_an_older_room_does_nothing_to_the_newer_one() {
    let [alice, bob] = [key(1), key(2)];
    let (old, new) = (room_of("r", "RM_1", 5), room_of("r", "RM_2", 6));
    // Of the newer one it is known that somebody is there, or that it was made, or that LiveKit lists it; of the older one
    // nothing, as after a restart.
    let ways: [fn(&Calls, &RoomSeen, PublicKey); 3] = [
        |calls, new, alice| drop(calls.joined(new, "PA_2", alice, 7)),
        |calls, new, _| drop(calls.opened(new, calls.turn())),
        |calls, new, _| drop(calls.rooms_listed(std::slice::from_ref(new), calls.turn())),
    ];
    for hear_of in ways {
        let calls = Calls::new(10, 10);
        let early = calls.turn();
        hear_of(&calls, &new, alice);
        assert!(calls.is_over(&old) && !calls.is_over(&new));
        assert_eq!(end(&calls, &old), None);
        for stale in [&old, &room("r", "RM_0")] {
            assert_eq!(news(calls.left(stale, "PA_1")), []);
            assert_eq!(end(&calls, stale), None);
            assert_eq!(news(calls.joined(stale, "PA_1", bob, 5)), []);
        }
        assert_eq!(news(calls.opened(&old, early)), []);
        calls.joined(&new, "PA_2", alice, 7);
        let accepted = calls.commit("r", alice, 0, "aa", "AA==".to_owned());
        assert!(accepted.unwrap().is_ok());
        assert_eq!(news(calls.left(&old, "PA_2")), []);
        let known = calls.group_state("r").unwrap();
        assert_eq!((known.epoch, known.people), (1, vec![alice]));
        // The newer one's own end is heard.
        assert_eq!(end(&calls, &new), Some(vec![News::Finished]));
        assert!(!calls.knows("r"));
    }
}

#[test]
fn l8_a_newer_room_of_the_name_ends_the_older_one() {
    let (old, new) = (room_of("r", "RM_1", 5), room_of("r", "RM_2", 6));
    let calls = Calls::new(10, 10);
    calls.joined(&old, "PA_1", key(1), 5);
    assert_eq!(news(calls.opened(&new, calls.turn())), [News::Finished]);
    assert!(calls.is_over(&old) && calls.group_state("r").is_none());

    // That it ended is news of it as well.
    let calls = Calls::new(10, 10);
    calls.joined(&old, "PA_1", key(1), 5);
    assert_eq!(end(&calls, &new), Some(vec![News::Finished]));
    assert!(calls.is_over(&old));

    // What LiveKit lists is there, whatever its clock said before; but not what was opened since it was asked.
    let calls = Calls::new(10, 10);
    calls.joined(&new, "PA_1", key(1), 5);
    let early = calls.turn();
    let (over, told) = calls.rooms_listed(std::slice::from_ref(&old), early);
    assert_eq!((over.len(), news(told)), (0, vec![News::Finished]));
    calls.joined(&old, "PA_2", key(1), 5);
    assert_eq!(calls.group_state("r").unwrap().people, [key(1)]);
    let latest = room_of("r", "RM_3", 9);
    assert_eq!(calls.rooms_listed(&[latest], early).1.len(), 1);
    calls.joined(&room_of("r", "RM_4", 10), "PA_4", key(1), 5);
    assert_eq!(calls.rooms_listed(&[old], early).1, []);
    assert!(calls.knows("r"));
}

#[test]
fn l8_a_room_that_was_taken_for_over_goes_on_where_livekit_shows_it_later() {
    let alice = key(1);
    let (one, other) = (room_of("r", "RM_1", 5000), room_of("r", "RM_2", 5000));
    // Both were opened in the same second, and late news of one was taken for the other's end.
    let mistaken = || {
        let calls = Calls::new(10, 10);
        calls.joined(&one, "PA_1", alice, 5);
        let early = calls.turn();
        assert_eq!(news(calls.joined(&other, "PA_2", alice, 5)).len(), 2);
        assert!(calls.is_over(&one));
        (calls, early)
    };
    type Show = fn(&Calls, &RoomSeen, u64) -> Vec<Announcement>;
    let shows: [Show; 2] = [
        |calls, room, turn| calls.rooms_listed(std::slice::from_ref(room), turn).1,
        |calls, room, turn| calls.opened(room, turn),
    ];
    for show in shows {
        let (calls, early) = mistaken();
        // An answer from before the news tells nothing of it.
        assert_eq!(show(&calls, &one, early), []);
        assert!(calls.is_over(&one));
        let told = show(&calls, &one, calls.turn());
        assert_eq!(news(told), [News::Finished]);
        assert!(!calls.is_over(&one) && calls.is_over(&other));
        let told = calls.joined(&one, "PA_1", alice, 5);
        assert_eq!(news(told), [News::Joined(alice)]);
        assert_eq!(end(&calls, &one), Some(vec![News::Finished]));
    }
    // Nothing is known to go on under that name.
    let calls = Calls::new(10, 10);
    assert_eq!(end(&calls, &one), Some(vec![News::Finished]));
    assert!(calls.is_over(&one));
    calls.rooms_listed(std::slice::from_ref(&one), calls.turn());
    assert!(!calls.is_over(&one));
}

#[test]
fn l8_of_two_rooms_of_one_second_livekit_tells_which_goes_on() {
    let alice = key(1);
    let (one, other) = (room_of("r", "RM_1", 5000), room_of("r", "RM_2", 5000));
    let calls = Calls::new(10, 10);
    assert!(calls.is_unheard_of(&one));
    calls.joined(&one, "PA_1", alice, 5);
    assert!(!calls.is_unheard_of(&one) && calls.is_unheard_of(&other));
    let told = calls.told_apart(&other, &one, calls.turn());
    assert_eq!(news(told), []);
    assert!(calls.is_over(&other) && !calls.is_unheard_of(&other));
    assert_eq!(news(calls.joined(&other, "PA_2", key(2), 5)), []);
    assert_eq!(news(calls.left(&other, "PA_1")), []);
    assert_eq!(end(&calls, &other), None);
    assert_eq!(calls.group_state("r").unwrap().people, [alice]);
    // The clock of one that LiveKit does not have counts for nothing.
    let ahead = room_of("r", "RM_3", 9000);
    assert_eq!(news(calls.told_apart(&ahead, &one, calls.turn())), []);
    assert_eq!(end(&calls, &ahead), None);
    assert_eq!(calls.group_state("r").unwrap().people, [alice]);
    // The one that it does have ends the other.
    let next = room_of("r", "RM_4", 5000);
    let told = calls.told_apart(&next, &next, calls.turn());
    assert_eq!(news(told), [News::Finished]);
    assert!(calls.is_over(&one) && !calls.is_unheard_of(&next));
}

#[test]
fn l8_rooms_and_sessions_are_bounded() {
    let calls = Calls::new(2, 1);
    for name in ["a", "b", "c"] {
        calls.joined(&room(name, name), "PA_1", key(1), 5);
        calls.joined(&room(name, name), "PA_2", key(2), 5);
    }
    assert!(calls.knows("a") && calls.knows("b") && !calls.knows("c"));
    assert_eq!(calls.group_state("a").unwrap().people, [key(1)]);
    for at in 0..2 * ENDED_MAX {
        calls.finished(&room("d", &at.to_string()));
    }
    assert_eq!(calls.state().ended.len(), ENDED_MAX);
}

#[test]
fn l10_when_the_leader_leaves_the_longest_present_leads() {
    let (calls, room) = (Calls::new(10, 10), room("r", "RM_1"));
    let [first, second, third] = [key(1), key(2), key(3)];
    calls.joined(&room, "PA_1", first, 5);
    calls.joined(&room, "PA_3", third, 8);
    calls.joined(&room, "PA_2", second, 7);
    calls
        .commit("r", first, 0, "aa", "AA==".to_owned())
        .unwrap()
        .unwrap();
    // Somebody else leaves: nobody else leads.
    calls.joined(&room, "PA_4", key(4), 9);
    assert_eq!(news(calls.left(&room, "PA_4")), [News::Left(key(4))]);
    let told = news(calls.left(&room, "PA_1"));
    let leads = News::Leads {
        who: second,
        epoch: 1,
    };
    assert_eq!(told, [News::Left(first), leads]);
    let known = calls.group_state("r").unwrap();
    assert_eq!((known.leader, known.epoch), (second, 1));
    assert_eq!(known.people, [second, third]);
    assert_eq!(known.tree_hash.as_deref(), Some("aa"));
}

#[test]
fn l10_of_two_who_came_at_once_the_lower_key_leads() {
    let (calls, room) = (Calls::new(10, 10), room("r", "RM_1"));
    let (lower, higher) = (key(2).min(key(3)), key(2).max(key(3)));
    calls.joined(&room, "PA_1", key(1), 5);
    calls.joined(&room, "PA_2", higher, 6);
    calls.joined(&room, "PA_3", lower, 6);
    calls.left(&room, "PA_1");
    assert_eq!(calls.group_state("r").unwrap().leader, lower);
}

#[test]
fn l10_an_empty_room_has_no_epoch_and_whoever_comes_next_begins_at_0() {
    let (calls, room) = (Calls::new(10, 10), room("r", "RM_1"));
    calls.joined(&room, "PA_1", key(1), 5);
    calls
        .commit("r", key(1), 0, "aa", "AA==".to_owned())
        .unwrap()
        .unwrap();
    calls.left(&room, "PA_1");
    assert_eq!(calls.group_state("r"), None);
    calls.joined(&room, "PA_2", key(2), 6);
    let known = calls.group_state("r").unwrap();
    assert_eq!(
        (known.leader, known.epoch, known.tree_hash),
        (key(2), 0, None)
    );
}

#[test]
fn l10_of_a_hundred_commits_at_once_one_is_told() {
    let (calls, room, leader) = (Calls::new(10, 10), room("r", "RM_1"), key(1));
    calls.joined(&room, "PA_1", leader, 5);
    let told = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for at in 0..100 {
            let (calls, told) = (&calls, &told);
            scope.spawn(move || {
                let commit = format!("commit {at}");
                match calls.commit("r", leader, 0, "aa", commit).unwrap() {
                    Ok(accepted) => {
                        assert!(accepted.announcement.is_some());
                        told.fetch_add(1, Relaxed);
                    }
                    Err(refusal) => assert_eq!(refusal, Refusal::OtherEpoch(1)),
                }
            });
        }
    });
    assert_eq!(told.load(Relaxed), 1);
}

#[test]
fn l7_a_list_makes_up_for_webhooks_that_were_lost() {
    let (calls, room) = (Calls::new(10, 10), room("r", "RM_1"));
    calls.joined(&room, "PA_1", key(1), 5);
    calls.joined(&room, "PA_2", key(2), 6);
    let turn = calls.turn();
    // This one comes while the list is on its way.
    calls.joined(&room, "PA_3", key(3), 7);
    let told = news(calls.listed(&room, &sids(&["PA_2"]), turn));
    let leads = News::Leads {
        who: key(2),
        epoch: 0,
    };
    assert_eq!(told, [News::Left(key(1)), leads]);
    let turn = calls.turn();
    calls.joined(&super::tests::room("new", "RM_2"), "PA_9", key(1), 5);
    let (over, told) = calls.rooms_listed(&[], turn);
    assert_eq!(
        (over, news(told)),
        (vec!["r".to_owned()], vec![News::Finished])
    );
    assert!(calls.knows("new"));
}

#[test]
fn l7_a_session_is_put_out_once_unless_that_failed() {
    let (calls, room) = (Calls::new(10, 10), room("r", "RM_1"));
    calls.joined(&room, "PA_1", key(1), 5);
    assert!(calls.put_out(&room, "PA_2").0);
    assert!(!calls.put_out(&room, "PA_2").0);
    calls.not_put_out("r", "PA_2");
    assert!(calls.put_out(&room, "PA_2").0);
    assert_eq!(news(calls.joined(&room, "PA_2", key(2), 5)), []);
    assert_eq!(calls.group_state("r").unwrap().people, [key(1)]);
}

proptest! {
    /// Whatever happens: somebody leads if and only if somebody is there, and it is one of them; what is told of comings and
    /// goings agrees with who is there.
    #[test]
    fn l10_who_leads_is_there(
        happens in prop::collection::vec((0u8..5, 0u8..2, 0u64..6, 0u64..4), 0..60)
    ) {
        let calls = Calls::new(10, 10);
        let mut told_in: HashMap<String, BTreeSet<PublicKey>> = HashMap::new();
        for (at, (what, of_room, session, since_ms)) in happens.into_iter().enumerate() {
            let name = of_room.to_string();
            // Late news of a room that ended is as likely as news of the next.
            let room = room(&name, &format!("RM_{name}_{}", at / 20));
            let (sid, who) = (format!("PA_{session}"), key(session % 3 + 1));
            let told = match what {
                0 | 1 => calls.joined(&room, &sid, who, since_ms),
                2 => calls.left(&room, &sid),
                3 => calls.listed(&room, &sids(&["PA_0", "PA_1"]), calls.turn()),
                _ => calls.finished(&room).unwrap_or_default(),
            };
            for announcement in told {
                let there = told_in.entry(announcement.room).or_default();
                match announcement.news {
                    News::Joined(who) => prop_assert!(there.insert(who)),
                    News::Left(who) => prop_assert!(there.remove(&who)),
                    News::Finished => there.clear(),
                    News::Leads { who, .. } => prop_assert!(there.contains(&who)),
                    News::Commit { .. } => unreachable!("nobody commits here"),
                }
            }
            for name in ["0", "1"] {
                let known = calls.group_state(name);
                let there = told_in.get(name).cloned().unwrap_or_default();
                prop_assert_eq!(known.is_some(), !there.is_empty());
                if let Some(known) = known {
                    prop_assert!(there.contains(&known.leader));
                    prop_assert_eq!(known.people.into_iter().collect::<BTreeSet<_>>(), there);
                }
            }
        }
    }
}
