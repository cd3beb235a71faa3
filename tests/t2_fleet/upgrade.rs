//! Upgrades of a whole fleet: what a quorum does, what fewer votes do not, and what becomes of those that cannot follow.

use crate::cable::Cable;
use crate::ground::{Ground, Report, sha256};
use crate::node::{FIRST, Node, Plan};
use std::collections::BTreeSet;
use std::fs;
use trellis_test_support::{Client, json, now, wait};

const NET: &str = "testnet";
const NODES: usize = 8;

fn ids(nodes: &[Node]) -> Vec<&str> {
    nodes.iter().map(Node::id).collect()
}

fn assert_success(reports: &[Report]) {
    for report in reports {
        assert_eq!(report.outcome(), ("success", ""), "{report:?}");
    }
}

/// Waits until every node has heard so many votes since its start.
async fn until_votes(nodes: &[Node], votes: usize) {
    for node in nodes {
        let heard = || node.log().matches(" a vote ").count() >= votes;
        wait::until_true(&format!("{votes} votes at {}", node.id()), heard).await;
    }
}

#[tokio::test]
async fn t2_three_of_five_upgrade_eight_nodes_and_two_do_not() {
    let ground = Ground::new(2, &[NET, "other"]).await;
    let nodes = ground.fleet(NODES, &[NET, "other"]).await;
    let hash = ground.offer("1.1.0");

    let votes = ground.upgrade(0..2, NET, ("1.1.0", &hash), &[]);
    ground.publish(&votes).await;
    until_votes(&nodes, 2).await;
    // Two votes are there for as long as a whole upgrade of the same nodes takes, by three votes that came later.
    let other = ground.offer("2.0.0");
    let others = ground.upgrade(0..3, "other", ("2.0.0", &other), &[]);
    ground.publish(&others).await;
    let done = ("other", "2.0.0");
    assert_success(&ground.reports(&ground.relays[0], done, &ids(&nodes)).await);
    for node in &nodes {
        assert_eq!((node.running(NET).as_str(), node.commands(NET)), (FIRST, 0));
        assert_eq!(node.votes(NET), 2);
    }

    let third = ground.upgrade(2..3, NET, ("1.1.0", &hash), &[]);
    ground.publish(&third).await;
    for relay in &ground.relays {
        let reports = ground.reports(relay, (NET, "1.1.0"), &ids(&nodes)).await;
        assert_success(&reports);
        let developer = ground.developers[0].pubkey();
        assert!(reports.iter().all(|report| report.developer == developer));
    }
    for node in &nodes {
        assert_eq!(node.running(NET), "1.1.0");
        assert_eq!(node.commands(NET), 1);
        assert!(node.ask(&["status"]).contains("success"));
    }
}

#[tokio::test]
async fn t2_nodes_that_may_go_back_do_and_the_others_refuse() {
    let ground = Ground::new(1, &[NET]).await;
    let mut nodes = Vec::new();
    for (number, upgrade) in ["allow_downgrade = true", "allow_downgrade = true", ""]
        .iter()
        .enumerate()
    {
        let mut plan = Plan::of(&ground, &format!("node-{number}"), &[NET]);
        plan.upgrade = (*upgrade).to_owned();
        nodes.push(Node::start(plan));
    }
    let relay = &ground.relays[0];
    let (old, new) = (ground.offer("1.0.1"), ground.offer("1.1.0"));
    for (version, hash) in [("1.0.1", &old), ("1.1.0", &new)] {
        let votes = ground.upgrade(0..3, NET, (version, hash), &[]);
        ground.publish(&votes).await;
        assert_success(&ground.reports(relay, (NET, version), &ids(&nodes)).await);
        // What is done within one second was done at the same time.
        let done_s = now();
        wait::until_true("the next second", || now() > done_s).await;
    }
    ground.date_as_of_now();
    let back = ground.upgrade(0..3, NET, ("1.0.1", &old), &[]);
    ground.publish(&back).await;
    for node in &nodes[..2] {
        wait::until_true("the way back", || node.running(NET) == "1.0.1").await;
        assert_eq!(node.commands(NET), 3);
    }
    let mut client = Client::connect(relay).await;
    let what = json!({"kinds": [3333]});
    wait::until("the refusal", async || {
        let reports = client.query(what.clone()).await;
        let refused = reports.iter().any(|report| {
            let report = json!(report).to_string();
            report.contains("node-2") && report.contains("downgrade")
        });
        refused.then_some(())
    })
    .await;
    let last = &nodes[2];
    assert_eq!(
        (last.running(NET).as_str(), last.commands(NET)),
        ("1.1.0", 2)
    );
}

#[tokio::test]
async fn t2_a_bad_hash_and_a_downgrade_change_nothing_and_are_reported_once() {
    let ground = Ground::new(1, &[NET]).await;
    let nodes = ground.fleet(3, &[NET]).await;
    let relay = &ground.relays[0];
    ground.offer("1.1.0");
    let wrong = sha256("another program");
    let votes = ground.upgrade(0..3, NET, ("1.1.0", &wrong), &[]);
    ground.publish(&votes).await;
    for report in ground.reports(relay, (NET, "1.1.0"), &ids(&nodes)).await {
        let (status, error) = report.outcome();
        assert_eq!(status, "failure");
        assert!(error.contains("hash mismatch"), "{error}");
    }
    let old = ground.offer("0.9.0");
    let votes = ground.upgrade(0..3, NET, ("0.9.0", &old), &[]);
    ground.publish(&votes).await;
    for report in ground.reports(relay, (NET, "0.9.0"), &ids(&nodes)).await {
        assert_eq!(report.status, "failure", "{report:?}");
    }
    for node in &nodes {
        assert_eq!((node.running(NET).as_str(), node.commands(NET)), (FIRST, 0));
        let staged = fs::read_dir(node.file(NET, "")).expect("the folder");
        let names = staged.flatten().map(|entry| entry.file_name());
        assert!(
            names
                .into_iter()
                .all(|name| !name.to_string_lossy().contains("staged"))
        );
    }
}

#[tokio::test]
async fn t2_a_node_that_fails_rolls_back_and_the_others_go_on() {
    let ground = Ground::new(1, &[NET]).await;
    let nodes = ground.fleet(4, &[NET]).await;
    // One whose program does not start, one that starts and is not well.
    fs::write(nodes[1].file(NET, "fails-1.1.0"), "").expect("written");
    fs::write(nodes[2].file(NET, "ill-1.1.0"), "").expect("written");
    let hash = ground.offer("1.1.0");
    let votes = ground.upgrade(0..3, NET, ("1.1.0", &hash), &[]);
    ground.publish(&votes).await;
    let reports = ground
        .reports(&ground.relays[0], (NET, "1.1.0"), &ids(&nodes))
        .await;
    for (node, report) in nodes.iter().zip(&reports) {
        let is_bad = ["node-1", "node-2"].contains(&node.id());
        let (status, error) = report.outcome();
        assert_eq!(status, if is_bad { "failure" } else { "success" });
        assert_eq!(error.ends_with("; rolled back"), is_bad, "{error}");
        assert_eq!(node.running(NET), if is_bad { FIRST } else { "1.1.0" });
        assert_eq!(node.commands(NET), if is_bad { 2 } else { 1 });
    }
}

#[tokio::test]
async fn t2_a_version_with_two_hashes_is_refused() {
    let ground = Ground::new(1, &[NET]).await;
    let nodes = ground.fleet(2, &[NET]).await;
    let hash = ground.offer("1.1.0");
    let other = sha256("what one developer was made to sign");
    ground
        .publish(&ground.upgrade(4..5, NET, ("1.1.0", &other), &[]))
        .await;
    ground
        .publish(&ground.upgrade(0..3, NET, ("1.1.0", &hash), &[]))
        .await;
    let relay = &ground.relays[0];
    for report in ground.reports(relay, (NET, "1.1.0"), &ids(&nodes)).await {
        assert_eq!(report.status, "failure", "{report:?}");
    }
    assert!(nodes.iter().all(|node| node.commands(NET) == 0));

    // The one developer takes it back, and what was refused for now is done.
    ground
        .publish(&ground.upgrade(4..5, NET, ("1.1.0", &hash), &[]))
        .await;
    for node in &nodes {
        let runs = || node.running(NET) == "1.1.0";
        wait::until_true("the upgrade after the conflict", runs).await;
    }
}

#[tokio::test]
async fn t2_a_relay_that_dies_half_way_loses_nothing() {
    let mut ground = Ground::new(2, &[NET]).await;
    let nodes = ground.fleet(4, &[NET]).await;
    let hash = ground.offer("1.1.0");
    let votes = ground.upgrade(0..3, NET, ("1.1.0", &hash), &[]);
    ground.publish(&votes[..2]).await;
    until_votes(&nodes, 2).await;
    let port = ground.relays[1].address().port();
    let setup = ground.relays.remove(1).kill();

    ground.publish(&votes[2..]).await;
    let reports = ground
        .reports(&ground.relays[0], (NET, "1.1.0"), &ids(&nodes))
        .await;
    assert_success(&reports);

    // It comes back, and gets every report that it missed.
    let setup = setup.env("TRELLIS_NETWORK__PORT", &port.to_string());
    let relay = setup.start().await;
    let again = ground.reports(&relay, (NET, "1.1.0"), &ids(&nodes)).await;
    assert_eq!(again, reports);
    assert!(nodes.iter().all(|node| node.commands(NET) == 1));
}

#[tokio::test]
async fn t2_a_node_that_was_cut_off_catches_up() {
    let ground = Ground::new(2, &[NET]).await;
    let mut nodes = ground.fleet(2, &[NET]).await;
    let cables = [
        Cable::to(ground.relays[0].address()).await,
        Cable::to(ground.relays[1].address()).await,
    ];
    let mut plan = Plan::of(&ground, "remote", &[NET]);
    plan.relays = cables.iter().map(Cable::ws_url).collect();
    let remote = Node::start(plan);
    remote.until_ready().await;
    let hash = ground.offer("1.1.0");
    let votes = ground.upgrade(0..3, NET, ("1.1.0", &hash), &[]);
    ground.publish(&votes[..1]).await;
    until_votes(std::slice::from_ref(&remote), 1).await;

    for cable in &cables {
        cable.cut();
    }
    ground.publish(&votes[1..]).await;
    let reports = ground
        .reports(&ground.relays[0], (NET, "1.1.0"), &ids(&nodes))
        .await;
    assert_success(&reports);
    assert_eq!(remote.running(NET), FIRST);

    for cable in &cables {
        cable.mend();
    }
    nodes.push(remote);
    for relay in &ground.relays {
        assert_success(&ground.reports(relay, (NET, "1.1.0"), &ids(&nodes)).await);
    }
}

/// The bucket as the specification of the tag has it.
fn bucket(version: &str, hash: &str, node_id: &str) -> u64 {
    use sha2::{Digest as _, Sha256};
    let key = json!(["upgrade", version, hash, NET, "", ""]).to_string();
    let key = Sha256::digest(key.as_bytes());
    let hash = Sha256::new()
        .chain_update(key)
        .chain_update(node_id)
        .finalize();
    let number = hash.iter().take(8);
    number.fold(0_u64, |number, byte| number << 8 | u64::from(*byte)) % 100
}

/// So many percent that some of the nodes are below and some are not, and those that are.
fn half<'a>(nodes: &'a [Node], hash: &str) -> (String, Vec<&'a str>) {
    let mut buckets: Vec<(u64, &str)> = nodes
        .iter()
        .map(|node| (bucket("1.1.0", hash, node.id()), node.id()))
        .collect();
    buckets.sort_unstable();
    let percent = buckets[nodes.len() / 2 - 1].0 + 1;
    let below = buckets.iter().filter(|(bucket, _)| *bucket < percent);
    (percent.to_string(), below.map(|(_, id)| *id).collect())
}

#[tokio::test]
async fn a7_a_rollout_stops_where_those_before_failed() {
    let ground = Ground::new(1, &[NET]).await;
    let nodes = ground.fleet(NODES, &[NET]).await;
    let hash = ground.offer("1.1.0");
    let (percent, first) = half(&nodes, &hash);
    let relay = &ground.relays[0];
    for node in nodes.iter().filter(|node| first.contains(&node.id())) {
        fs::write(node.file(NET, "ill-1.1.0"), "").expect("written");
    }
    let stage = ground.upgrade(0..3, NET, ("1.1.0", &hash), &[&["rollout", &percent, "0"]]);
    ground.publish(&stage).await;
    for report in ground.reports(relay, (NET, "1.1.0"), &first).await {
        assert_eq!(report.status, "failure", "{report:?}");
    }
    let rest = ground.upgrade(0..3, NET, ("1.1.0", &hash), &[&["rollout", "100"]]);
    ground.publish(&rest).await;
    for node in nodes.iter().filter(|node| !first.contains(&node.id())) {
        node.until_logged("nodes before it have succeeded").await;
        assert_eq!(node.commands(NET), 0);
    }
}

#[tokio::test]
async fn t2_a_staged_rollout_takes_the_nodes_in_stages() {
    let ground = Ground::new(1, &[NET]).await;
    let nodes = ground.fleet(NODES, &[NET]).await;
    let hash = ground.offer("1.1.0");
    let (percent, first) = half(&nodes, &hash);
    let relay = &ground.relays[0];
    let stage = ground.upgrade(0..3, NET, ("1.1.0", &hash), &[&["rollout", &percent]]);
    ground.publish(&stage).await;
    assert_success(&ground.reports(relay, (NET, "1.1.0"), &first).await);
    let later: BTreeSet<&str> = ids(&nodes)
        .into_iter()
        .filter(|id| !first.contains(id))
        .collect();
    for node in nodes.iter().filter(|node| later.contains(node.id())) {
        node.until_logged("waits").await;
        assert_eq!(node.commands(NET), 0);
    }

    let rest = ground.upgrade(0..3, NET, ("1.1.0", &hash), &[&["rollout", "100"]]);
    ground.publish(&rest).await;
    assert_success(&ground.reports(relay, (NET, "1.1.0"), &ids(&nodes)).await);
    assert!(nodes.iter().all(|node| node.commands(NET) == 1));
}

#[tokio::test]
async fn t2_two_networks_at_once_are_two_fleets() {
    let networks = ["mainnet", NET];
    let ground = Ground::new(2, &networks).await;
    let nodes = ground.fleet(4, &networks).await;
    let (one, two) = (ground.offer("2.0.0"), ground.offer("3.0.0"));
    // The same developers, who have one address: a vote on one network leaves the other's standing.
    let main = ground.upgrade(0..2, "mainnet", ("2.0.0", &one), &[]);
    let test = ground.upgrade(0..3, NET, ("3.0.0", &two), &[]);
    ground.publish(&main).await;
    until_votes(&nodes, 2).await;
    ground.publish(&test).await;
    let relay = &ground.relays[0];
    assert_success(&ground.reports(relay, (NET, "3.0.0"), &ids(&nodes)).await);
    for node in &nodes {
        assert_eq!(node.running(NET), "3.0.0");
        assert_eq!(node.commands("mainnet"), 0, "two votes are no quorum");
    }
    let main = ground.upgrade(2..3, "mainnet", ("2.0.0", &one), &[]);
    ground.publish(&main).await;
    assert_success(
        &ground
            .reports(relay, ("mainnet", "2.0.0"), &ids(&nodes))
            .await,
    );
    assert!(nodes.iter().all(|node| node.running(NET) == "3.0.0"));
}
