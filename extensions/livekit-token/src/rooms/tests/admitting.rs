//! Who is let into the room of a space, by `POST /token`.

use super::ground::{COMMUNITY, Ground, MEMBER, OTHER_MEMBER, STRANGER, key, room};
use trellis_relay::event::Event;
use trellis_relay::testing::{Response, Value, json};

/// Asks for a token as this one.
async fn ask(ground: &Ground, who: u64, room: &str, community: &str) -> Response {
    let body = json!({"room": room, "community": community});
    let call = ground.relay.post("/token").json(&body);
    let call = call.signed_url("https://calls.example/token");
    call.nip98(&ground.relay.author(who)).await
}

/// The code of a refusal, or `token`.
async fn outcome(ground: &Ground, who: u64, room: &str) -> String {
    let answer = ask(ground, who, room, &key(COMMUNITY)).await;
    let said: Value = answer.json();
    match answer.status {
        200 => {
            assert!(said["token"].is_string(), "{said}");
            "token".to_owned()
        }
        _ => said["error"]["code"].as_str().unwrap().to_owned(),
    }
}

async fn expect(ground: &Ground, expected: &[(u64, &str, &str)]) {
    for (who, room, code) in expected {
        assert_eq!(
            outcome(ground, *who, room).await,
            *code,
            "{who} into {room}"
        );
    }
}

#[tokio::test]
async fn l12_members_are_let_into_the_rooms_of_their_community() {
    let Some(ground) = Ground::start("").await else {
        return;
    };
    let hall = room(MEMBER, "hall");
    ground.store([&ground.open_space(MEMBER, "hall")]).await;
    // Nobody knows the community so far.
    expect(&ground, &[(MEMBER, &hall, "COMMUNITY_NOT_AUTHORIZED")]).await;
    ground.found_community().await;
    // Its list is read a moment after it is stored.
    ground.livekit.until_rooms(&[&hall]).await;
    expect(
        &ground,
        &[
            (MEMBER, &hall, "token"),
            (OTHER_MEMBER, &hall, "token"),
            (COMMUNITY, &hall, "token"),
            (STRANGER, &hall, "NOT_COMMUNITY_MEMBER"),
            (MEMBER, &room(MEMBER, "attic"), "ROOM_NOT_FOUND"),
            (MEMBER, "30311:aa:hall", "INVALID_REQUEST"),
            (MEMBER, "hall", "INVALID_REQUEST"),
        ],
    )
    .await;
    let other = ask(&ground, MEMBER, &hall, &key(STRANGER)).await;
    let said: Value = other.json();
    assert_eq!(
        (other.status, &said["error"]["code"]),
        (404, &json!("ROOM_NOT_FOUND"))
    );

    // Who leaves the list is let in no more.
    ground.later();
    ground.store([&ground.list(&[MEMBER])]).await;
    trellis_relay::testing::until("the list counts", async || {
        outcome(&ground, OTHER_MEMBER, &hall).await == "NOT_COMMUNITY_MEMBER"
    })
    .await;
}

#[tokio::test]
async fn l11_rooms_that_are_closed_private_or_another_operators_say_so() {
    let Some(ground) = Ground::start("").await else {
        return;
    };
    ground.found_community().await;
    let space = |d: &str, status: &str| ground.space(MEMBER, d).tag(["status", status]).sign();
    let private = ground.space(MEMBER, "private").tag(["status", "private"]);
    let elsewhere = ground
        .relay
        .author(MEMBER)
        .draft(30312)
        .tag(["d", "elsewhere"]);
    let elsewhere = elsewhere
        .tag(["room", "A room"])
        .tag(["h", &key(COMMUNITY)]);
    let elsewhere = elsewhere
        .tag(["service", "https://other.example"])
        .tag(["status", "open"]);
    let meeting = |d: &str, status: &str| -> Event {
        let draft = ground.relay.author(MEMBER).draft(30313).tag(["d", d]);
        draft
            .tag(["a", &room(MEMBER, "open")])
            .tag(["status", status])
            .sign()
    };
    ground
        .store([
            &space("open", "open"),
            &space("closed", "closed"),
            &private.tag(["p", &key(OTHER_MEMBER), "", "Speaker"]).sign(),
            &elsewhere.sign(),
            &ground.open_space(STRANGER, "hall"),
            &meeting("today", "live"),
            &meeting("yesterday", "ended"),
        ])
        .await;
    let meeting = |d: &str| format!("30313:{}:{d}", key(MEMBER));
    expect(
        &ground,
        &[
            (COMMUNITY, &room(MEMBER, "open"), "token"),
            (COMMUNITY, &room(MEMBER, "closed"), "ROOM_CLOSED"),
            (COMMUNITY, &room(MEMBER, "private"), "token"),
            (MEMBER, &room(MEMBER, "private"), "token"),
            (OTHER_MEMBER, &room(MEMBER, "private"), "token"),
            (COMMUNITY, &room(MEMBER, "elsewhere"), "OPERATOR_MISMATCH"),
            (COMMUNITY, &room(STRANGER, "hall"), "ROOM_NOT_FOUND"),
            (COMMUNITY, &meeting("today"), "token"),
            (COMMUNITY, &meeting("yesterday"), "ROOM_CLOSED"),
            (COMMUNITY, &meeting("tomorrow"), "ROOM_NOT_FOUND"),
        ],
    )
    .await;
    ground.later();
    ground
        .store([&ground.list(&[MEMBER, OTHER_MEMBER, 3])])
        .await;
    trellis_relay::testing::until("the list counts", async || {
        outcome(&ground, 3, &room(MEMBER, "open")).await == "token"
    })
    .await;
    expect(
        &ground,
        &[(3, &room(MEMBER, "private"), "NOT_COMMUNITY_MEMBER")],
    )
    .await;
}
