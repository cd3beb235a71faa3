//! The clock of a test.

use std::time::Duration;
use trellis_relay::testing::{TestRelay, json};

#[tokio::test]
async fn what_has_expired_is_not_shown() {
    let relay = TestRelay::setup().start().await;
    let mut client = relay.connect().await;
    let draft = relay.author(1).draft(1).content("soon gone");
    let event = draft.expires_in(Duration::from_secs(60)).sign();
    client.store(&event).await;
    relay.clock().advance(Duration::from_secs(61));
    assert_eq!(client.query(json!({})).await, Ok(vec![]));
}
