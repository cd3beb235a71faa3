//! What the host does for an extension: publishing and asking.

use crate::support::*;
use std::sync::Arc;
use std::time::Duration;
use trellis_relay::clock::FakeClock;
use trellis_relay::extension::RateLimiter;

#[tokio::test]
async fn e4_answers_to_answers_are_cut_off() {
    let relay = start(CHAT).await;
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

#[test]
fn e10_a_rate_limiter_slides_and_stays_bounded() {
    let clock = Arc::new(FakeClock::at_s(0));
    let limiter = RateLimiter::new(10, Duration::from_secs(10), clock.clone());
    let take = |times| (0..times).filter(|_| limiter.try_take("a").is_ok()).count();
    assert_eq!(take(20), 10);
    assert!(limiter.try_take("b").is_ok(), "another key");
    clock.advance(Duration::from_secs(15));
    assert_eq!(take(20), 5, "half of the last window still counts");
    let wait = limiter.try_take("a").unwrap_err();
    assert_eq!(wait, Duration::from_secs(5));
    clock.advance(Duration::from_secs(30));
    assert_eq!(take(20), 10);
    let admitted = (0..60_000).filter(|key| limiter.try_take(&format!("key {key}")).is_ok());
    // 50,000 keys are told apart, "a" among them; the others share one count.
    assert_eq!(admitted.count(), 49_999 + 10);
}
