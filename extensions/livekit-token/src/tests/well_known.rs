//! Tokens as NIP-29 has them.

use super::ground::{Ground, assert_fails, claims, hash_of};
use trellis_relay::testing::{Value, json};

const PATH: &str = "/.well-known/nip29/livekit";

#[tokio::test]
async fn l6_the_relay_says_that_groups_may_have_calls() {
    let ground = Ground::start().await;
    let here = ground.relay.get(PATH).await;
    assert_eq!((here.status, here.body.len()), (204, 0));
}

#[tokio::test]
async fn l6_each_device_of_a_member_has_an_identity_of_its_own() {
    let ground = Ground::start().await;
    let bob = ground.author(2);
    let mut identities = Vec::new();
    for _ in 0..2 {
        let answer = ground.relay.get(&format!("{PATH}/pizza")).nip98(&bob).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let body: Value = answer.json();
        assert_eq!(body["server_url"], "wss://livekit.example.com");
        assert_eq!(body.as_object().unwrap().len(), 2);
        let claims = claims(body["participant_token"].as_str().unwrap());
        assert_eq!(claims["video"]["room"], json!(hash_of(&["pizza"])));
        identities.push(claims["sub"].as_str().unwrap().to_owned());
    }
    assert_ne!(identities[0], identities[1]);
    assert!(
        identities
            .iter()
            .all(|it| it.starts_with(&bob.pubkey().to_hex()) && it.len() == 80)
    );
}

#[tokio::test]
async fn l6_only_members_of_groups_with_calls_get_a_token() {
    let ground = Ground::start().await;
    let ask = async |who: u64, group: &str| {
        let call = ground.relay.get(&format!("{PATH}/{group}"));
        call.nip98(&ground.author(who)).await
    };
    assert_fails(&ask(9, "pizza").await, 403, "NOT_GROUP_MEMBER");
    assert_fails(&ask(2, "nobody").await, 403, "NOT_GROUP_MEMBER");
    assert_fails(&ask(1, "silent").await, 404, "ROOM_NOT_FOUND");
    // One that could be the id of another group and of a call of it.
    let double = format!("pizza{}", "ab".repeat(32));
    assert_fails(&ask(1, &double).await, 404, "ROOM_NOT_FOUND");
}

#[tokio::test]
async fn l6_nobody_takes_all_places_of_a_room() {
    let ground = Ground::start().await;
    let bob = ground.author(2);
    let room = hash_of(&["pizza"]);
    let device = |number: u8| format!("{}{number:016x}", bob.pubkey().to_hex());
    let ask = async || {
        let call = ground.relay.get(&format!("{PATH}/pizza"));
        call.nip98(&bob).await
    };
    let devices: Vec<String> = (0..5).map(device).collect();
    ground.livekit.set_present(&room, &devices[..4]);
    assert_eq!(ask().await.status, 200);
    ground.livekit.set_present(&room, &devices);
    assert_fails(&ask().await, 429, "RATE_LIMITED");
}
