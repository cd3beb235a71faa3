//! D4: the history after a restore.

use super::ground::Ground;
use trellis_qube_protocol::chain::{self, Entry};

#[tokio::test]
async fn d4_a_restored_relay_has_its_log_and_what_follows_from_it() {
    let ground = Ground::start("").await;
    for patch in 0..3 {
        ground.direct(1, "hqz", &format!("v1.0.{patch}")).await;
        ground.pass(1);
    }
    ground.direct(2, "hqz", "v1.0.2").await;
    ground.until_status("hqz", "1.0.2", "quorum").await;
    let quorum = "/networks/hqz/quorum";
    let report = ground.ack(100, 1, "hqz", "v1.0.2").sign();
    ground.client(100).await.store(&report).await;
    let fleet = "/networks/hqz/fleet";
    ground.until_items(fleet, |it| it.len() == 1).await;
    let before = ground.items("/audit").await;
    let follows = ground.items(quorum).await;
    let backup = ground.relay.back_up().await;
    assert_eq!(backup.places().len(), 0, "all of it is in rows");

    let relay = ground.relay.kill_and_restore(&backup).await;
    let ground = Ground { relay };
    ground.until_items(fleet, |it| it.len() == 1).await;
    ground.until_items(quorum, |it| it == follows).await;
    assert_eq!(ground.items("/audit").await, before);
    // The next entry is bound to the last one.
    ground.pass(1);
    ground.direct(1, "hqz", "v1.0.3").await;
    let exported = ground.get("/audit/export?section=log").await;
    let entries: Vec<Entry> = exported["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| serde_json::from_value(item.clone()).unwrap())
        .collect();
    assert_eq!(entries.len(), before.len() + 1);
    assert_eq!(chain::verify(&entries), Ok(()));
}
