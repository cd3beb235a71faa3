//! A disk that is gone, a restart, and a place that fails for a while.

use crate::ground::{
    Place, assert_history, assert_whole, health, run, until_backed_up, until_snapshot,
    write_history,
};
use trellis_test_support::{Author, Client, http, json, wait};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d4_kill_9_and_an_empty_directory_lose_no_more_than_the_interval() {
    let place = Place::directory();
    let relay = place.relay("").start().await;
    until_snapshot(&relay).await;
    let history = write_history(&relay).await;
    let author = Author::new();
    let notes = author.notes(3_000);
    let mut client = Client::connect(&relay).await;
    client.store_all(&notes).await;
    until_backed_up(&relay).await;
    // Within the interval these may be lost, and those before may not.
    client.send_event(&author.note("perhaps")).await;
    relay.kill();

    let relay = place.relay("").start().await;
    assert!(relay.log().contains("restored"), "{}", relay.log());
    assert_history(&relay, &history).await;
    let mut client = Client::connect(&relay).await;
    let found = client.query(json!({"authors": [author.pubkey()]})).await;
    assert!(
        found.len() >= notes.len(),
        "{} of {}",
        found.len(),
        notes.len()
    );
    for note in &notes {
        assert!(found.contains(note));
    }
    // It takes events, and is backed up in its turn.
    client.store(&author.note("after")).await;
    until_backed_up(&relay).await;
    let setup = relay.kill();
    assert_whole(&setup).await;
    let relay = place.relay("").start().await;
    let mut client = Client::connect(&relay).await;
    let after = client
        .query(json!({"authors": [author.pubkey()], "limit": 1}))
        .await;
    assert_eq!(after[0].content, "after");
    assert_history(&relay, &history).await;
}

#[tokio::test]
async fn d4_a_restart_on_the_same_disk_goes_on_and_a_stop_loses_nothing() {
    let place = Place::directory();
    let author = Author::new();
    let mut setup = place.relay("");
    let mut stored = Vec::new();
    for round in 0..3 {
        let relay = setup.start().await;
        let mut client = Client::connect(&relay).await;
        let note = author.note(&format!("round {round}"));
        client.store(&note).await;
        stored.push(note);
        // At once, before the next interval.
        let (status, after) = relay.stop().await;
        assert!(status.success());
        setup = after;
    }
    // One history, and it has ended.
    assert_eq!(place.files("lineage.json").len(), 1);
    assert_eq!(place.files("ended.json").len(), 1);
    let verified = run(&setup, &["verify", "--signatures"]).await;
    verified.assert_success();
    let relay = place.relay("").start().await;
    let mut client = Client::connect(&relay).await;
    let found = client.query(json!({"authors": [author.pubkey()]})).await;
    for note in &stored {
        assert!(found.contains(note), "{}", note.content);
    }
}

#[tokio::test]
async fn d4_a_place_that_fails_is_shown_and_tried_again() {
    let place = Place::directory();
    let relay = place.relay("[metrics]\nenabled = true").start().await;
    until_snapshot(&relay).await;
    let moved = place.path().with_extension("moved");
    std::fs::rename(place.path(), &moved).expect("rename");
    std::fs::write(place.path(), "in the way").expect("write");
    let author = Author::new();
    let note = author.note("meanwhile");
    Client::connect(&relay).await.store(&note).await;
    wait::until("a failure to be shown", async || {
        let health = health(&relay).await;
        (health["status"] == "degraded").then_some(())
    })
    .await;
    let metrics = http::get(&relay, "/metrics", &[]).await.body;
    assert!(
        metrics.contains("trellis_backup_failures_total"),
        "{metrics}"
    );
    // Clients are none the wiser.
    assert_eq!(http::get(&relay, "/health", &[]).await.status, 200);
    std::fs::remove_file(place.path()).expect("remove");
    std::fs::rename(&moved, place.path()).expect("rename");
    wait::until("all to be well", async || {
        let health = health(&relay).await;
        (health["status"] == "ok").then_some(())
    })
    .await;
    until_backed_up(&relay).await;
    relay.kill();
    let relay = place.relay("").start().await;
    let mut client = Client::connect(&relay).await;
    assert_eq!(client.query(json!({"kinds": [1]})).await, [note]);
}
