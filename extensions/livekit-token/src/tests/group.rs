//! Calls of groups.

use super::ground::{Ground, assert_fails, claims, hash_of, request, value};
use crate::single_use::mark_of;
use std::time::Duration;
use trellis_relay::testing::{START_S, Value, json};

#[tokio::test]
async fn l3_a_member_gets_a_token_for_the_call() {
    let ground = Ground::start().await;
    let call = ground.call().await;
    let answer = ground.join(2, &call).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let body: Value = answer.json();
    let room = hash_of(&["pizza", &call.id().to_hex()]);
    assert_eq!(body["room"], json!(room));
    assert_eq!(body["url"], "wss://livekit.example.com");
    assert_eq!(body["expiry"], START_S + 180);
    assert_eq!(body["metadata"], json!({}));
    assert_eq!(body.as_object().unwrap().len(), 5);
    assert_eq!(ground.livekit.rooms(), [room]);
}

#[tokio::test]
async fn l6_a_token_lets_one_person_into_one_room_and_no_more() {
    let ground = Ground::start().await;
    let call = ground.call().await;
    let body: Value = ground.join(2, &call).await.json();
    let first = claims(body["token"].as_str().unwrap());
    let jti = first["jti"].as_str().unwrap();
    assert_eq!(
        first,
        json!({
            "iss": "devkey",
            "sub": ground.author(2).pubkey().to_hex(),
            "jti": jti,
            "nbf": START_S,
            "exp": START_S + 180,
            "video": {
                "room": body["room"],
                "roomJoin": true,
                "canPublish": true,
                "canSubscribe": true,
            },
            "attributes": {"token_mark": mark_of(jti)},
        })
    );
    let body: Value = ground.join(2, &call).await.json();
    let second = claims(body["token"].as_str().unwrap());
    assert_ne!(second["jti"], first["jti"]);
}

#[tokio::test]
async fn l6_the_room_is_made_first_with_its_bounds() {
    let ground = Ground::with(
        "room_max_participants = 7\nroom_empty_timeout_seconds = 60",
        "",
    )
    .await;
    let call = ground.call().await;
    assert_eq!(ground.join(1, &call).await.status, 200);
    let made = ground.livekit.asked("CreateRoom");
    let [made] = &*made else {
        panic!("one room");
    };
    // Fields 2 and 3 are the timeout and the bound.
    assert!(made.windows(4).any(|it| it == [2 << 3, 60, 3 << 3, 7]));
}

#[tokio::test]
async fn l3_strangers_and_unknown_groups_are_refused_alike() {
    let ground = Ground::start().await;
    let call = ground.call().await;
    let stranger = ground.join(9, &call).await;
    assert_fails(&stranger, 403, "NOT_GROUP_MEMBER");
    let alice = ground.author(1);
    let unknown = alice.draft(20_002).tag(["h", "nobody"]);
    let unknown = unknown.tag(["e", &call.id().to_hex(), "", "root"]).sign();
    let unknown = ground.ask("/token/group", &alice, &unknown).await;
    assert_eq!(unknown.text(), stranger.text());
    assert!(ground.livekit.rooms().is_empty());
}

#[tokio::test]
async fn l3_a_call_must_be_there_and_of_the_group_and_not_over() {
    let ground = Ground::start().await;
    let alice = ground.author(1);
    let draft = || alice.draft(1020).tag(["h", "pizza"]);
    let missing = draft().content("never stored").sign();
    let others = alice.draft(1020).tag(["h", "silent"]).sign();
    let ended = draft().tag(["status", "ended"]).sign();
    let past = draft().tag(["ends", &(START_S - 1).to_string()]).sign();
    let short = draft()
        .content("short")
        .expires_in(Duration::from_secs(10))
        .sign();
    let deleted = draft().content("deleted").sign();
    let note = alice.draft(1).tag(["h", "pizza"]).sign();
    let stopped = draft().content("stopped").sign();
    let stop = draft()
        .tag(["e", &stopped.id().to_hex()])
        .tag(["status", "ended"])
        .sign();
    let deletion = alice.deletion([&deleted]);
    ground
        .store([
            &others, &ended, &past, &short, &deleted, &deletion, &note, &stopped, &stop,
        ])
        .await;
    for call in [&missing, &others, &ended, &past, &deleted, &note, &stopped] {
        assert_fails(&ground.join(1, call).await, 404, "CALL_NOT_FOUND");
    }
    assert_eq!(ground.join(2, &short).await.status, 200);
    ground.relay.clock().advance(Duration::from_secs(10));
    assert_fails(&ground.join(2, &short).await, 404, "CALL_NOT_FOUND");
}

#[tokio::test]
async fn l3_what_a_stranger_calls_a_call_of_the_group_is_none() {
    let ground = Ground::start().await;
    let stranger = ground.author(9);
    let call = stranger.draft(1020).tag(["h", "pizza"]).sign();
    ground.store([&call]).await;
    assert_fails(&ground.join(1, &call).await, 404, "CALL_NOT_FOUND");
    assert!(ground.livekit.rooms().is_empty());
    let call = ground.author(3).draft(1020).tag(["h", "pizza"]).sign();
    ground.store([&call]).await;
    assert_eq!(ground.join(1, &call).await.status, 200);
}

#[tokio::test]
async fn l3_group_and_call_must_be_named() {
    let ground = Ground::start().await;
    let call = ground.call().await;
    let id = call.id().to_hex();
    let alice = ground.author(1);
    let nothing = alice.draft(20_002).sign();
    let no_call = alice.draft(20_002).tag(["h", "pizza"]).sign();
    let no_group = alice.draft(20_002).tag(["e", &id, "", "root"]).sign();
    let two = alice
        .draft(20_002)
        .tag(["h", "pizza"])
        .tag(["e", &id])
        .tag(["e", &id])
        .sign();
    for wrong in [nothing, no_call, no_group, two] {
        let answer = ground.ask("/token/group", &alice, &wrong).await;
        assert_fails(&answer, 400, "INVALID_REQUEST");
    }
    let only = alice
        .draft(20_002)
        .tag(["h", "pizza"])
        .tag(["e", &id])
        .sign();
    assert_eq!(ground.ask("/token/group", &alice, &only).await.status, 200);
}

#[tokio::test]
async fn l5_whoever_is_there_and_blocked_the_requester_keeps_them_out() {
    let ground = Ground::start().await;
    let call = ground.call().await;
    let [bob, carol] = [2, 3].map(|it| ground.author(it).pubkey().to_hex());
    let list = ground.author(2).draft(10_006).tag(["p", &carol]).sign();
    ground.store([&list]).await;
    assert_eq!(ground.join(3, &call).await.status, 200);
    let room = ground.livekit.rooms().remove(0);
    ground
        .livekit
        .set_present(&room, std::slice::from_ref(&bob));
    assert_fails(&ground.join(3, &call).await, 403, "BLOCKED_BY_PARTICIPANT");
    // A device of theirs is they.
    ground
        .livekit
        .set_present(&room, &[format!("{bob}0123456789abcdef")]);
    assert_fails(&ground.join(3, &call).await, 403, "BLOCKED_BY_PARTICIPANT");
    assert_eq!(ground.join(1, &call).await.status, 200);
    ground.livekit.set_present(&room, &[]);
    assert_eq!(ground.join(3, &call).await.status, 200);
}

#[tokio::test]
async fn l5_who_blocked_somebody_there_is_warned() {
    let ground = Ground::start().await;
    let call = ground.call().await;
    let [bob, carol] = [2, 3].map(|it| ground.author(it).pubkey().to_hex());
    let room = hash_of(&["pizza", &call.id().to_hex()]);
    ground
        .livekit
        .set_present(&room, std::slice::from_ref(&bob));
    // Relays stand on lists of this kind as well; mutes are nobody's business.
    let relays = ground
        .author(1)
        .draft(10_006)
        .tag(["relay", "wss://relay.example"]);
    let mutes = ground.author(1).draft(10_000).tag(["p", &bob]).sign();
    ground
        .store([&relays.tag(["p", "wss://relay.example"]).sign(), &mutes])
        .await;
    let body: Value = ground.join(1, &call).await.json();
    assert_eq!(body["metadata"], json!({}));
    ground.relay.clock().advance(Duration::from_secs(1));
    let list = ground
        .author(1)
        .draft(10_006)
        .tag(["p", &carol])
        .tag(["p", &bob]);
    ground.store([&list.sign()]).await;
    let answer = ground.join(1, &call).await;
    assert_eq!(answer.status, 200);
    let body: Value = answer.json();
    assert_eq!(body["metadata"], json!({"warning": "blocked_user_present"}));
    assert!(body["token"].is_string());
}

#[tokio::test]
async fn l5_what_cannot_be_read_is_no_yes() {
    let ground = Ground::start().await;
    let call = ground.call().await;
    let faults = ground.relay.faults();
    faults.fail_reads(trellis_relay::testing::Failure::Unavailable);
    assert_fails(&ground.join(2, &call).await, 503, "LIVEKIT_UNAVAILABLE");
    faults.heal();
    assert_eq!(ground.join(2, &call).await.status, 200);
}

#[tokio::test]
async fn l6_without_livekit_there_is_no_token() {
    let ground = Ground::start().await;
    let call = ground.call().await;
    ground.livekit.set_down(true);
    let answer = ground.join(2, &call).await;
    assert_fails(&answer, 503, "LIVEKIT_UNAVAILABLE");
    ground.livekit.set_down(false);
    assert_eq!(ground.join(2, &call).await.status, 200);
}

#[tokio::test]
async fn l6_keys_and_addresses_have_their_rates() {
    let table = "rate_limit_tokens_per_pubkey = 2\nrate_limit_tokens_per_ip = 4";
    let ground = Ground::with(table, "").await;
    let call = ground.call().await;
    for _ in 0..2 {
        assert_eq!(ground.join(1, &call).await.status, 200);
    }
    let refused = ground.join(1, &call).await;
    assert_fails(&refused, 429, "RATE_LIMITED");
    let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    assert_eq!(ground.join(2, &call).await.status, 200);
    assert_fails(&ground.join(3, &call).await, 429, "RATE_LIMITED");
    ground.relay.clock().advance(Duration::from_secs(120));
    let call = ground.call().await;
    assert_eq!(ground.join(1, &call).await.status, 200);
}

#[tokio::test]
async fn l3_an_event_of_the_body_is_not_published() {
    let ground = Ground::start().await;
    let call = ground.call().await;
    let mut listener = ground.relay.connect().await;
    let open = listener
        .subscribe("live", [json!({"kinds": [20_002]})])
        .await;
    assert_eq!(open, Ok(vec![]));
    assert_eq!(ground.join(2, &call).await.status, 200);
    listener.assert_no_event("live").await;
    let bob = ground.author(2);
    let event = request(&bob, &call).content("again").sign();
    let body = json!({"event": value(&event), "more": "is not looked at"});
    let answer = ground.relay.post("/token/group").json(&body).nip98(&bob);
    assert_eq!(answer.await.status, 200);
}
