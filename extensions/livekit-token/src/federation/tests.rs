//! Two real relays, one of which has what the other needs, and a real LiveKit.

#![allow(clippy::unwrap_used)]

use crate::rooms::ground::{COMMUNITY, Ground, MEMBER, OPERATOR, STRANGER, key, room};
use std::net::TcpListener;
use trellis_relay::event::Event;
use trellis_relay::testing::{HttpCall, TestRelay, Value, json, until};

const HERE_IS_ALLOWED: &str = "[outbound]\nallow_private = ['127.0.0.1']";

async fn store(relay: &TestRelay, events: &[Event]) {
    let mut client = relay.connect().await;
    for event in events {
        client.store(event).await;
    }
}

async fn stored(relay: &TestRelay, kinds: &[u16]) -> usize {
    let mut client = relay.connect().await;
    client.query(json!({"kinds": kinds})).await.unwrap().len()
}

#[tokio::test]
async fn l12_watched_relays_have_rooms_and_nothing_else_is_taken_from_them() {
    let elsewhere = TestRelay::setup().start().await;
    let relays = format!("nostr_relays = ['{}']", elsewhere.url());
    let Some(ground) = Ground::start_beside(&relays, HERE_IS_ALLOWED).await else {
        return;
    };
    // The space is heard of before its community is.
    let hall = ground.open_space(MEMBER, "hall");
    let other_list = ground
        .relay
        .author(COMMUNITY)
        .draft(30000)
        .tag(["d", "friends"]);
    let other_operators = ground
        .relay
        .author(MEMBER)
        .draft(30312)
        .tag(["d", "cellar"]);
    let other_operators = other_operators
        .tag(["room", "A room"])
        .tag(["h", &key(COMMUNITY)]);
    let other_operators = other_operators
        .tag(["service", "https://other.example"])
        .tag(["status", "open"]);
    store(
        &elsewhere,
        &[
            hall.clone(),
            ground.open_space(STRANGER, "hall"),
            other_operators.sign(),
            other_list.tag(["p", &key(STRANGER)]).sign(),
            ground.list(&[MEMBER]),
            ground.definition(OPERATOR),
            ground.relay.author(MEMBER).note("a note"),
        ],
    )
    .await;
    let name = room(MEMBER, "hall");
    ground.livekit.until_rooms(&[&name]).await;
    assert_eq!(stored(&ground.relay, &[30312]).await, 1);
    assert_eq!(stored(&ground.relay, &[30000]).await, 1);
    assert_eq!(stored(&ground.relay, &[10222]).await, 1);
    assert_eq!(stored(&ground.relay, &[0, 1, 5]).await, 0);

    // It goes on: a list without the member, one with it, and a deletion.
    ground.later();
    store(&elsewhere, &[ground.list(&[])]).await;
    ground.livekit.until_rooms(&[]).await;
    ground.later();
    store(&elsewhere, &[ground.list(&[MEMBER])]).await;
    ground.livekit.until_rooms(&[&name]).await;
    let unrelated = ground.relay.author(STRANGER).note("gone");
    let deletions = [
        ground.relay.author(STRANGER).deletion([&unrelated]),
        ground.relay.author(MEMBER).deletion([&hall]),
    ];
    store(&elsewhere, &deletions).await;
    ground.livekit.until_rooms(&[]).await;
    assert_eq!(stored(&ground.relay, &[5]).await, 1);
}

#[tokio::test]
async fn l12_what_a_community_says_in_a_row_is_taken_together() {
    let elsewhere = TestRelay::setup().start().await;
    let relays = format!("nostr_relays = ['{}']", elsewhere.url());
    let Some(ground) = Ground::start_beside(&relays, HERE_IS_ALLOWED).await else {
        return;
    };
    let said = [
        ground.definition(OPERATOR),
        ground.list(&[MEMBER]),
        ground.open_space(MEMBER, "hall"),
    ];
    store(&elsewhere, &said).await;
    ground.livekit.until_rooms(&[&room(MEMBER, "hall")]).await;
    let mut client = ground.relay.connect().await;
    let lists = json!({"kinds": [30000], "limit": 0});
    assert_eq!(client.subscribe("live", [lists]).await, Ok(vec![]));
    let versions: Vec<Event> = (0..50)
        .map(|_| {
            ground.later();
            ground.list(&[])
        })
        .collect();
    store(&elsewhere, &versions).await;
    ground.livekit.until_rooms(&[]).await;
    let mut taken = vec![client.next_event("live").await];
    while taken.last().map(Event::id) != versions.last().map(Event::id) {
        taken.push(client.next_event("live").await);
    }
    assert!(taken.len() < versions.len(), "{}", taken.len());
}

#[tokio::test]
async fn l12_a_space_that_waits_waits_no_more_once_it_names_another_operator() {
    const LATER: u64 = 101;
    let elsewhere = TestRelay::setup().start().await;
    let relays = format!("nostr_relays = ['{}']", elsewhere.url());
    let Some(ground) = Ground::start_beside(&relays, HERE_IS_ALLOWED).await else {
        return;
    };
    let said = [
        ground.definition(OPERATOR),
        ground.list(&[MEMBER]),
        ground.open_space(MEMBER, "first"),
    ];
    store(&elsewhere, &said).await;
    ground.livekit.until_rooms(&[&room(MEMBER, "first")]).await;
    // From here on it is heard what is said there. Of this community nothing is known so far.
    let space = |d: &str, operator: &str| {
        let draft = ground.relay.author(MEMBER).draft(30312).tag(["d", d]);
        let draft = draft.tag(["room", "A room"]).tag(["status", "open"]);
        let draft = draft.tag(["service", operator]);
        draft.tag(["h", &key(LATER)]).sign()
    };
    let waiting = [space("hall", OPERATOR), space("cellar", OPERATOR)];
    store(&elsewhere, &waiting).await;
    ground.later();
    let community = ground.relay.author(LATER).draft(10222);
    let community = community.tag(["livekit", OPERATOR]);
    let open_to_all = community.tag(["content", "Rooms"]).tag(["k", "30312"]);
    let elsewhere_now = space("hall", "https://other.example");
    store(&elsewhere, &[elsewhere_now, open_to_all.sign()]).await;
    let wanted = [room(MEMBER, "first"), room(MEMBER, "cellar")];
    let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
    ground.livekit.until_rooms(&wanted).await;
    assert_eq!(stored(&ground.relay, &[30312]).await, 2);
}

/// A request for a token for the stranger's list of members.
fn ask(ground: &Ground) -> HttpCall {
    let body = json!({"room": room(MEMBER, "hall"), "community": key(COMMUNITY)});
    let call = ground.relay.post("/token").json(&body);
    call.signed_url("https://calls.example/token")
        .nip98(&ground.relay.author(MEMBER))
}

/// What is stored here: a space, and where its community is to be found.
async fn store_space(ground: &Ground, relay: &str) {
    let relays = ground
        .relay
        .author(COMMUNITY)
        .draft(10002)
        .tag(["r", relay]);
    let reads = ground
        .relay
        .author(MEMBER)
        .draft(10002)
        .tag(["r", relay])
        .sign();
    ground
        .store([&relays.sign(), &reads, &ground.open_space(MEMBER, "hall")])
        .await;
}

#[tokio::test]
async fn l12_lists_come_from_the_relays_that_communities_name_if_the_operator_wants_that() {
    let elsewhere = TestRelay::setup().start().await;
    let Some(ground) = Ground::start_beside("federation = true", HERE_IS_ALLOWED).await else {
        return;
    };
    store(
        &elsewhere,
        &[ground.definition(OPERATOR), ground.list(&[MEMBER])],
    )
    .await;
    store_space(&ground, &elsewhere.url()).await;
    until("the list was fetched", async || {
        ask(&ground).await.status == 200
    })
    .await;
    ground.livekit.until_rooms(&[&room(MEMBER, "hall")]).await;
    assert_eq!(stored(&ground.relay, &[10222, 30000]).await, 2);
}

#[tokio::test]
async fn l12_without_federation_nobody_is_asked_but_livekit() {
    // Every address that an event or a request can name is this one, and extensions may connect to it.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap());
    let is_silent = || listener.accept().is_err();
    for federation in [false, true] {
        let table = format!("federation = {federation}");
        let Some(ground) = Ground::start_beside(&table, HERE_IS_ALLOWED).await else {
            return;
        };
        store_space(&ground, &url).await;
        let answer = ask(&ground).await;
        let said: Value = answer.json();
        assert_eq!(said["error"]["code"], "COMMUNITY_NOT_AUTHORIZED");
        // A community that names relays for itself, for its lists and its rooms.
        let community = ground.relay.author(COMMUNITY);
        let definition = community
            .draft(10222)
            .tag(["livekit", OPERATOR])
            .tag(["r", &url]);
        let definition = definition.tag(["content", "Rooms"]).tag(["k", "30312"]);
        let list = format!("30000:{}:people", key(COMMUNITY));
        let definition = definition.tag(["a", &list, &url]).sign();
        ground.later();
        let space = ground
            .space(MEMBER, "hall")
            .tag(["status", "open"])
            .tag(["relays", &url]);
        ground
            .store([&definition, &space.tag(["endpoint", &url]).sign()])
            .await;
        until("the definition counts", async || {
            let said: Value = ask(&ground).await.json();
            said["error"]["code"] == "ROOM_NOT_FOUND"
        })
        .await;
        match federation {
            false => assert!(is_silent()),
            true => until("the community's relay is asked", async || !is_silent()).await,
        }
    }
}
