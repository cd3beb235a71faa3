//! What the host does for an extension: publishing and asking.

use crate::support::*;

#[tokio::test]
async fn e4_answers_to_answers_are_cut_off() {
    let relay = TestRelay::start(CHAT).await;
    // The follower starts with what comes after it.
    until("the follower", async || {
        relay.core.row_of("chat@stored", b"0").is_some()
    })
    .await;
    relay.core.put(&[event(2000, "hello")]);
    // One of Alice's and four deep of the relay's own.
    until("the answers", async || relay.rpc("chat_size").await == 5).await;
    until("the last page", async || {
        relay.core.row_of("chat@stored", b"0") == Some(5u64.to_be_bytes().to_vec())
    })
    .await;
    assert_eq!(relay.rpc("chat_size").await, 5);
    relay.host.shutdown().await;
}
