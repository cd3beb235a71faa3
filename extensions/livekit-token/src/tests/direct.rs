//! Calls of two.

use super::ground::{Ground, assert_fails, claims, hash_of, value};
use std::time::Duration;
use trellis_relay::event::Event;
use trellis_relay::testing::{Author, Response, Value, json};

pub(super) fn offer(caller: &Author, callee: &Author) -> Event {
    caller
        .draft(20_010)
        .tag(["p", &callee.pubkey().to_hex()])
        .sign()
}

pub(super) fn answer(callee: &Author, caller: &Author, offer: &Event) -> Event {
    let draft = callee.draft(20_011).tag(["p", &caller.pubkey().to_hex()]);
    draft.tag(["e", &offer.id().to_hex(), "", "root"]).sign()
}

pub(super) async fn ask(
    ground: &Ground,
    who: &Author,
    event: &Event,
    peer: Option<&Event>,
) -> Response {
    let mut body = json!({"event": value(event)});
    if let Some(peer) = peer {
        body["peer_event"] = value(peer);
    }
    ground.relay.post("/token/dm").json(&body).nip98(who).await
}

#[tokio::test]
async fn l4_both_get_tokens_for_one_room_once_the_call_is_answered() {
    let ground = Ground::start().await;
    let (alice, bob) = (ground.author(1), ground.author(9));
    let call = offer(&alice, &bob);
    assert_fails(
        &ask(&ground, &alice, &call, None).await,
        409,
        "CALL_NOT_ANSWERED",
    );
    let accepted = answer(&bob, &alice, &call);
    assert_fails(
        &ask(&ground, &bob, &accepted, None).await,
        404,
        "CALL_NOT_FOUND",
    );
    // What passes through the relay is remembered though it is not stored.
    let mut client = ground.relay.connect().await;
    client.publish(&call).await.assert_accepted();
    assert_fails(
        &ask(&ground, &alice, &call, None).await,
        409,
        "CALL_NOT_ANSWERED",
    );
    client.publish(&accepted).await.assert_accepted();
    assert_eq!(
        client.query(json!({"kinds": [20_010, 20_011]})).await,
        Ok(vec![])
    );
    let [first, second] = [
        ask(&ground, &alice, &call, None).await,
        ask(&ground, &bob, &accepted, None).await,
    ];
    assert_eq!(
        (first.status, second.status),
        (200, 200),
        "{}",
        first.text()
    );
    let [first, second]: [Value; 2] = [first.json(), second.json()];
    let mut keys = [alice.pubkey().to_hex(), bob.pubkey().to_hex()];
    keys.sort();
    let room = hash_of(&[&keys[0], &keys[1], &call.id().to_hex()]);
    assert_eq!(
        (&first["room"], &second["room"]),
        (&json!(room), &json!(room))
    );
    let subject = claims(second["token"].as_str().unwrap());
    assert_eq!(subject["sub"], json!(bob.pubkey().to_hex()));
}

#[tokio::test]
async fn l4_an_event_of_the_other_may_come_along() {
    let ground = Ground::start().await;
    let (alice, bob, eve) = (ground.author(1), ground.author(9), ground.author(10));
    let call = offer(&alice, &bob);
    let accepted = answer(&bob, &alice, &call);
    // Somebody else's answer counts for nothing.
    let forged = answer(&eve, &alice, &call);
    assert_fails(
        &ask(&ground, &alice, &call, Some(&forged)).await,
        409,
        "CALL_NOT_ANSWERED",
    );
    assert_eq!(
        ask(&ground, &alice, &call, Some(&accepted)).await.status,
        200
    );
    let other = offer(&alice, &eve);
    assert_fails(
        &ask(&ground, &bob, &accepted, Some(&other)).await,
        404,
        "CALL_NOT_FOUND",
    );
    assert_eq!(ask(&ground, &bob, &accepted, Some(&call)).await.status, 200);
    // From now on the call is known, and known to be answered.
    assert_eq!(ask(&ground, &alice, &call, None).await.status, 200);
    // Both events of one kind are no call.
    assert_fails(
        &ask(&ground, &alice, &call, Some(&other)).await,
        400,
        "INVALID_REQUEST",
    );
}

#[tokio::test]
async fn l4_a_forged_event_of_the_other_is_refused() {
    let ground = Ground::start().await;
    let (alice, bob) = (ground.author(1), ground.author(9));
    let call = offer(&alice, &bob);
    let draft = bob.draft(20_011).tag(["p", &alice.pubkey().to_hex()]);
    let forged = draft.tag(["e", &call.id().to_hex(), "", "root"]).forge();
    let refused = ask(&ground, &alice, &call, Some(&forged)).await;
    assert_fails(&refused, 400, "INVALID_SIGNATURE");
}

#[tokio::test]
async fn l4_an_offer_is_remembered_for_two_minutes() {
    let ground = Ground::start().await;
    let (alice, bob) = (ground.author(1), ground.author(9));
    let call = offer(&alice, &bob);
    let mut client = ground.relay.connect().await;
    client.publish(&call).await.assert_accepted();
    ground.relay.clock().advance(Duration::from_secs(119));
    let accepted = answer(&bob, &alice, &call);
    assert_eq!(ask(&ground, &bob, &accepted, None).await.status, 200);
    ground.relay.clock().advance(Duration::from_secs(1));
    assert_fails(
        &ask(&ground, &bob, &accepted, None).await,
        404,
        "CALL_NOT_FOUND",
    );
}

#[tokio::test]
async fn l4_nobody_asks_with_an_event_of_another() {
    let ground = Ground::start().await;
    let (alice, bob, eve) = (ground.author(1), ground.author(9), ground.author(10));
    let call = offer(&alice, &bob);
    let accepted = answer(&bob, &alice, &call);
    for event in [&call, &accepted] {
        let refused = ask(&ground, &eve, event, Some(&accepted)).await;
        assert!(refused.status == 400, "{}", refused.text());
    }
}
