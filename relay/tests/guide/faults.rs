//! What goes wrong on purpose.

use trellis_relay::testing::{Author, Failure, TestRelay, json};

#[tokio::test]
async fn nothing_is_lost_that_was_accepted() {
    let relay = TestRelay::setup().start().await;
    let mut client = relay.connect().await;
    let alice = Author::new(1);

    // The store is full for one commit.
    relay.faults().fail_commits(1, Failure::Full);
    let verdict = client.publish(&alice.note("one")).await;
    assert!(!verdict.is_accepted());

    // What others see while a commit is under way.
    let held = relay.faults().hold_commits();
    let note = alice.note("two");
    client.send_event(&note).await;
    held.until_one_waits().await;
    let mut other = relay.connect().await;
    assert_eq!(other.query(json!({})).await, Ok(vec![]));
    held.release();
    client.verdict(&note).await.assert_accepted();

    // After a crash everything that was committed is there.
    let relay = relay.kill_and_restart().await;
    let mut client = relay.connect().await;
    assert_eq!(client.query(json!({})).await, Ok(vec![note]));
}
