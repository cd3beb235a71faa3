//! Reboots: all nodes begin anew from the same genesis, at the same time and not before.

use crate::ground::{Ground, QUORUM, sha256};
use crate::node::Node;
use trellis_test_support::{Event, now, wait};

const NET: &str = "testnet";

fn ids(nodes: &[Node]) -> Vec<&str> {
    nodes.iter().map(Node::id).collect()
}

/// The signals of a quorum for a reboot.
fn reboot(ground: &Ground, version: &str, url: &str, at_s: u64, genesis_hash: &str) -> Vec<Event> {
    let (version, at) = (format!("v{version}"), at_s.to_string());
    let program = sha256("the program");
    let tags: [&[&str]; 7] = [
        &["version", &version],
        &["hash", &program],
        &["network", NET],
        &["action", "reboot"],
        &["genesis_url", url],
        &["required_by", &at],
        &["genesis_hash", genesis_hash],
    ];
    (0..QUORUM).map(|one| ground.signal(one, &tags)).collect()
}

#[tokio::test]
async fn t2_a_reboot_is_prepared_early_and_done_at_the_deadline() {
    let ground = Ground::new(2, &[NET]).await;
    let nodes = ground.fleet(4, &[NET]).await;
    ground.files.put("/genesis.json", "new genesis");
    let at_s = now() + 20;
    let url = ground.files.url("/genesis.json");
    let votes = reboot(&ground, "1.1.0", &url, at_s, &sha256("new genesis"));
    ground.publish(&votes).await;
    for node in &nodes {
        node.until_logged("waits").await;
    }
    let early = nodes.iter().all(|node| node.commands(NET) == 0);
    assert!(early || now() >= at_s, "nobody begins before the deadline");
    for relay in &ground.relays {
        for report in ground.reports(relay, (NET, "1.1.0"), &ids(&nodes)).await {
            assert_eq!(report.outcome(), ("success", ""));
            assert_eq!(report.action, "reboot");
        }
    }
    assert!(now() >= at_s);
    for node in &nodes {
        assert_eq!(node.read(NET, "booted"), "new genesis");
        assert_eq!(node.commands(NET), 1);
    }
}

#[tokio::test]
async fn t2_a_genesis_of_another_hash_is_not_used() {
    let ground = Ground::new(1, &[NET]).await;
    let nodes = ground.fleet(2, &[NET]).await;
    ground.files.put("/genesis.json", "another genesis");
    let url = ground.files.url("/genesis.json");
    let votes = reboot(&ground, "1.1.0", &url, now() + 15, &sha256("new genesis"));
    ground.publish(&votes).await;
    let relay = &ground.relays[0];
    for report in ground.reports(relay, (NET, "1.1.0"), &ids(&nodes)).await {
        assert_eq!(report.status, "failure");
        assert!(report.error.contains("hash mismatch"), "{}", report.error);
    }
    for node in &nodes {
        assert_eq!(node.read(NET, "genesis.json"), "old");
        assert_eq!(node.commands(NET), 0);
    }
}

#[tokio::test]
async fn t2_a_genesis_that_makes_the_node_ill_is_taken_back() {
    let ground = Ground::new(1, &[NET]).await;
    let nodes = ground.fleet(2, &[NET]).await;
    ground.files.put("/genesis.json", "broken genesis");
    let url = ground.files.url("/genesis.json");
    let votes = reboot(
        &ground,
        "1.1.0",
        &url,
        now() + 15,
        &sha256("broken genesis"),
    );
    ground.publish(&votes).await;
    let relay = &ground.relays[0];
    for report in ground.reports(relay, (NET, "1.1.0"), &ids(&nodes)).await {
        assert_eq!(report.status, "failure");
        assert!(report.error.ends_with("; rolled back"), "{}", report.error);
    }
    for node in &nodes {
        wait::until_true("the old genesis", || node.read(NET, "booted") == "old").await;
        assert_eq!(node.commands(NET), 2);
    }
}

/// The genesis that a node has fetched before its time.
fn early_copy(node: &Node) -> Option<String> {
    let folder = node.file("data", "networks").join(NET);
    let mut names = std::fs::read_dir(folder).expect("the folder").flatten();
    let is_early = |name: &str| name.starts_with("genesis-") && !name.ends_with(".part");
    let early = names.find(|entry| is_early(&entry.file_name().to_string_lossy()))?;
    std::fs::read_to_string(early.path()).ok()
}

#[tokio::test]
async fn t2_a_reboot_needs_nobody_at_its_deadline() {
    let ground = Ground::new(1, &[NET]).await;
    let nodes = ground.fleet(2, &[NET]).await;
    ground.files.put("/genesis.json", "new genesis");
    let url = ground.files.url("/genesis.json");
    let at_s = now() + 20;
    let votes = reboot(&ground, "1.1.0", &url, at_s, &sha256("new genesis"));
    ground.publish(&votes).await;
    for node in &nodes {
        wait::until_some("the genesis before its time", || early_copy(node)).await;
    }
    assert!(now() < at_s, "early");
    ground.files.remove("/genesis.json");
    let relay = &ground.relays[0];
    for report in ground.reports(relay, (NET, "1.1.0"), &ids(&nodes)).await {
        assert_eq!(report.outcome(), ("success", ""));
    }
}

#[tokio::test]
async fn a5_a_genesis_without_a_signed_hash_is_fetched_at_the_deadline_and_not_before() {
    let ground = Ground::new(1, &[NET]).await;
    let nodes = ground.fleet(2, &[NET]).await;
    ground.files.put("/genesis.json", "a draft");
    let (url, at_s) = (ground.files.url("/genesis.json"), now() + 15);
    let (program, at) = (sha256("the program"), at_s.to_string());
    let tags: [&[&str]; 6] = [
        &["version", "v1.1.0"],
        &["hash", &program],
        &["network", NET],
        &["action", "reboot"],
        &["genesis_url", &url],
        &["required_by", &at],
    ];
    let votes: Vec<_> = (0..QUORUM).map(|one| ground.signal(one, &tags)).collect();
    ground.publish(&votes).await;
    for node in &nodes {
        node.until_logged("waits").await;
    }
    wait::until_true("some seconds before the deadline", || now() + 4 >= at_s).await;
    for node in &nodes {
        assert_eq!(early_copy(node), None);
    }
    ground.files.put("/genesis.json", "final");
    let relay = &ground.relays[0];
    ground.reports(relay, (NET, "1.1.0"), &ids(&nodes)).await;
    for node in &nodes {
        assert_eq!(node.read(NET, "booted"), "final");
    }
}
