//! Floods and lies.

use super::ground::{Ground, STRANGER};
use trellis_relay::testing::{json, until};

#[tokio::test]
async fn q4_a_flood_of_nodes_ends_at_the_bound() {
    let ground = Ground::start("max_nodes = 20\nmax_node_ids_per_pubkey = 3").await;
    ground.direct(1, "hqz", "v1.0.0").await;
    ground.direct(2, "hqz", "v1.0.0").await;
    ground.until_status("hqz", "1.0.0", "quorum").await;
    let mut client = ground.relay.connect().await;
    // One key with many names.
    let mut accepted = 0;
    for number in 0..10 {
        let name = format!("one-{number}");
        let report = ground.ack_of(100, &name, 1, "hqz", "v1.0.0").sign();
        accepted += usize::from(client.publish(&report).await.is_accepted());
        if accepted > 0 {
            ground
                .until_items("/networks/hqz/fleet", |it| it.len() >= accepted.min(3))
                .await;
        }
    }
    assert_eq!(accepted, 3);
    // Many keys.
    for number in 200..240 {
        let report = ground.ack(number, 1, "hqz", "v1.0.0").sign();
        client.publish(&report).await;
    }
    let fleet = ground
        .until_items("/networks/hqz/fleet", |it| it.len() == 20)
        .await;
    assert_eq!(fleet.len(), 20);
    let refused = client
        .publish(&ground.ack(300, 1, "hqz", "v1.0.0").sign())
        .await;
    assert!(
        refused.reason().starts_with("restricted: "),
        "{}",
        refused.reason()
    );
    // Those that are known go on.
    ground.pass(1);
    client
        .store(&ground.ack(200, 1, "hqz", "v1.0.0").sign())
        .await;
}

#[tokio::test]
async fn q3_odd_tags_and_times_do_no_harm() {
    let ground = Ground::start("").await;
    let mut client = ground.client(1).await;
    let whole = || ground.upgrade(1, "hqz", "v1.0.0");
    let many = (0..100).fold(whole(), |draft, _| draft.tag(["x", "y"]));
    let long = whole().tag(["rollout", &"9".repeat(10_000)]);
    let far = whole().at(ground.now_s() + 100_000_000);
    let bare = whole().tag(["hash"]);
    for wrong in [many, long, far, bare] {
        let refused = client.publish(&wrong.sign()).await;
        assert!(!refused.is_accepted());
    }
    let report = || ground.ack(100, 1, "hqz", "v1.0.0");
    let far = ground
        .ack_of(100, "n", 1, "hqz", "v1.0.0")
        .at(ground.now_s() + 100_000_000);
    let turned = ground.ack_of(100, "evil\u{202e}", 1, "hqz", "v1.0.0");
    for wrong in [
        report().tag(["status", "failure"]),
        report().tag(["node_id", "other"]),
        report().tag(["action_at", "1"]),
        far,
        turned,
    ] {
        let refused = client.publish(&wrong.sign()).await;
        assert!(!refused.is_accepted());
    }
    assert_eq!(
        client.query(json!({"kinds": [33_321, 3_333]})).await,
        Ok(vec![])
    );
    assert!(ground.items("/networks/hqz/fleet").await.is_empty());
}

#[tokio::test]
async fn q14_attempts_of_strangers_are_counted_once_each() {
    let ground = Ground::start("").await;
    // A search is drawn anew each time.
    let path = "/qube?network=hqz&q=nobody";
    let page = async || ground.relay.get(path).await.text();
    let event = ground.upgrade(STRANGER, "hqz", "v1.0.0").sign();
    let mut client = ground.relay.connect().await;
    let refused = client.publish(&event).await;
    assert!(refused.reason().starts_with("auth-required: "));
    client.login(&ground.author(STRANGER)).await;
    for _ in 0..3 {
        let refused = client.publish(&event).await;
        assert!(refused.reason().starts_with("restricted: "));
    }
    until("the attempt is told", async || {
        page().await.contains("who directs nothing there")
    })
    .await;
    assert!(!page().await.contains("attempts so far"), "it is one");
    let another = ground.upgrade(STRANGER, "hqz", "v1.0.1").sign();
    assert!(!client.publish(&another).await.is_accepted());
    until("the other one is told", async || {
        page().await.contains("attempts so far")
    })
    .await;
    assert!(page().await.contains("; 2 attempts so far"));
}

#[tokio::test]
async fn q2_a_developer_directs_so_often_and_no_more() {
    let ground = Ground::start("directives_per_hour = 2").await;
    let mut client = ground.client(1).await;
    for patch in 0..2 {
        ground.pass(1);
        let event = ground.upgrade(1, "hqz", &format!("v1.0.{patch}")).sign();
        client.store(&event).await;
    }
    ground.pass(1);
    let event = ground.upgrade(1, "hqz", "v1.0.2").sign();
    let refused = client.publish(&event).await;
    assert!(
        refused.reason().starts_with("rate-limited: "),
        "{}",
        refused.reason()
    );
}
