//! E10: what a client may do, and what it is told.

use std::time::Duration;
use trellis_relay::testing::{Author, Reply, TestRelay, json};

#[tokio::test]
async fn e10_a_client_publishes_asks_counts_and_listens() {
    let relay = TestRelay::setup().start().await;
    let alice = Author::new(1);
    let (mut writer, mut reader) = (relay.connect().await, relay.connect().await);
    let (first, second) = (alice.note("first"), alice.note("second"));
    writer.store(&first).await;
    assert!(
        writer
            .publish(&first)
            .await
            .reason()
            .starts_with("duplicate:")
    );

    let filter = || json!({"authors": [alice.pubkey().to_hex()]});
    let stored = reader.subscribe("s", [filter()]).await;
    assert_eq!(stored, Ok(vec![first.clone()]));
    reader.assert_no_event("s").await;
    writer.store(&second).await;
    assert_eq!(reader.next_event("s").await, second);
    assert_eq!(reader.count(filter()).await, Ok(2));

    writer.store(&alice.deletion([&first])).await;
    assert_eq!(reader.query(json!({"kinds": [1]})).await, Ok(vec![second]));
}

#[tokio::test]
async fn e10_a_request_that_is_closed_tells_why() {
    let relay = TestRelay::setup()
        .config("[auth.req]\npubkey_whitelist = ['ab12d1be6f17e14819c762ad4833459933afca165169c26f4bf7072982e878e5']")
        .start()
        .await;
    let mut client = relay.connect().await;
    for answer in [
        client.query(json!({})).await.map(|_| ()),
        client.count(json!({})).await.map(|_| ()),
    ] {
        assert!(answer.unwrap_err().starts_with("auth-required:"));
    }
}

#[tokio::test]
async fn e10_a_client_logs_in_wherever_the_clock_is_and_whatever_the_relay_is_called() {
    for config in ["", "[network]\nrelay_url = 'wss://relay.example.com'"] {
        let relay = TestRelay::setup().config(config).start().await;
        relay.clock().advance(Duration::from_secs(86_400));
        let alice = Author::new(1);
        let mut client = relay.connect_as(&alice).await;
        // A second key on the same connection.
        client.auth(&Author::new(2)).await.assert_accepted();
        // For her eyes only, by the relay's own rules (NIP-59).
        let wrap = Author::new(3)
            .draft(1059)
            .tag(["p", &alice.pubkey().to_hex()])
            .sign();
        client.store(&wrap).await;
        assert_eq!(client.query(json!({"kinds": [1059]})).await, Ok(vec![wrap]));
    }
}

#[tokio::test]
async fn e10_a_client_sends_and_reads_anything() {
    let relay = TestRelay::setup().start().await;
    let mut client = relay.connect().await;
    client.send_text("no JSON").await;
    client.send(json!(["REQ", "s", {"limit": 0}])).await;
    let mut replies = Vec::new();
    while replies.len() < 2 {
        match client.next().await.unwrap() {
            Reply::Auth(_) => {}
            reply => replies.push(reply),
        }
    }
    assert!(matches!(&replies[0], Reply::Notice(_)), "{replies:?}");
    assert_eq!(replies[1], Reply::Eose("s".to_owned()));
    assert_eq!(client.unread().count(), 0);
    relay.stop().await;
    assert_eq!(client.closed().await, Some(1001));
}

#[tokio::test]
#[should_panic(expected = "was sent")]
async fn e10_an_event_too_many_is_noticed() {
    let relay = TestRelay::setup().start().await;
    let (mut writer, mut reader) = (relay.connect().await, relay.connect().await);
    reader.subscribe("s", [json!({})]).await.unwrap();
    writer.store(&Author::new(1).note("too many")).await;
    reader.assert_no_event("s").await;
}

#[tokio::test]
#[should_panic(expected = "the connection was closed (code Some(1001)) instead of a never")]
async fn e10_a_wait_in_vain_says_what_came_instead() {
    let relay = TestRelay::setup().start().await;
    let mut client = relay.connect().await;
    relay.stop().await;
    client.wait_for("a never", |_| None::<()>).await;
}
