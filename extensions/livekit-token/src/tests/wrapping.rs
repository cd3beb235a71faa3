//! Tokens in gift wraps.

use super::ground::{Ground, claims};
use trellis_relay::nostr::event::Event as Wrap;
use trellis_relay::nostr::nips::nip59::UnwrappedGift;
use trellis_relay::testing::{START_S, Value, json};

#[tokio::test]
async fn l6_a_wrapped_token_is_read_by_whom_it_is_for_alone() {
    let ground = Ground::with("token_response = 'wrapped'", "").await;
    let call = ground.call().await;
    let answer = ground.join(2, &call).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let body: Value = answer.json();
    assert_eq!(body["metadata"], json!({}));
    assert_eq!(body.as_object().unwrap().len(), 2);
    let wrap: Wrap = serde_json::from_value(body["wrapped_token_event"].clone()).unwrap();
    assert!(UnwrappedGift::from_gift_wrap(ground.author(1).keys(), &wrap).is_err());
    let gift = UnwrappedGift::from_gift_wrap(ground.author(2).keys(), &wrap).unwrap();
    let information = ground.relay.information().await;
    assert_eq!(json!(gift.sender.to_hex()), information["self"]);
    assert_eq!(gift.rumor.kind.as_u16(), 20_003);
    assert_eq!(gift.rumor.created_at.as_secs(), START_S);
    let content: Value = serde_json::from_str(&gift.rumor.content).unwrap();
    assert_eq!(content["url"], "wss://livekit.example.com");
    assert_eq!(content["expiry"], START_S + 180);
    let claims = claims(content["token"].as_str().unwrap());
    assert_eq!(claims["video"]["room"], content["room"]);
}
