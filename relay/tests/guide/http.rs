//! Requests over HTTP.

use trellis_relay::testing::{Author, TestRelay, Value};

#[tokio::test]
async fn pages_answer() {
    let relay = TestRelay::setup().start().await;
    let invite = relay.post("/api/invites").json(&["npub1..."]);
    let answer = invite.nip98(&Author::new(1)).await;
    assert_eq!(answer.status, 404); // nobody brings this route here

    let health: Value = relay.get("/health").await.json();
    assert_eq!(health["status"], "healthy");
    assert!(relay.information().await["supported_nips"].is_array()); // NIP-11
}
