//! E4: the commit sequence, followed from a durable cursor.

use crate::support::*;
use serde_json::json;
use std::sync::Arc;
use trellis_relay::extension::Health;
use trellis_relay::store::memory::MemoryStore;
use trellis_relay::store::{Cause, Write};

#[tokio::test]
async fn e4_stored_comes_in_commit_order_for_its_kinds() {
    let relay = start(GATE).await;
    relay
        .core
        .put(&[event(450, "1"), event(1, "note"), event(450, "2")]);
    let all = json!(["stored 1", "stored 2"]);
    until("both", async || relay.rpc("gate_seen").await == all).await;
    relay.core.put(&[event(450, "3")]);
    let all = json!(["stored 1", "stored 2", "stored 3"]);
    until("the third", async || relay.rpc("gate_seen").await == all).await;
    relay.host.shutdown().await;
}

#[tokio::test]
async fn e4_a_page_that_failed_comes_again_before_the_cursor_moves() {
    let relay = start(&format!("{GATE}fail_stored_once = true")).await;
    relay.core.put(&[event(450, "1")]);
    let twice = json!(["stored 1", "stored 1"]);
    until("again", async || relay.rpc("gate_seen").await == twice).await;
    until("the cursor", async || cursor(&relay) == Some(1)).await;
    assert_eq!(relay.status("gate").faults, 1);
    relay.host.shutdown().await;
}

#[tokio::test]
async fn e4_a_page_that_is_tried_again_shows_in_health() {
    let relay = start(&format!("{GATE}refuses_stored = true")).await;
    assert_eq!(relay.status("gate").health, Some(Health::Ok));
    relay.core.put(&[event(450, "1")]);
    let stuck = |health| matches!(health, Some(Health::Degraded(text)) if text.contains("stored"));
    until("it shows", async || stuck(relay.status("gate").health)).await;
    relay.rpc("gate_relents").await;
    let is_well = async || relay.status("gate").health == Some(Health::Ok);
    until("it is over", is_well).await;
    until("the cursor", async || cursor(&relay) == Some(1)).await;
    relay.host.shutdown().await;
}

#[tokio::test]
async fn e4_a_new_process_goes_on_where_the_last_one_was() {
    let store = Arc::new(MemoryStore::default());
    let relay = start_over(store.clone(), GATE).await;
    relay.core.put(&[event(450, "1")]);
    until("the cursor", async || cursor(&relay) == Some(1)).await;
    relay.host.shutdown().await;

    // Committed while nobody followed.
    let off = start_over(store.clone(), "").await;
    let gone = event(450, "2");
    off.core.put(&[gone.clone(), event(450, "3")]);
    let remove = Write::Remove(*gone.id(), Cause::Admin);
    off.core.commit(&[remove]).unwrap();
    off.host.shutdown().await;

    let relay = start_over(store, GATE).await;
    let all = json!(["stored 3", "removed 450"]);
    until("the rest", async || relay.rpc("gate_seen").await == all).await;
    relay.host.shutdown().await;
}

#[tokio::test]
async fn e4_what_the_log_has_lost_is_reported_as_a_gap() {
    let store = Arc::new(MemoryStore::with_removal_log(0));
    let off = start_over(store.clone(), "").await;
    let gone = event(450, "1");
    off.core.put(std::slice::from_ref(&gone));
    let remove = Write::Remove(*gone.id(), Cause::Admin);
    off.core.commit(&[remove]).unwrap();
    off.host.shutdown().await;
    let relay = start_over(store, GATE).await;
    until("the gap", async || {
        relay.rpc("gate_seen").await == json!(["gap"])
    })
    .await;
    relay.host.shutdown().await;
}

fn cursor(relay: &HookHarness) -> Option<u64> {
    let row = relay.core.row_of("gate@stored", b"0")?;
    Some(u64::from_be_bytes(row.try_into().unwrap()))
}
