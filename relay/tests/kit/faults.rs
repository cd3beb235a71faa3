//! E10: a store that fails when it is told to.

use crate::guests::Guests;
use trellis_relay::testing::{Author, Failure, TestRelay, json, until};

#[tokio::test]
async fn e10_commits_fail_as_often_as_they_are_told_to() {
    let relay = TestRelay::setup().start().await;
    let (alice, mut client) = (Author::new(1), relay.connect().await);
    let note = alice.note("hello");
    relay.faults().fail_commits(2, Failure::Full);
    for _ in 0..2 {
        let verdict = client.publish(&note).await;
        verdict.assert_refused("error: the store is full; nothing was stored");
    }
    assert_eq!(client.query(json!({})).await, Ok(vec![]));
    client.store(&note).await;
    relay.faults().fail_commits(1, Failure::Unavailable);
    let verdict = client.publish(&alice.note("lost")).await;
    verdict.assert_refused("error: the event could not be stored; try again later");
}

#[tokio::test]
async fn e10_what_a_commit_holds_back_is_seen_while_it_is_under_way() {
    let relay = TestRelay::setup().start().await;
    let (alice, note) = (Author::new(1), Author::new(1).note("hello"));
    let (mut writer, mut reader) = (relay.connect().await, relay.connect().await);
    reader.subscribe("s", [json!({})]).await.unwrap();
    let held = relay.faults().hold_commits();
    writer.send_event(&note).await;
    held.until_one_waits().await;
    assert_eq!(reader.query(json!({})).await, Ok(vec![]));
    reader.assert_no_event("s").await;
    writer.settle().await;
    let is_answered = writer
        .unread()
        .any(|reply| matches!(reply, trellis_relay::testing::Reply::Ok(..)));
    assert!(!is_answered, "nothing is durable yet");
    held.release();
    writer.verdict(&note).await.assert_accepted();
    assert_eq!(reader.next_event("s").await, note);
    writer.store(&alice.note("the next one")).await;
}

#[tokio::test]
async fn e10_reads_fail_and_the_health_says_so() {
    let relay = TestRelay::setup().start().await;
    let mut client = relay.connect().await;
    relay.faults().fail_queries(1, Failure::Unavailable);
    let closed = client.query(json!({})).await.unwrap_err();
    assert!(closed.starts_with("error:"), "{closed}");
    assert_eq!(client.query(json!({})).await, Ok(vec![]));

    relay.faults().fail_reads(Failure::Unavailable);
    assert_eq!(relay.get("/ready").await.status, 503);
    relay.faults().heal();
    assert_eq!(relay.get("/ready").await.status, 200);
}

/// A relay whose guests this author invites.
async fn guests_of(admin: &Author) -> TestRelay {
    let admin = admin.pubkey().to_hex();
    let table = format!("[extensions.guests]\nadmins = ['{admin}']");
    TestRelay::of::<Guests>().config(&table).start().await
}

#[tokio::test]
async fn e10_rows_of_an_extension_fail_and_its_route_says_so() {
    let admin = Author::new(1);
    let relay = guests_of(&admin).await;
    relay.faults().fail_rows(1, Failure::Full);
    let guest = Author::new(2).pubkey().to_hex();
    let invite = || relay.post("/api/guests").body(guest.clone()).nip98(&admin);
    assert_eq!(invite().await.status, 503);
    assert_eq!(invite().await.status, 201);
}

#[tokio::test]
async fn e10_a_hook_at_fault_shows_in_the_status() {
    let admin = Author::new(1);
    let relay = guests_of(&admin).await;
    assert_eq!(relay.status("guests").faults, 0);
    relay.faults().fail_rows(1, Failure::Unavailable);
    relay.connect().await.store(&admin.note("counted")).await;
    // Its `stored` hook could not write the count, and tries again.
    until("a fault", async || relay.status("guests").faults == 1).await;
    until("the count", async || {
        let page = relay.get("/api/guests").await;
        page.text() == r#"{"guests":0,"notes":1}"#
    })
    .await;
}
