//! Who is put out of a room, and who is not.

use super::ground::Ground;
use super::hearsay::{about, mark_of, room, tell};
use super::livekit_double::BORN_MS;
use crate::room_facts::RoomFacts;
use trellis_relay::event::Event;
use trellis_relay::testing::{Value, json, until};

/// The name of the room, and the mark of Bob's token for it.
async fn token(ground: &Ground, call: &Event) -> (String, String) {
    let answer = ground.join(2, call).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let answer: Value = answer.json();
    (
        answer["room"].as_str().unwrap().to_owned(),
        mark_of(&answer),
    )
}

fn removals(ground: &Ground) -> usize {
    ground.livekit.asked("RemoveParticipant").len()
}

#[tokio::test]
async fn l7_a_copy_is_put_out_and_whoever_has_come_back_stays() {
    let ground = Ground::start().await;
    let (call, bob) = (ground.call().await, ground.author(2));
    let identity = bob.pubkey().to_hex();
    let (name, mark) = token(&ground, &call).await;
    let here = room(&ground.livekit, &name, BORN_MS + 1);
    let is_there = |sid: &str| {
        let session = (sid.to_owned(), identity.clone());
        ground.livekit.set_sessions(&name, vec![session]);
    };
    let joined = async |sid: &str, mark: &str| {
        let event = about("participant_joined", &here, &bob, sid, mark);
        assert_eq!(tell(&ground.relay, &event).await, 200);
    };
    is_there("PA_1");
    joined("PA_1", &mark).await;
    assert_eq!(removals(&ground), 0);
    is_there("PA_2");
    joined("PA_2", &mark).await;
    assert_eq!(removals(&ground), 1);

    // Another copy has come and gone, and its owner is back with a new token, before LiveKit tells of the copy.
    let (_, fresh) = token(&ground, &call).await;
    is_there("PA_4");
    joined("PA_3", &mark).await;
    assert_eq!(removals(&ground), 1);
    joined("PA_4", &fresh).await;
    assert_eq!(removals(&ground), 1);
    let state = ground.relay.get(&format!("/mls/state/{name}")).nip98(&bob);
    let state: Value = state.await.json();
    assert_eq!(state["active_members"], json!([identity]));

    // While LiveKit knows of nobody with the name, nothing is done; when it does, the session goes.
    ground.livekit.set_sessions(&name, Vec::new());
    joined("PA_5", &mark).await;
    is_there("PA_5");
    let mut again = about("participant_joined", &here, &bob, "PA_5", &mark);
    again["id"] = json!("another");
    assert_eq!(tell(&ground.relay, &again).await, 200);
    assert_eq!(removals(&ground), 2);
}

#[tokio::test]
async fn l8_the_late_end_of_an_older_room_leaves_the_newer_one_as_it_is() {
    let ground = Ground::start().await;
    until_looked(&ground).await;
    let (call, bob) = (ground.call().await, ground.author(2));
    let identity = bob.pubkey().to_hex();
    let (name, mark) = token(&ground, &call).await;
    let (_, other_mark) = token(&ground, &call).await;
    let here = room(&ground.livekit, &name, BORN_MS + 1);
    let mut older = room(&ground.livekit, &name, BORN_MS - 1);
    older["sid"] = json!("RM_older");
    let mut client = ground.relay.connect_as(&ground.author(1)).await;
    let about_call = json!({"kinds": [20_004, 20_005, 20_006], "#h": ["pizza"]});
    assert_eq!(client.subscribe("live", [about_call]).await, Ok(vec![]));
    let heard = async |event: &Value| assert_eq!(tell(&ground.relay, event).await, 200);

    // The room was made, and nobody is in it so far: nothing of the older one is told any more.
    let late = |event: &str| json!({"event": event, "id": format!("late {event}"), "room": older});
    heard(&about("participant_joined", &older, &bob, "PA_0", "none")).await;
    heard(&late("room_started")).await;
    client.assert_no_event("live").await;
    // Nor of one that was opened in the same moment: LiveKit is asked which of the two it has.
    let mut twin = room(&ground.livekit, &name, BORN_MS + 1);
    twin["sid"] = json!("RM_twin");
    heard(&about("participant_joined", &twin, &bob, "PA_00", "none")).await;
    heard(&json!({"event": "room_finished", "id": "its twin", "room": twin})).await;
    client.assert_no_event("live").await;

    for sid in ["PA_1", "PA_2"] {
        let session = (sid.to_owned(), identity.clone());
        ground.livekit.set_sessions(&name, vec![session]);
        heard(&about("participant_joined", &here, &bob, sid, &mark)).await;
    }
    assert_eq!(removals(&ground), 1);
    assert_eq!(client.next_event("live").await.kind(), 20_004);

    heard(&about("participant_left", &older, &bob, "PA_0", "none")).await;
    heard(&late("room_finished")).await;
    let mut recorded = late("egress_started");
    recorded["room"]["activeRecording"] = json!(true);
    heard(&recorded).await;
    client.assert_no_event("live").await;
    assert!(ground.livekit.rooms().contains(&name));
    let path = format!("/mls/state/{name}");
    assert_eq!(ground.relay.get(&path).nip98(&bob).await.status, 200);

    // Whom the newer one refuses it refuses still.
    let session = ("PA_3".to_owned(), identity.clone());
    ground.livekit.set_sessions(&name, vec![session]);
    let event = about("participant_joined", &here, &bob, "PA_3", &other_mark);
    heard(&event).await;
    assert_eq!(removals(&ground), 2);

    // Its own end is its end.
    heard(&json!({"event": "room_finished", "id": "its own", "room": here})).await;
    let mut kinds = vec![client.next_event("live").await.kind()];
    while kinds.last() != Some(&20_006) {
        kinds.push(client.next_event("live").await.kind());
    }
    let answer = ground.relay.get(&format!("{path}?over")).nip98(&bob).await;
    assert_eq!(answer.status, 404);
}

/// Waits until the looks at all rooms have begun that a relay takes at its start.
async fn until_looked(ground: &Ground) {
    until("LiveKit was asked for all rooms", async || {
        let asked = ground.livekit.asked("ListRooms");
        asked.iter().filter(|names| names.is_empty()).count() >= 2
    })
    .await;
}

#[tokio::test]
async fn l8_of_a_room_that_was_not_heard_of_livekit_is_asked_which_one_goes_on() {
    let ground = Ground::start().await;
    let (call, bob) = (ground.call().await, ground.author(2));
    let mut client = ground.relay.connect_as(&ground.author(1)).await;
    let about_call = json!({"kinds": [20_004, 20_005, 20_006], "#h": ["pizza"]});
    assert_eq!(client.subscribe("live", [about_call]).await, Ok(vec![]));
    // As after a restart: these it has not heard of since.
    until_looked(&ground).await;
    let facts = RoomFacts::of_group("pizza", *call.id()).to_metadata();
    for name in ["left", "finished", "gone"] {
        ground.livekit.add_room(name, &facts);
    }
    let heard = async |event: &Value| assert_eq!(tell(&ground.relay, event).await, 200);
    let older = |name: &str| {
        let mut older = room(&ground.livekit, name, BORN_MS - 1);
        older["sid"] = json!(format!("RM_older_{name}"));
        older
    };
    let left = about("participant_left", &older("left"), &bob, "PA_0", "none");
    heard(&left).await;
    heard(&json!({"event": "room_finished", "id": "EV_1", "room": older("finished")})).await;
    client.assert_no_event("live").await;

    // One that LiveKit has no more is over.
    let gone = room(&ground.livekit, "gone", BORN_MS + 3);
    ground.livekit.end_room("gone");
    heard(&json!({"event": "room_finished", "id": "EV_2", "room": gone})).await;
    let over = client.next_event("live").await;
    assert_eq!(over.first_tag_value("room").as_deref(), Some("gone"));
}
