//! Webhooks as they come over a socket, and what everybody else sees of them.

#![allow(clippy::unwrap_used)]

use crate::LivekitToken;
use crate::room_facts::RoomFacts;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::{EncodingKey, Header};
use sha2::{Digest, Sha256};
use trellis_relay::testing::{Author, START_S, TestRelay, Value, json};

mod epochs;

const TABLE: &str = "[extensions.livekit_token]
livekit_url = 'ws://127.0.0.1:9'
livekit_api_key = 'key'
livekit_api_secret = 'secret'
rate_limit_commits_per_pubkey = 1000
";

async fn relay() -> TestRelay {
    let setup = TestRelay::of::<LivekitToken>().config(TABLE);
    setup.start().await
}

/// LiveKit's token for a body.
fn token(body: &str, key: &str, secret: &str, expires_at_s: u64) -> String {
    trellis_jwt::install();
    let claims = json!({
        "iss": key,
        "nbf": expires_at_s - 300,
        "exp": expires_at_s,
        "sha256": STANDARD.encode(Sha256::digest(body)),
    });
    let secret = EncodingKey::from_secret(secret.as_bytes());
    jsonwebtoken::encode(&Header::default(), &claims, &secret).unwrap()
}

/// Sends it as LiveKit does; the status.
async fn tell(relay: &TestRelay, event: &Value) -> u16 {
    let body = event.to_string();
    let token = token(&body, "key", "secret", START_S + 300);
    let call = relay.post("/webhook/livekit").body(body);
    call.header("Authorization", &token).await.status
}

/// A room for a call of a group.
fn group_room() -> Value {
    let call = *Author::new(9).note("call").id();
    let facts = RoomFacts::of_group("pizza", call);
    json!({"sid": "RM_1", "name": "room", "metadata": facts.to_metadata()})
}

/// An event about somebody in a room.
fn about(event: &str, id: &str, room: &Value, who: &Author, sid: &str) -> Value {
    json!({
        "event": event,
        "id": id,
        "createdAt": START_S.to_string(),
        "room": room,
        "participant": {
            "sid": sid,
            "identity": who.pubkey().to_hex(),
            "state": "ACTIVE",
            "joinedAt": START_S.to_string(),
            "joinedAtMs": (START_S * 1000).to_string(),
            "attributes": {"token_mark": format!("mark of {sid}")},
        },
    })
}

#[tokio::test]
async fn l8_what_livekit_has_not_signed_is_refused() {
    let relay = relay().await;
    let mut client = relay.connect().await;
    let live = client.subscribe("live", [json!({"kinds": [20004]})]).await;
    assert_eq!(live, Ok(vec![]));
    let (alice, later_s) = (Author::new(1), START_S + 300);
    let event = about("participant_joined", "EV_1", &group_room(), &alice, "PA_1");
    let body = event.to_string();
    let other = about("participant_left", "EV_2", &group_room(), &alice, "PA_1");
    let good = token(&body, "key", "secret", later_s);
    let unsigned = format!("{}.", good.rsplit_once('.').unwrap().0);
    for (why, token) in [
        ("none", String::new()),
        ("noise", "noise".to_owned()),
        ("no signature", unsigned),
        ("another secret", token(&body, "key", "guess", later_s)),
        ("another key", token(&body, "other", "secret", later_s)),
        (
            "another body",
            token(&other.to_string(), "key", "secret", later_s),
        ),
        ("over", token(&body, "key", "secret", START_S - 61)),
        ("not yet", token(&body, "key", "secret", later_s + 62)),
        ("as others do", format!("Bearer {good}")),
    ] {
        let call = relay.post("/webhook/livekit").body(body.clone());
        let answer = call.header("Authorization", &token).await;
        assert_eq!(answer.status, 401, "{why}");
        let error = answer.json::<Value>()["error"]["code"].clone();
        assert_eq!(error, "INVALID_SIGNATURE", "{why}");
    }
    assert_eq!(relay.post("/webhook/livekit").body(body).await.status, 401);
    client.assert_no_event("live").await;
    assert_eq!(tell(&relay, &event).await, 200);
    client.next_event("live").await;
}

#[tokio::test]
async fn l8_who_comes_and_goes_is_told_by_the_relay_and_not_stored() {
    let relay = relay().await;
    let mut client = relay.connect().await;
    let kinds = json!({"kinds": [20004, 20005, 20006, 20007], "#h": ["pizza"]});
    let live = client.subscribe("live", [kinds.clone()]).await;
    assert_eq!(live, Ok(vec![]));
    let (room, alice, bob) = (group_room(), Author::new(1), Author::new(2));
    let call = Author::new(9).note("call").id().to_hex();
    for (event, id, who, sid) in [
        ("participant_joined", "EV_1", &alice, "PA_1"),
        ("participant_joined", "EV_2", &bob, "PA_2"),
        // Once more the same, as when the answer was lost.
        ("participant_joined", "EV_1", &alice, "PA_1"),
        ("participant_left", "EV_3", &alice, "PA_1"),
        ("participant_left", "EV_3", &alice, "PA_1"),
        ("track_published", "EV_4", &bob, "PA_2"),
        ("nobody_knows_this", "EV_5", &bob, "PA_2"),
    ] {
        let status = tell(&relay, &about(event, id, &room, who, sid)).await;
        assert_eq!(status, 200, "{event} {id}");
    }
    let over = json!({"event": "room_finished", "id": "EV_6", "room": room});
    for _ in 0..2 {
        assert_eq!(tell(&relay, &over).await, 200);
    }
    for (number, kind, who) in [
        ("1", 20004, Some(&alice)),
        ("2", 20004, Some(&bob)),
        ("3", 20005, Some(&alice)),
        ("4", 20007, Some(&bob)),
        ("5", 20006, None),
    ] {
        let event = client.next_event("live").await;
        assert_eq!(u32::from(event.kind()), kind);
        assert_eq!(Some(event.pubkey().to_hex()), relay_key(&relay).await);
        assert_eq!(event.first_tag_value("seq").as_deref(), Some(number));
        assert_eq!(event.first_tag_value("room").as_deref(), Some("room"));
        assert_eq!(event.first_tag_value("e").as_deref(), Some(&*call));
        let about = event.first_tag_value("p").map(|it| it.into_owned());
        assert_eq!(about, who.map(|who| who.pubkey().to_hex()));
        assert_eq!(event.content(), "");
    }
    client.assert_no_event("live").await;
    assert_eq!(client.query(kinds).await, Ok(vec![]));
}

/// What the relay says of itself (NIP-11).
async fn relay_key(relay: &TestRelay) -> Option<String> {
    let information = relay.information().await;
    information["self"].as_str().map(str::to_owned)
}

#[tokio::test]
async fn l8_of_a_call_of_two_only_they_hear() {
    let relay = relay().await;
    let [alice, bob, carol] = [1, 2, 3].map(Author::new);
    let offer = *alice.draft(20_010).sign().id();
    let facts = RoomFacts::of_two([alice.pubkey(), bob.pubkey()], offer);
    let room = json!({"sid": "RM_1", "name": "two", "metadata": facts.to_metadata()});
    let wanted = || [json!({"kinds": [20004], "#e": [offer.to_hex()]})];
    let mut clients = Vec::new();
    for who in [&alice, &bob, &carol] {
        let mut client = relay.connect_as(who).await;
        assert_eq!(client.subscribe("live", wanted()).await, Ok(vec![]));
        clients.push(client);
    }
    let mut stranger = relay.connect().await;
    assert_eq!(stranger.subscribe("live", wanted()).await, Ok(vec![]));
    clients.push(stranger);
    let event = about("participant_joined", "EV_1", &room, &alice, "PA_1");
    assert_eq!(tell(&relay, &event).await, 200);
    for client in &mut clients[..2] {
        let event = client.next_event("live").await;
        let first = event.first_tag_value("p").unwrap().into_owned();
        assert_eq!(first, alice.pubkey().to_hex());
        assert_eq!(event.tag_values(b'p').count(), 2);
    }
    for client in &mut clients[2..] {
        client.assert_no_event("live").await;
    }
}

#[tokio::test]
async fn l8_nobody_but_the_relay_tells_of_calls() {
    let relay = relay().await;
    let mut client = relay.connect().await;
    for kind in [20_004, 20_005, 20_006, 20_007, 20_021] {
        let forged = Author::new(1).draft(kind).tag(["h", "pizza"]).sign();
        let refused = client.publish(&forged).await;
        refused.assert_refused(
            "blocked: only the relay tells of calls (kinds 20004 to 20007 and 20021)",
        );
    }
}

#[tokio::test]
async fn l8_rooms_of_others_and_people_with_tokens_of_others_are_left_alone() {
    let relay = relay().await;
    let mut client = relay.connect().await;
    let all = json!({"kinds": [20004, 20005, 20006]});
    assert_eq!(client.subscribe("live", [all]).await, Ok(vec![]));
    let alice = Author::new(1);
    let foreign = json!({"sid": "RM_1", "name": "lobby", "metadata": "", "activeRecording": true});
    let mut unmarked = about("participant_joined", "EV_1", &group_room(), &alice, "PA_1");
    unmarked["participant"]["attributes"] = json!({});
    let mut agent = about("participant_joined", "EV_2", &group_room(), &alice, "PA_2");
    agent["participant"]["identity"] = json!("EG_recorder");
    for event in [
        unmarked,
        agent,
        about("participant_left", "EV_3", &foreign, &alice, "PA_3"),
        json!({"event": "room_finished", "id": "EV_4", "room": foreign}),
        json!({"event": "egress_started", "id": "EV_5", "egressInfo": {"roomName": "lobby"}}),
    ] {
        assert_eq!(tell(&relay, &event).await, 200, "{event}");
    }
    client.assert_no_event("live").await;
}

#[tokio::test]
async fn l9_a_recorded_room_that_cannot_be_closed_is_told_again() {
    let relay = relay().await;
    let mut room = group_room();
    room["activeRecording"] = json!(true);
    let event = json!({"event": "room_started", "id": "EV_1", "room": room});
    // LiveKit is not there, so the room cannot be closed: LiveKit is to send it again, and that is not a repetition.
    for _ in 0..2 {
        assert_eq!(tell(&relay, &event).await, 503);
    }
}
