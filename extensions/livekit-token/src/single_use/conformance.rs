//! What every cache of tokens promises, whatever it stands on.

#![allow(clippy::unwrap_used)]

use super::{Arrival, Issued, TokenCache, mark_of};
use futures_util::future::join_all;
use std::time::Duration;
use trellis_relay::clock::{Clock, FakeClock};

/// Where the clock of these tests begins.
pub(super) const START_S: u64 = 1_700_000_000;

/// A token of this mark for somebody in the room `room`, good for 180 s and remembered for 300.
pub(super) fn issued(mark: &str, identity: &str) -> Issued {
    Issued {
        mark: mark.to_owned(),
        room: "room".to_owned(),
        identity: identity.to_owned(),
        expires_at_s: START_S + 180,
        forget_at_s: START_S + 300,
    }
}

/// One with a mark and a room that no other run has.
pub(super) fn token_of(identity: &str) -> Issued {
    let unique = rand::random::<u128>().to_string();
    Issued {
        room: format!("room {unique}"),
        ..issued(&mark_of(&unique), identity)
    }
}

/// All promises. The cache may be shared with others and be long-lived; the clock stands at [`START_S`].
pub(super) async fn run(cache: &dyn TokenCache, clock: &FakeClock) {
    lets_one_session_in(cache).await;
    one_of_many_at_once_is_first(cache).await;
    refuses_until_a_new_token(cache).await;
    a_room_that_ends_refuses_nobody_and_opens_for_no_copy(cache).await;
    // Last, since it moves the clock.
    tells_a_copy_from_a_reconnect(cache, clock).await;
    knows_a_copy_for_as_long_as_it_is_tried(cache, clock).await;
}

async fn lets_one_session_in(cache: &dyn TokenCache) {
    let token = token_of("alice");
    let arrive = |sid: &'static str| {
        let mark = token.mark.clone();
        async move { cache.arrive(&mark, sid, START_S).await.unwrap() }
    };
    assert_eq!(arrive("PA_1").await, Arrival::Unknown);
    cache.issue(&token).await.unwrap();
    assert_eq!(arrive("PA_1").await, Arrival::First);
    assert_eq!(arrive("PA_1").await, Arrival::Same);
    assert_eq!(arrive("PA_2").await, Arrival::Replay);
    assert_eq!(arrive("PA_2").await, Arrival::Replay);
    assert_eq!(arrive("PA_1").await, Arrival::Same);
    // The same token once more changes nothing.
    cache.issue(&token).await.unwrap();
    assert_eq!(arrive("PA_2").await, Arrival::Replay);
}

async fn one_of_many_at_once_is_first(cache: &dyn TokenCache) {
    let token = token_of("alice");
    cache.issue(&token).await.unwrap();
    let come = (0..50).map(|at| {
        let mark = token.mark.clone();
        async move {
            let sid = format!("PA_{at}");
            cache.arrive(&mark, &sid, START_S).await.unwrap()
        }
    });
    let answers = join_all(come).await;
    let first = answers.iter().filter(|it| **it == Arrival::First).count();
    let copies = answers.iter().filter(|it| **it == Arrival::Replay).count();
    assert_eq!((first, copies), (1, 49));
}

async fn refuses_until_a_new_token(cache: &dyn TokenCache) {
    let token = token_of("alice");
    let (room, until_s) = (&token.room, START_S + 300);
    let is_refused = |who: &'static str, now_s: u64| async move {
        cache.is_refused(room, who, now_s).await.unwrap()
    };
    assert!(!is_refused("alice", START_S).await);
    for who in ["alice", "bob"] {
        cache.refuse(room, who, until_s).await.unwrap();
    }
    assert!(is_refused("alice", START_S).await);
    assert!(!is_refused("alice", until_s).await);
    assert!(!cache.is_refused("another", "alice", START_S).await.unwrap());
    cache.issue(&token).await.unwrap();
    assert!(!is_refused("alice", START_S).await);
    assert!(is_refused("bob", START_S).await);
}

async fn a_room_that_ends_refuses_nobody_and_opens_for_no_copy(cache: &dyn TokenCache) {
    let (token, elsewhere) = (token_of("alice"), token_of("alice"));
    cache.issue(&token).await.unwrap();
    cache.arrive(&token.mark, "PA_1", START_S).await.unwrap();
    for room in [&token.room, &elsewhere.room] {
        cache.refuse(room, "alice", START_S + 300).await.unwrap();
    }
    cache.forget_room(&token.room).await.unwrap();
    let is_refused = cache.is_refused(&token.room, "alice", START_S).await;
    assert!(!is_refused.unwrap());
    let elsewhere = cache.is_refused(&elsewhere.room, "alice", START_S).await;
    assert!(elsewhere.unwrap());
    let copy = cache.arrive(&token.mark, "PA_2", START_S).await;
    assert_eq!(copy.unwrap(), Arrival::Replay);
}

async fn tells_a_copy_from_a_reconnect(cache: &dyn TokenCache, clock: &FakeClock) {
    let token = token_of("alice");
    cache.issue(&token).await.unwrap();
    let arrive = |sid: &'static str, now_s: u64| {
        let mark = token.mark.clone();
        async move { cache.arrive(&mark, sid, now_s).await.unwrap() }
    };
    assert_eq!(arrive("PA_1", START_S + 1).await, Arrival::First);
    clock.advance(Duration::from_secs(180));
    let now_s = clock.now_s();
    assert_eq!(arrive("PA_2", now_s).await, Arrival::Reconnect);
    assert_eq!(arrive("PA_1", now_s).await, Arrival::Same);
}

/// LiveKit gives every session fresh tokens of its own, which outlive ours and bear the same mark.
async fn knows_a_copy_for_as_long_as_it_is_tried(cache: &dyn TokenCache, clock: &FakeClock) {
    let now_s = clock.now_s();
    let token = Issued {
        expires_at_s: now_s + 180,
        forget_at_s: now_s + 300,
        ..token_of("alice")
    };
    cache.issue(&token).await.unwrap();
    let arrive = |sid: &'static str, after_s: u64| {
        let mark = token.mark.clone();
        async move { cache.arrive(&mark, sid, now_s + after_s).await.unwrap() }
    };
    assert_eq!(arrive("PA_1", 1).await, Arrival::First);
    for after_s in [179, 181, 301, 1_100, 1_900] {
        assert_eq!(arrive("PA_2", after_s).await, Arrival::Replay);
        assert_eq!(arrive("PA_1", after_s).await, Arrival::Same);
    }
}
