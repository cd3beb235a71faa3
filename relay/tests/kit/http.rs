//! E10: plain HTTP, signed requests, pages and metrics.

use crate::guests::Guests;
use std::time::Duration;
use trellis_relay::testing::{Author, TestRelay, Value};

async fn start(admin: &Author) -> TestRelay {
    let admin = admin.pubkey().to_hex();
    TestRelay::of::<Guests>()
        .config(&format!("[extensions.guests]\nadmins = ['{admin}']"))
        .start()
        .await
}

#[tokio::test]
async fn e10_routes_of_an_extension_are_called_with_and_without_a_signature() {
    let (admin, guest) = (Author::new(1), Author::new(2));
    let relay = start(&admin).await;
    let mut client = relay.connect().await;
    let note = guest.note("hello");
    let refused = client.publish(&note).await;
    refused.assert_refused("blocked: ask for an invitation");

    let key = guest.pubkey().to_hex();
    let invite = || relay.post("/api/guests").body(key.clone());
    assert_eq!(invite().await.status, 401);
    assert_eq!(invite().nip98(&guest).await.status, 403);
    let invited = invite().nip98(&admin).await;
    assert_eq!(invited.status, 201);
    assert_eq!(invited.header("Content-Type"), Some("application/json"));
    assert_eq!(invited.json::<Value>()["invited"], key);
    client.store(&note).await;
    let invited = [("extension", "guests")];
    assert!(relay.metric("guests_invited_total", &invited).await >= 1.0);
}

#[tokio::test]
async fn e10_a_signature_is_for_the_host_that_is_asked_or_for_the_url_that_is_given() {
    let (admin, guest) = (Author::new(1), Author::new(2).pubkey().to_hex());
    let relay = start(&admin).await;
    let invite = || {
        let invite = relay.post("/api/guests").body(guest.clone());
        invite.header("Host", "guests.example").nip98(&admin)
    };
    assert_eq!(invite().await.status, 201);
    relay.clock().advance(Duration::from_secs(1));
    let signed = |url| invite().signed_url(url);
    let right = "http://guests.example/api/guests";
    assert_eq!(signed(right).await.status, 201);
    relay.clock().advance(Duration::from_secs(1));
    let elsewhere = "http://other.example/api/guests";
    assert_eq!(signed(elsewhere).await.status, 401);
}

#[tokio::test]
async fn e10_the_clock_of_the_relay_is_that_of_its_extensions() {
    let (admin, guest) = (Author::new(1), Author::new(2));
    let relay = start(&admin).await;
    // A signature is good for a minute; the kit signs by the relay's clock.
    relay.clock().advance(Duration::from_secs(3_600));
    let invite = relay.post("/api/guests").body(guest.pubkey().to_hex());
    assert_eq!(invite.nip98(&admin).await.status, 201);
    let mut client = relay.connect().await;
    for number in 0..10 {
        client.store(&guest.note(&format!("{number}"))).await;
    }
    let verdict = client.publish(&guest.note("one more")).await;
    verdict.assert_refused("rate-limited: that is enough for now");
    relay.clock().advance(Duration::from_secs(120));
    client.store(&guest.note("two minutes later")).await;
}

#[tokio::test]
async fn e10_the_pages_of_the_relay_are_there() {
    let admin = Author::new(1);
    let relay = start(&admin).await;
    assert_eq!(relay.get("/livez").await.status, 200);
    assert_eq!(relay.get("/nothing").await.status, 404);
    let health: Value = relay.get("/health").await.json();
    assert_eq!(health["extensions"]["guests"]["status"], "ok");
    let information = relay.information().await;
    assert!(information["supported_nips"].is_array(), "{information}");
}

#[tokio::test]
async fn e10_the_management_api_is_called_as_an_admin() {
    let admin = Author::new(1);
    let relay = TestRelay::setup()
        .config(&format!(
            "[information]\npubkey = '{}'\n[network]\nrelay_url = 'ws://localhost'",
            admin.pubkey().to_hex()
        ))
        .start()
        .await;
    let none = || Value::Array(Vec::new());
    let methods = relay.manage(&admin, "supportedmethods", none()).await;
    assert!(methods.unwrap().is_array());
    let stranger = Author::new(2);
    let refused = relay.manage(&stranger, "supportedmethods", none()).await;
    assert!(refused.is_err());
}
