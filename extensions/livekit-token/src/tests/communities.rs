//! Rooms of communities.

use super::ground::{Ground, assert_fails, claims};
use trellis_relay::event::Event;
use trellis_relay::testing::{Response, START_S, Value, json, until};

/// The community is the author 20; Alice (1) and Bob (2) are its members; Alice has a room.
pub(super) async fn found(ground: &Ground, room: &Event) {
    let community = ground.author(20);
    let list = format!("30000:{}:members", community.pubkey().to_hex());
    let definition = community
        .draft(10_222)
        .tag(["content", "Calls"])
        .tag(["k", "30312"])
        .tag(["a", &list])
        .sign();
    let [alice, bob] = [1, 2].map(|it| ground.author(it).pubkey().to_hex());
    let list = community.draft(30_000).tag(["d", "members"]);
    let list = list.tag(["p", &alice]).tag(["p", &bob]).sign();
    ground.store([&definition, &list, room]).await;
}

pub(super) fn room(ground: &Ground, status: &str) -> Event {
    room_at(ground, status, START_S)
}

/// A version of it with this date.
pub(super) fn room_at(ground: &Ground, status: &str, created_at_s: u64) -> Event {
    let community = ground.author(20).pubkey().to_hex();
    let draft = ground
        .author(1)
        .draft(30_312)
        .tag(["d", "hall"])
        .tag(["room", "The hall"]);
    let draft = draft
        .tag(["status", status])
        .tag(["service", "https://calls.example.com"]);
    draft.tag(["h", &community]).at(created_at_s).sign()
}

/// For tests that ask until what was published counts: it may have come while the relay, at its start, read what there was.
const PATIENT: &str = "rate_limit_tokens_per_pubkey = 1000000\nrate_limit_tokens_per_ip = 1000000";

pub(super) async fn join(ground: &Ground, who: u64) -> Response {
    let address = format!("30312:{}:hall", ground.author(1).pubkey().to_hex());
    let community = ground.author(20).pubkey().to_hex();
    let body = json!({"room": address, "community": community});
    let call = ground.relay.post("/token").json(&body);
    call.nip98(&ground.author(who)).await
}

#[tokio::test]
async fn l12_a_member_gets_a_token_for_the_room_and_a_stranger_does_not() {
    let ground = Ground::with(PATIENT, "").await;
    found(&ground, &room(&ground, "open")).await;
    until("what was published counts", async || {
        join(&ground, 2).await.status == 200
    })
    .await;
    let answer = join(&ground, 2).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let body: Value = answer.json();
    assert_eq!(body.as_object().unwrap().len(), 2);
    assert_eq!(body["url"], "wss://livekit.example.com");
    let claims = claims(body["token"].as_str().unwrap());
    let address = format!("30312:{}:hall", ground.author(1).pubkey().to_hex());
    assert_eq!(claims["video"]["room"], json!(address));
    assert!(ground.livekit.rooms().contains(&address));
    assert_fails(&join(&ground, 9).await, 403, "NOT_COMMUNITY_MEMBER");
}

#[tokio::test]
async fn l12_closed_and_unknown_rooms_and_others_communities_are_refused() {
    let ground = Ground::with(PATIENT, "").await;
    found(&ground, &room(&ground, "closed")).await;
    until("what was published counts", async || {
        join(&ground, 2).await.text().contains("ROOM_CLOSED")
    })
    .await;
    assert_fails(&join(&ground, 2).await, 403, "ROOM_CLOSED");
    let other = Ground::with(
        &format!(
            "authorized_communities = ['{}']",
            ground.author(30).pubkey()
        ),
        "",
    )
    .await;
    found(&other, &room(&other, "open")).await;
    assert_fails(&join(&other, 2).await, 403, "COMMUNITY_NOT_AUTHORIZED");
    let third = Ground::with("operator_url = 'https://elsewhere.example.com'", "").await;
    found(&third, &room(&third, "open")).await;
    let body = json!({
        "room": format!("30312:{}:hall", third.author(1).pubkey().to_hex()),
        "community": third.author(20).pubkey().to_hex(),
    });
    let asked = third
        .relay
        .post("/token")
        .json(&body)
        .nip98(&third.author(2));
    let asked = asked
        .signed_url("https://elsewhere.example.com/token")
        .await;
    assert_fails(&asked, 403, "OPERATOR_MISMATCH");
}
