//! What an operator has closed stays closed, whether or not LiveKit heard of it.

use super::communities;
use super::ground::{Ground, assert_fails};
use std::time::Duration;
use trellis_relay::testing::{Author, START_S, Value, json, until};

const OWNER: u64 = 50;

async fn ground(table: &str) -> Ground {
    let table = format!("rooms_reconcile_seconds = 1\n{table}");
    Ground::with(&table, &owned()).await
}

fn owned() -> String {
    let owner = Author::new(OWNER).pubkey().to_hex();
    format!("[information]\npubkey = '{owner}'")
}

async fn close(ground: &Ground, room: &str) -> Result<Value, String> {
    let owner = ground.author(OWNER);
    let params = json!([room, "a flood of noise"]);
    ground
        .relay
        .manage(&owner, "closelivekitroom", params)
        .await
}

async fn until_rooms(ground: &Ground, wanted: &[&str]) {
    let what = format!("the rooms are {wanted:?}");
    until(&what, async || ground.livekit.rooms() == wanted).await;
}

#[tokio::test]
async fn l20_a_close_that_livekit_did_not_hear_is_made_up_for_without_communities() {
    let ground = ground("communities = false").await;
    let call = ground.call().await;
    assert_eq!(ground.join(2, &call).await.status, 200);
    let room = ground.livekit.rooms().remove(0);
    ground.livekit.set_down(true);
    let unheard = close(&ground, &room).await.unwrap_err();
    assert!(unheard.contains("as soon as LiveKit"), "{unheard}");
    ground.livekit.set_down(false);
    until_rooms(&ground, &[]).await;
    assert_fails(&ground.join(2, &call).await, 403, "ROOM_CLOSED");
    // A token of before may open it again, and it is ended again.
    let facts = crate::room_facts::RoomFacts::of_group("pizza", *call.id());
    ground.livekit.add_room(&room, &facts.to_metadata());
    until_rooms(&ground, &[]).await;
}

#[tokio::test]
async fn l11_without_communities_rooms_that_were_made_for_spaces_are_ended_and_no_others() {
    let ground = ground("communities = false\noperator_url = 'https://calls.example'").await;
    let mark = json!({"by": "trellis", "operator": "https://calls.example"}).to_string();
    let hall = format!("30312:{}:hall", ground.author(1).pubkey().to_hex());
    ground.livekit.add_room("lobby", "");
    ground.livekit.add_room(&hall, &mark);
    let others = mark.replace("calls", "others");
    ground.livekit.add_room("30312:ab:hall", &others);
    communities::found(&ground, &communities::room(&ground, "open")).await;
    until_rooms(&ground, &["lobby", "30312:ab:hall"]).await;
}

#[tokio::test]
async fn l20_a_space_without_a_room_is_closed_and_what_is_neither_is_not() {
    let ground = ground("").await;
    let space = communities::room(&ground, "open");
    let hall = format!("30312:{}:hall", ground.author(1).pubkey().to_hex());
    // Of what is not there nothing is remembered.
    let nothing = close(&ground, &hall).await.unwrap_err();
    assert!(nothing.contains("no such space"), "{nothing}");
    communities::found(&ground, &space).await;
    until_rooms(&ground, &[&hall]).await;
    assert_eq!(close(&ground, &hall).await, Ok(json!(true)));
    until_rooms(&ground, &[]).await;
    // Once more, now that it has none.
    assert_eq!(close(&ground, &hall).await, Ok(json!(true)));
    assert_fails(&communities::join(&ground, 2).await, 403, "ROOM_CLOSED");
}

#[tokio::test]
async fn l20_a_space_that_is_dated_ahead_is_closed_until_a_newer_version() {
    let ground = ground("").await;
    let ahead_s = START_S + 600;
    let [space, next] =
        [ahead_s, ahead_s + 1].map(|at_s| communities::room_at(&ground, "open", at_s));
    communities::found(&ground, &space).await;
    let hall = format!("30312:{}:hall", ground.author(1).pubkey().to_hex());
    until_rooms(&ground, &[&hall]).await;
    assert_eq!(close(&ground, &hall).await, Ok(json!(true)));
    until_rooms(&ground, &[]).await;
    assert_fails(&communities::join(&ground, 2).await, 403, "ROOM_CLOSED");
    // Neither when its time has come.
    ground.relay.clock().advance(Duration::from_secs(600));
    assert_fails(&communities::join(&ground, 2).await, 403, "ROOM_CLOSED");
    ground.store([&next]).await;
    until_rooms(&ground, &[&hall]).await;
    assert_eq!(communities::join(&ground, 2).await.status, 200);
}

#[tokio::test]
async fn l20_a_space_is_closed_for_so_long_and_then_forgotten() {
    let mut ground = ground("closed_space_ttl_seconds = 3600").await;
    communities::found(&ground, &communities::room(&ground, "open")).await;
    let hall = format!("30312:{}:hall", ground.author(1).pubkey().to_hex());
    until_rooms(&ground, &[&hall]).await;
    assert_eq!(close(&ground, &hall).await, Ok(json!(true)));
    until_rooms(&ground, &[]).await;
    ground.relay.clock().advance(Duration::from_secs(3600));
    until_rooms(&ground, &[&hall]).await;
    // With nothing on disk it does not hold for a longer time either.
    let longer = "rooms_reconcile_seconds = 1\nclosed_space_ttl_seconds = 86400";
    ground.reconfigure(longer, &owned()).await;
    let answer = communities::join(&ground, 2).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}
