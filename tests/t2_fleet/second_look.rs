//! What keeps a node from doing what was decided: that it has heard nobody yet, that it was called off meanwhile, or that its
//! operator only wants to look.

use crate::cable::Cable;
use crate::ground::Ground;
use crate::node::{FIRST, Node, Plan};
use trellis_test_support::{Client, json, wait};

const NET: &str = "testnet";

#[tokio::test]
async fn a2_what_was_kept_is_not_done_before_a_relay_has_told_what_is_signed_now() {
    let ground = Ground::new(1, &[NET]).await;
    let cable = Cable::to(ground.relays[0].address()).await;
    let mut plan = Plan::of(&ground, "node-0", &[NET]);
    plan.relays = vec![cable.ws_url()];
    plan.top = "dry_run = true".to_owned();
    let mut node = Node::start(plan);
    let hash = ground.offer("1.1.0");
    let votes = ground.upgrade(0..3, NET, ("1.1.0", &hash), &[]);
    ground.publish(&votes).await;
    node.until_logged("dry run: would do upgrade 1.1.0").await;
    node.end();
    // The votes are kept here; that they were called off is not known here.
    cable.cut();
    let hash = ground.offer("1.2.0");
    let votes = ground.upgrade(0..3, NET, ("1.2.0", &hash), &[]);
    ground.publish(&votes).await;
    node.reconfigure("");
    node.restart();
    node.until_logged("no relay has told what is signed").await;
    assert_eq!(node.commands(NET), 0);
    cable.mend();
    let relay = &ground.relays[0];
    ground.reports(relay, (NET, "1.2.0"), &["node-0"]).await;
    assert_eq!(node.commands(NET), 1, "only what is signed now");
    ground.reports(relay, (NET, "1.1.0"), &[]).await;
}

#[tokio::test]
async fn a3_what_is_called_off_while_its_file_comes_is_not_done() {
    let ground = Ground::new(1, &[NET]).await;
    let mut plan = Plan::of(&ground, "observer", &[NET]);
    plan.top = "dry_run = true".to_owned();
    let observer = Node::start(plan);
    let node = ground.fleet(1, &[NET]).await.remove(0);
    observer.until_ready().await;
    let bad = ground.offer("1.1.0");
    ground.files.hold("/node/1.1.0");
    let votes = ground.upgrade(0..3, NET, ("1.1.0", &bad), &[]);
    ground.publish(&votes).await;
    node.until_logged("acting").await;
    let good = ground.offer("1.2.0");
    let votes = ground.upgrade(0..3, NET, ("1.2.0", &good), &[]);
    ground.publish(&votes).await;
    // What one agent has heard the other has as well.
    observer.until_logged("would do upgrade 1.2.0").await;
    ground.files.let_go("/node/1.1.0");
    let relay = &ground.relays[0];
    ground.reports(relay, (NET, "1.2.0"), &["node-0"]).await;
    node.until_logged("called off while its file came").await;
    assert_eq!(
        (node.running(NET).as_str(), node.commands(NET)),
        ("1.2.0", 1)
    );
    ground.reports(relay, (NET, "1.1.0"), &[]).await;
}

#[tokio::test]
async fn a4_a_file_that_does_not_come_is_not_tried_for_once_something_else_is_agreed_on() {
    let ground = Ground::new(1, &[NET]).await;
    let mut plan = Plan::of(&ground, "node-0", &[NET]);
    plan.fetch_within = "24h".to_owned();
    let node = Node::start(plan);
    let missing = "ab".repeat(32);
    let votes = ground.upgrade(0..3, NET, ("1.1.0", &missing), &[]);
    ground.publish(&votes).await;
    node.until_logged("fetching again soon").await;
    let good = ground.offer("1.2.0");
    let votes = ground.upgrade(0..3, NET, ("1.2.0", &good), &[]);
    ground.publish(&votes).await;
    let relay = &ground.relays[0];
    ground.reports(relay, (NET, "1.2.0"), &["node-0"]).await;
    assert_eq!(node.running(NET), "1.2.0");
    ground.reports(relay, (NET, "1.1.0"), &[]).await;
}

#[tokio::test]
async fn a2_what_was_begun_is_not_done_when_it_was_called_off_while_the_agent_was_away() {
    let ground = Ground::new(1, &[NET]).await;
    let cable = Cable::to(ground.relays[0].address()).await;
    let mut plan = Plan::of(&ground, "node-0", &[NET]);
    plan.relays = vec![cable.ws_url()];
    // The file is there and has not taken its place.
    plan.crash = Some("after:3".to_owned());
    let mut node = Node::start(plan);
    let bad = ground.offer("1.1.0");
    let votes = ground.upgrade(0..3, NET, ("1.1.0", &bad), &[]);
    ground.publish(&votes).await;
    node.until_ended().await;
    let good = ground.offer("1.2.0");
    let votes = ground.upgrade(0..3, NET, ("1.2.0", &good), &[]);
    ground.publish(&votes).await;
    cable.cut();
    node.restart();
    node.until_logged("going on after an interruption").await;
    node.until_logged("no relay has told what is signed").await;
    assert_eq!(node.commands(NET), 0);
    cable.mend();
    let relay = &ground.relays[0];
    ground.reports(relay, (NET, "1.2.0"), &["node-0"]).await;
    assert_eq!(node.commands(NET), 1, "only what is signed now");
    ground.reports(relay, (NET, "1.1.0"), &[]).await;
}

#[tokio::test]
async fn a7_a_rollout_that_was_interrupted_looks_how_the_others_fared() {
    let ground = Ground::new(1, &[NET]).await;
    let mut plan = Plan::of(&ground, "node-0", &[NET]);
    plan.crash = Some("after:3".to_owned());
    let mut node = Node::start(plan);
    let hash = ground.offer("1.1.0");
    let all = ground.upgrade(0..3, NET, ("1.1.0", &hash), &[&["rollout", "100"]]);
    ground.publish(&all).await;
    node.until_ended().await;
    let other = Node::start(Plan::of(&ground, "node-1", &[NET]));
    std::fs::write(other.file(NET, "ill-1.1.0"), "").expect("written");
    let relay = &ground.relays[0];
    let reports = ground.reports(relay, (NET, "1.1.0"), &["node-1"]).await;
    assert_eq!(reports[0].status, "failure");
    node.restart();
    node.until_logged("nodes before it have succeeded").await;
    assert_eq!((node.running(NET).as_str(), node.commands(NET)), (FIRST, 0));
}

#[tokio::test]
async fn a8_a_dry_run_leaves_what_was_begun_as_it_is() {
    let ground = Ground::new(1, &[NET]).await;
    let mut plan = Plan::of(&ground, "node-0", &[NET]);
    // The file is there and has not taken its place.
    plan.crash = Some("after:3".to_owned());
    let mut node = Node::start(plan);
    let hash = ground.offer("1.1.0");
    let votes = ground.upgrade(0..3, NET, ("1.1.0", &hash), &[]);
    ground.publish(&votes).await;
    node.until_ended().await;
    node.reconfigure("dry_run = true");
    node.restart();
    node.until_logged("is unfinished and would go on now").await;
    // It has decided since.
    node.until_logged("dry run: would do upgrade 1.1.0").await;
    assert_eq!((node.running(NET).as_str(), node.commands(NET)), (FIRST, 0));
    assert!(node.ask(&["status"]).contains("unfinished"));
    let mut client = Client::connect(&ground.relays[0]).await;
    assert!(client.query(json!({"kinds": [3333]})).await.is_empty());
    node.reconfigure("");
    node.restart();
    wait::until_true("the upgrade", || node.running(NET) == "1.1.0").await;
    assert_eq!(node.commands(NET), 1);
}
