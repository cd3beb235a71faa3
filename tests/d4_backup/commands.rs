//! What an operator does by hand: a point in time, lists, and what is damaged.

use crate::ground::{Place, assert_whole, health, run, until_backed_up, until_snapshot};
use serde_json::Value;
use trellis_test_support::{Author, Client, json, trellis, wait};

#[tokio::test]
async fn d4_a_point_in_time_is_restored_by_hand() {
    let place = Place::directory();
    let relay = place.relay("").start().await;
    until_snapshot(&relay).await;
    let author = Author::new();
    let mut client = Client::connect(&relay).await;
    let before = author.note("before");
    client.store(&before).await;
    until_backed_up(&relay).await;
    let then = trellis_test_support::now() + 1;
    wait::until("another second", async || {
        (trellis_test_support::now() > then).then_some(())
    })
    .await;
    client
        .store(&author.deletion([["e", &before.id.to_hex()]]))
        .await;
    until_backed_up(&relay).await;
    let running = relay.setup().clone();
    // Nothing is restored over anything, and the relay that runs is not disturbed.
    let refused = run(&running, &["restore"]).await;
    refused.assert_failure(&[]);
    let setup = place.relay("");
    let restored = run(&setup, &["restore", "--until", &then.to_string()]).await;
    restored.assert_success();
    assert_whole(&setup).await;
    assert_eq!(health(&relay).await["status"], "ok");
    drop(relay);
    let relay = setup.start().await;
    let mut client = Client::connect(&relay).await;
    let found = client.query(json!({"authors": [author.pubkey()]})).await;
    assert_eq!(found, [before]);
}

#[tokio::test]
async fn d4_commands_tell_what_is_there_and_what_is_damaged() {
    let place = Place::directory();
    let relay = place.relay("").start().await;
    until_snapshot(&relay).await;
    let author = Author::new();
    Client::connect(&relay)
        .await
        .store(&author.note("one"))
        .await;
    until_backed_up(&relay).await;
    let setup = relay.setup().clone();
    let anew = run(&setup, &["now", "--snapshot"]).await;
    assert!(
        anew.assert_success().stdout.contains("anew"),
        "{}",
        anew.stdout
    );
    let listed = run(&setup, &["list", "--json"]).await;
    let listed: Value = serde_json::from_str(&listed.assert_success().stdout).expect("JSON");
    assert_eq!(listed[0]["is_head"], true);
    assert_eq!(listed[0]["snapshots"].as_array().map(Vec::len), Some(2));
    let listed = run(&setup, &["list"]).await;
    assert!(listed.assert_success().stdout.contains("written now"));
    run(&setup, &["verify", "--signatures"])
        .await
        .assert_success();
    let segment = place.files(".jsonl.gz").pop().expect("a segment");
    let mut bytes = std::fs::read(&segment).expect("read");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&segment, bytes).expect("write");
    let verified = run(&setup, &["verify"]).await;
    assert_eq!(verified.code, Some(1));
    assert!(verified.stdout.contains("hash"), "{}", verified.text());
    let without = trellis!();
    let wrong = run(&without, &["list"]).await;
    assert_eq!(wrong.code, Some(2), "{}", wrong.text());
}
