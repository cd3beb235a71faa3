//! E5: an extension is asked before an event that it guards goes, whatever takes it away.

use trellis_test_support::probe::{self, calls, rows, wait_for_change};
use trellis_test_support::{Author, Client, Event, Relay, http, json, now, trellis_probe, wait};

async fn start(hooks: &[&str]) -> (Relay, Client) {
    let relay = trellis_probe!()
        .config(&probe::table(hooks, ""))
        .start()
        .await;
    let client = Client::connect(&relay).await;
    (relay, client)
}

#[tokio::test]
async fn e5_a_guarded_event_survives_its_deletion() {
    let (relay, mut client) = start(&["guard_removal", "stored"]).await;
    let author = Author::new();
    let kept = author.draft(7000).probe("guard_removal", "no").sign();
    let gone = author.draft(7000).sign();
    client.store(&kept).await;
    client.store(&gone).await;
    let (kept_id, gone_id) = (kept.id.to_hex(), gone.id.to_hex());
    let deletion = author.deletion([["e", &kept_id], ["e", &gone_id]]);
    client.store(&deletion).await;
    assert_eq!(
        client.query(json!({"kinds": [7000]})).await,
        std::slice::from_ref(&kept)
    );
    assert_eq!(calls(&relay, "guard_removal").await, 2);
    wait_for_change(&relay, &format!("removed {gone_id}")).await;
    let removed = format!("removed {kept_id}");
    assert!(!probe::changes(&relay).await.contains(&removed));
    // What was kept left no tombstone either.
    let (_, setup) = relay.stop().await;
    let relay = setup.start().await;
    let mut client = Client::connect(&relay).await;
    let verdict = client.publish(&kept).await;
    assert!(
        verdict.accepted && verdict.message.starts_with("duplicate:"),
        "{verdict:?}"
    );
    client
        .publish(&gone)
        .await
        .assert_refused("blocked:", "deleted");
}

#[tokio::test]
async fn e5_a_guarded_version_is_not_replaced() {
    let (relay, mut client) = start(&["guard_removal", "commit"]).await;
    let author = Author::new();
    let old = author
        .draft(10_000)
        .at(1_700_000_000)
        .probe("guard_removal", "no")
        .sign();
    let new = author.draft(10_000).at(1_700_000_001).sign();
    client.store(&old).await;
    client
        .publish(&new)
        .await
        .assert_refused("blocked:", "must be kept");
    assert_eq!(
        client.query(json!({"kinds": [10_000]})).await,
        std::slice::from_ref(&old)
    );
    assert_eq!(
        rows(&relay).await,
        [old.id.to_hex()],
        "the refused one left no row"
    );
    // Without its guard it goes like any other.
    let first = author.draft(10_001).at(1_700_000_000).sign();
    let second = author.draft(10_001).at(1_700_000_001).sign();
    client.store(&first).await;
    client.store(&second).await;
    assert_eq!(client.query(json!({"kinds": [10_001]})).await, [second]);
}

#[tokio::test]
async fn e5_a_guarded_event_outlives_its_expiration() {
    let (_relay, mut client) = start(&["guard_removal"]).await;
    let author = Author::new();
    let soon = (now() + 6).to_string();
    let draft = |content: &str| {
        author
            .draft(7000)
            .content(content)
            .tag(&["expiration", &soon])
    };
    let kept = draft("kept").probe("guard_removal", "no").sign();
    let gone = draft("gone").sign();
    client.store(&kept).await;
    client.store(&gone).await;
    wait::until("the end of the other", async || {
        let found = client.query(json!({"kinds": [7000]})).await;
        (found == std::slice::from_ref(&kept)).then_some(())
    })
    .await;
    let count = client
        .count(&[json!({"kinds": [7000]})])
        .await
        .expect("a count");
    assert_eq!(count["count"], 1);
}

#[tokio::test]
async fn e5_a_guard_at_fault_keeps() {
    for action in ["panic", "error"] {
        let (_relay, mut client) = start(&["guard_removal"]).await;
        let author = Author::new();
        let kept = author.draft(7000).probe("guard_removal", action).sign();
        client.store(&kept).await;
        let deletion = author.deletion([["e", &kept.id.to_hex()]]);
        client.store(&deletion).await;
        assert_eq!(
            client.query(json!({"kinds": [7000]})).await,
            [kept],
            "{action}"
        );
    }
}

#[tokio::test]
async fn e5_a_guard_is_asked_whatever_cause_another_names() {
    let (relay, mut client) = start(&["guard_removal"]).await;
    let author = Author::new();
    let kept = author.draft(7000).probe("guard_removal", "no").sign();
    client.store(&kept).await;
    for cause in ["admin", "retention", "expiry"] {
        let path = |event: &Event| format!("/probe/remove/{}/{cause}", event.id);
        let gone = author.draft(7000).content(cause).sign();
        client.store(&gone).await;
        let removed = http::send(&relay, "POST", &path(&gone), &[]).await;
        assert_eq!(removed.json(), json!(true), "{cause}");
        let removed = http::send(&relay, "POST", &path(&kept), &[]).await;
        assert_eq!(removed.json(), json!(false), "{cause}");
        assert_eq!(
            client.query(json!({"kinds": [7000]})).await,
            std::slice::from_ref(&kept),
            "{cause}"
        );
    }
}
