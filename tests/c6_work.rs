//! C6: proof of work (NIP-13) where the `[pow]` table asks for it.

use trellis_test_support::author::leading_zero_bits;
use trellis_test_support::{Author, Client, Relay, trellis};

async fn relay() -> (Relay, Client) {
    let relay = trellis!().config("[pow]\n1 = 8\n7 = 4").start().await;
    let client = Client::connect(&relay).await;
    (relay, client)
}

#[tokio::test]
async fn c6_work_is_asked_for_by_kind() {
    let (_relay, mut client) = relay().await;
    let author = Author::new();
    client.store(&author.draft(1).mine(8, 8)).await;
    client.store(&author.draft(1).mine(10, 9)).await;
    client.store(&author.draft(7).mine(4, 4)).await;
    client
        .store(&author.draft(3).content("no table entry").sign())
        .await;
}

#[tokio::test]
async fn c6_bits_of_the_id_and_the_committed_target_both_have_to_suffice() {
    let (_relay, mut client) = relay().await;
    let author = Author::new();
    let no_nonce = author.note("no work");
    let lucky = author.draft(1).mine(8, 7);
    let lacking = (0..)
        .map(|i| author.draft(1).content(&i.to_string()).mine(0, 8))
        .find(|event| leading_zero_bits(event.id.as_bytes()) < 8);
    let no_target = author.draft(1).tag(&["nonce", "1"]).sign();
    let no_number = author.draft(1).tag(&["nonce", "1", "many"]).sign();
    for event in [
        Some(no_nonce),
        Some(lucky),
        lacking,
        Some(no_target),
        Some(no_number),
    ] {
        let event = event.expect("an event with too little work");
        client.publish(&event).await.assert_refused("pow:", "");
    }
    let for_another_kind = author.draft(1).mine(4, 4);
    client
        .publish(&for_another_kind)
        .await
        .assert_refused("pow:", "8");
}

#[tokio::test]
async fn c6_nothing_is_asked_for_by_default() {
    let relay = trellis!().start().await;
    let mut client = Client::connect(&relay).await;
    client.store(&Author::new().note("no work")).await;
}
