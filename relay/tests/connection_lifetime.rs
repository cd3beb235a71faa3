//! D3 by a clock that the test sets: when connections end, and what they have brought is answered first.

use futures_util::FutureExt as _;
use futures_util::future::select_all;
use std::time::Duration;
use trellis_relay::testing::{Author, Client, Reply, TestRelay, json};

/// Pinged so often that timeouts are looked at exactly.
const CONFIG: &str =
    "[network]\nconnection_lifetime = '70m'\nping_interval = '1s'\n[thread]\nhttp = 1";

async fn relay() -> TestRelay {
    TestRelay::setup().config(CONFIG).start().await
}

/// A connection that has begun: the relay's session comes a moment after the handshake.
async fn connected(relay: &TestRelay) -> Client {
    let mut client = relay.connect().await;
    client.settle().await;
    client
}

/// Whether a connection is still served.
async fn is_open(client: &mut Client) -> bool {
    if client.closed().now_or_never().is_some() {
        return false;
    }
    client.send(json!(["REQ", "any", {"limit": 0}])).await;
    loop {
        match client.next().await {
            Some(Reply::Eose(_)) => return true,
            Some(_) => {}
            None => return false,
        }
    }
}

#[tokio::test]
async fn d3_connections_that_began_together_do_not_end_together() {
    let relay = relay().await;
    let mut clients = Vec::new();
    for _ in 0..40 {
        clients.push(connected(&relay).await);
    }
    // The middle of the last seventh. That all have drawn a time on one side of it will not be seen.
    relay.clock().advance(Duration::from_secs(65 * 60));
    {
        let ends = clients
            .iter_mut()
            .map(|client| client.closed().boxed_local());
        let (code, ..) = select_all(ends).await;
        assert_eq!(code, Some(1001));
    }
    // One worker has all of them, so whoever had to end with that one is gone once another is served.
    let _later = connected(&relay).await;
    let mut open = Vec::new();
    for mut client in clients {
        if is_open(&mut client).await {
            open.push(client);
        }
    }
    assert!(!open.is_empty(), "all have ended");
    relay.clock().advance(Duration::from_secs(5 * 60));
    for mut client in open {
        assert_eq!(client.closed().await, Some(1001));
    }
}

#[tokio::test]
async fn d3_events_that_a_connection_has_brought_are_answered_before_it_ends() {
    let relay = relay().await;
    let (mut busy, mut idle) = (connected(&relay).await, connected(&relay).await);
    let held = relay.faults().hold_commits();
    let note = Author::new(1).note("on its way");
    busy.send_event(&note).await;
    held.until_one_waits().await;
    relay.clock().advance(Duration::from_secs(70 * 60));
    // Both are looked at together, by one worker.
    assert_eq!(idle.closed().await, Some(1001));
    drop(held);
    assert_eq!(busy.closed().await, Some(1001));
    let answers: Vec<&Reply> = busy.unread().collect();
    let is_ok = |reply: &Reply| matches!(reply, Reply::Ok(_, verdict) if verdict.is_accepted());
    assert!(answers.iter().any(|reply| is_ok(reply)), "{answers:?}");
}

#[tokio::test]
async fn d3_an_answer_that_never_comes_does_not_keep_a_connection() {
    let relay = relay().await;
    let (mut busy, mut idle) = (connected(&relay).await, connected(&relay).await);
    let held = relay.faults().hold_commits();
    busy.send_event(&Author::new(1).note("for ever")).await;
    held.until_one_waits().await;
    relay.clock().advance(Duration::from_secs(70 * 60));
    assert_eq!(idle.closed().await, Some(1001));
    relay.clock().advance(Duration::from_secs(60));
    assert_eq!(busy.closed().await, Some(1001));
    held.release();
}
