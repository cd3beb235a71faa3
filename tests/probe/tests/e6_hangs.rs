//! E6: a hook that hangs, or waits for itself, holds up nobody else: it is found, skipped, and left behind at the end.

use trellis_test_support::author::unique;
use trellis_test_support::probe::{self, calls, health, wait_for_calls};
use trellis_test_support::{Author, Client, Relay, json, trellis_probe, wait};

const INTERNAL: &str = "error: the relay could not do this now; try again later";

async fn start(hooks: &[&str], more: &str) -> (Relay, Client) {
    let relay = trellis_probe!()
        .config(&probe::table(hooks, more))
        .start()
        .await;
    let client = Client::connect(&relay).await;
    (relay, client)
}

#[tokio::test]
async fn e6_a_sync_hook_that_holds_its_thread_is_found_and_skipped() {
    for hook in ["admit", "commit"] {
        let (relay, mut client) = start(&[hook], "on_fault = \"open\"").await;
        let author = Author::new();
        // It is skipped for a short while only, which a busy machine may miss.
        wait::until("an event that it is not asked about", async || {
            let slow = author
                .draft(7000)
                .content(&unique("slow"))
                .probe(hook, "hang");
            // It cannot be interrupted, so its answer counts; the next is not asked.
            client.store(&slow.sign()).await;
            let asked = calls(&relay, hook).await;
            client
                .store(&author.draft(7000).content(&unique("next")).sign())
                .await;
            (calls(&relay, hook).await == asked).then_some(())
        })
        .await;
        assert!(health(&relay, "probe").await["faults"].as_u64() >= Some(1));
        relay.wait_for_log(0, "held its thread").await;
    }
}

#[tokio::test]
async fn e6_a_hook_that_is_skipped_for_holding_its_thread_hides_keeps_and_closes() {
    let (_relay, mut client) = start(&["deliver", "guard_removal", "request"], "").await;
    let author = Author::new();
    let slow = author.draft(7000).probe("deliver", "hang").sign();
    client.store(&slow).await;
    wait::until("deliver to hide since it is skipped", async || {
        let found = client.query(json!({"ids": [slow.id]})).await;
        found.is_empty().then_some(())
    })
    .await;
    let asked = json!({"kinds": [7000], "#x": ["request hang"]});
    wait::until("request to close since it is skipped", async || {
        let closed = client.ask(std::slice::from_ref(&asked)).await;
        (closed == Err(INTERNAL.to_owned())).then_some(())
    })
    .await;
    wait::until("guard_removal to keep since it is skipped", async || {
        let slow = author
            .draft(7001)
            .content(&unique("slow"))
            .probe("guard_removal", "hang");
        let next = author.draft(7001).content(&unique("next")).sign();
        for event in [slow.sign(), next.clone()] {
            client.store(&event).await;
            client
                .store(&author.deletion([["e", &event.id.to_hex()]]))
                .await;
        }
        // A duplicate is accepted, what was deleted is not.
        client.publish(&next).await.accepted.then_some(())
    })
    .await;
}

#[tokio::test]
async fn e6_a_stored_hook_that_hangs_holds_up_nobody_else() {
    let (relay, mut client) = start(&["stored", "deliver"], "timeout_ms = 200").await;
    let author = Author::new();
    let event = author.draft(7000).probe("stored", "hang").sign();
    client.store(&event).await;
    wait::until("a fault", async || {
        let faults = health(&relay, "probe").await["faults"].as_u64();
        (faults >= Some(1)).then_some(())
    })
    .await;
    assert_eq!(client.query(json!({"kinds": [7000]})).await, [event]);
    let (status, _) = relay.stop().await;
    assert!(status.success());
}

#[tokio::test]
async fn e6_a_commit_hook_that_publishes_gets_an_error_and_holds_nobody_up() {
    let (relay, mut client) = start(&["commit"], "on_fault = \"open\"").await;
    let author = Author::new();
    client
        .store(
            &author
                .draft(7000)
                .probe("commit", "publish_blocking")
                .sign(),
        )
        .await;
    let told = probe::changes(&relay).await;
    assert_eq!(told, ["error: a commit hook cannot publish"]);
    client.store(&author.draft(7000).sign()).await;
}

#[tokio::test]
async fn e6_an_extension_that_hangs_at_the_end_does_not_keep_the_relay() {
    let config = probe::table(&[], "always = { shutdown = \"hang\" }");
    let relay = trellis_probe!().config(&config).start().await;
    let mut client = Client::connect(&relay).await;
    let note = Author::new().note("stored before the end");
    client.store(&note).await;
    let from = relay.log().len();
    let (status, log) = relay.stop_with_log().await;
    assert!(status.success(), "{status}");
    assert!(log[from..].contains("did not end in time"), "{log}");
}

#[tokio::test]
async fn e6_a_hook_that_hangs_does_not_keep_the_relay_from_stopping() {
    let relay = trellis_probe!()
        .config(&probe::table(&["admit_async"], ""))
        .start()
        .await;
    let mut client = Client::connect(&relay).await;
    let event = Author::new()
        .draft(7000)
        .probe("admit_async", "hang")
        .sign();
    client.send_event(&event).await;
    wait_for_calls(&relay, "admit_async", 1).await;
    let (status, log) = relay.stop_with_log().await;
    assert!(status.success(), "{status}");
    assert!(
        !log.contains("panicked"),
        "being cut off is no panic: {log}"
    );
}
