//! What clients do.

use trellis_relay::testing::{Author, TestRelay, json};

#[tokio::test]
async fn notes_are_stored_and_heard() {
    let relay = TestRelay::setup().start().await;
    let alice = Author::new(1);
    let (mut writer, mut reader) = (relay.connect().await, relay.connect_as(&alice).await);

    // What is stored, and a subscription that stays open. A closed one is Err with the reason.
    let stored = reader.subscribe("live", [json!({"kinds": [1]})]).await;
    assert_eq!(stored, Ok(vec![]));
    let note = alice.note("hello");
    writer.store(&note).await; // must be accepted; publish() returns the verdict
    assert_eq!(reader.next_event("live").await, note);
    assert_eq!(reader.count(json!({"kinds": [1]})).await, Ok(1));

    // Nothing else came: whatever was answered OK before would be here.
    reader.assert_no_event("live").await;
}
