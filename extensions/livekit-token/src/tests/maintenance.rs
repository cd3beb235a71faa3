//! Maintenance: no new calls, and those that go on may be joined until the deadline.

use super::ground::{Ground, assert_fails};
use std::time::Duration;
use trellis_relay::testing::START_S;

#[tokio::test]
async fn l14_running_calls_may_be_joined_until_the_deadline() {
    let mut ground = Ground::start().await;
    let alice = ground.author(1);
    let running = ground.call().await;
    let new = alice.draft(1020).tag(["h", "pizza"]).content("new").sign();
    ground.store([&new]).await;
    assert_eq!(ground.join(1, &running).await.status, 200);

    let table = format!(
        "maintenance = true\nmaintenance_deadline = {}",
        START_S + 60
    );
    ground.reconfigure(&table, "").await;
    assert_fails(&ground.join(1, &new).await, 503, "MAINTENANCE");
    assert_eq!(ground.join(2, &running).await.status, 200);
    ground.relay.clock().advance(Duration::from_secs(60));
    assert_fails(&ground.join(3, &running).await, 503, "MAINTENANCE");

    ground.reconfigure("", "").await;
    assert_eq!(ground.join(1, &new).await.status, 200);
}

#[tokio::test]
async fn l14_the_relays_own_maintenance_counts() {
    let mut ground = Ground::start().await;
    let alice = ground.author(1);
    let running = ground.call().await;
    let new = alice.draft(1020).tag(["h", "pizza"]).content("new").sign();
    ground.store([&new]).await;
    assert_eq!(ground.join(1, &running).await.status, 200);
    ground
        .reconfigure(
            "",
            "[operation]\nmode = 'maintenance'\ndrain_timeout = '1m'\n",
        )
        .await;
    assert_fails(&ground.join(1, &new).await, 503, "MAINTENANCE");
    assert_eq!(ground.join(2, &running).await.status, 200);
    ground.relay.clock().advance(Duration::from_secs(61));
    assert_fails(&ground.join(3, &running).await, 503, "MAINTENANCE");
}
