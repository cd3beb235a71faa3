//! E10: signed events.

use std::time::Duration;
use trellis_relay::testing::{Author, START_S, TestRelay};

#[test]
fn e10_authors_are_the_same_in_every_run() {
    let hex = Author::new(1).pubkey().to_hex();
    assert_eq!(
        hex,
        "ab12d1be6f17e14819c762ad4833459933afca165169c26f4bf7072982e878e5"
    );
}

#[tokio::test]
async fn e10_events_are_signed_for_real_and_forged_ones_refused() {
    let relay = TestRelay::setup().start().await;
    let (alice, mut client) = (Author::new(1), relay.connect().await);
    client.store(&alice.note("hello")).await;
    client.store(&alice.draft(1).content("mined").mine(8)).await;
    let forged = alice.draft(1).content("forged").forge();
    let verdict = client.publish(&forged).await;
    assert!(verdict.reason().starts_with("invalid:"), "{verdict:?}");
}

#[tokio::test]
async fn e10_mined_events_show_the_work() {
    let relay = TestRelay::setup().config("[pow]\n1 = 10").start().await;
    let (alice, mut client) = (Author::new(1), relay.connect().await);
    let verdict = client.publish(&alice.note("no work")).await;
    assert!(verdict.reason().starts_with("pow:"), "{verdict:?}");
    client.store(&alice.draft(1).mine(10)).await;
}

#[tokio::test]
async fn e10_authors_of_a_relay_write_by_its_clock() {
    let relay = TestRelay::setup().start().await;
    let alice = relay.author(1);
    assert_eq!(alice.pubkey(), Author::new(1).pubkey());
    relay.clock().advance(Duration::from_secs(5));
    assert_eq!(alice.note("later").created_at(), START_S + 5);
    assert_eq!(
        Author::new(1).note("at the beginning").created_at(),
        START_S
    );
}
