//! What follows from directives and reports (Q8 to Q11).

use super::ground::{Ground, HASH, OTHER_HASH, table, upgrade};
use trellis_relay::testing::{json, until};

#[tokio::test]
async fn q8_a_vote_elsewhere_withdraws_a_vote_only_where_the_operator_wants_it() {
    for (scope, status, votes) in [("network", "quorum", 2), ("address", "superseded", 1)] {
        let ground = Ground::start(&format!("vote_scope = '{scope}'")).await;
        ground.direct(1, "hqz", "v1.0.0").await;
        ground.direct(2, "hqz", "v1.0.0").await;
        ground.until_status("hqz", "1.0.0", "quorum").await;
        ground.pass(5);
        // The same address, another network.
        ground.direct(1, "testnet", "v2.0.0").await;
        ground.until_status("testnet", "2.0.0", "proposed").await;
        let action = ground.until_status("hqz", "1.0.0", status).await;
        assert_eq!(
            action["votes"].as_array().map(Vec::len),
            Some(votes),
            "{scope}"
        );
        let standing = ground.items("/networks/hqz/signals").await;
        assert_eq!(standing.len(), votes, "{scope}");
    }
}

#[tokio::test]
async fn q9_quorum_then_completion() {
    let ground = Ground::start("").await;
    ground.direct(1, "hqz", "v1.0.0").await;
    ground.until_status("hqz", "1.0.0", "proposed").await;
    ground.pass(30);
    ground.direct(3, "hqz", "1.0.0").await;
    let action = ground.until_status("hqz", "1.0.0", "quorum").await;
    assert_eq!(action["quorum_at"], ground.now_s());
    ground.pass(10);
    let mut node = ground.relay.connect().await;
    node.store(&ground.ack(100, 1, "hqz", "v1.0.0").sign())
        .await;
    let action = ground.until_status("hqz", "1.0.0", "completed").await;
    assert_eq!(
        (&action["success"], &action["failure"]),
        (&json!(1), &json!(0))
    );

    let key = action["key"].as_str().unwrap();
    let one = ground.get(&format!("/actions/{key}")).await;
    assert_eq!(one["reports"][0]["node_id"], "node-100");
    let report = ground.items("/networks/hqz/report").await;
    assert_eq!(report[0]["quorum_after_s"], 30);
    assert_eq!(report[0]["success_percent"], 100);
    let fleet = ground.items("/networks/hqz/fleet").await;
    assert_eq!(fleet[0]["version"], "1.0.0");
    let network = ground.get("/networks/hqz").await;
    assert_eq!(network["current"], key);
}

#[tokio::test]
async fn q9_two_versions_of_one_developer_in_one_second_are_one_vote() {
    let ground = Ground::start("").await;
    let (a, b) = (
        ground.upgrade(1, "hqz", "v1.0.0").sign(),
        ground.upgrade(1, "hqz", "v2.0.0").sign(),
    );
    let (winner, loser) = match a.id() < b.id() {
        true => (&a, &b),
        false => (&b, &a),
    };
    let mut client = ground.client(1).await;
    // The one that does not count comes first, and is replaced.
    client.store(loser).await;
    client.store(winner).await;
    let standing = ground
        .until_items("/networks/hqz/signals", |it| {
            it.first()
                .is_some_and(|it| it["id"] == winner.id().to_hex())
        })
        .await;
    assert_eq!(standing.len(), 1);
    let votes: usize = ground
        .items("/networks/hqz/quorum")
        .await
        .iter()
        .map(|it| it["votes"].as_array().map_or(0, Vec::len))
        .sum();
    assert_eq!(votes, 1);
}

#[tokio::test]
async fn q10_one_version_with_two_hashes_is_shown() {
    let ground = Ground::start("").await;
    ground.direct(1, "hqz", "v1.0.0").await;
    let other = upgrade(&ground.author(2), "hqz", "v1.0.0", OTHER_HASH).sign();
    ground.client(2).await.store(&other).await;
    until("the conflict", async || {
        let network = ground.get("/networks/hqz").await;
        let hashes = &network["conflicts"][0]["hashes"];
        hashes.get(HASH).is_some() && hashes.get(OTHER_HASH).is_some()
    })
    .await;
}

#[tokio::test]
async fn q11_a_report_belongs_to_the_directive_of_its_time() {
    let ground = Ground::start("").await;
    let first = ground.direct(1, "hqz", "v1.0.0").await;
    ground.pass(100);
    let mut node = ground.relay.connect().await;
    let report = ground.ack(100, 1, "hqz", "v1.0.0").sign();
    ground.pass(100);
    ground.direct(1, "hqz", "v1.1.0").await;
    ground
        .until_items("/networks/hqz/history", |it| it.len() == 2)
        .await;
    // It comes when the directive has been replaced already.
    node.store(&report).await;
    let acks = ground
        .until_items("/networks/hqz/acks", |it| it.len() == 1)
        .await;
    assert_eq!(acks[0]["signal"], first.id().to_hex());

    let nothing = ground.ack(101, 2, "hqz", "v1.0.0").sign();
    node.store(&nothing).await;
    let acks = ground
        .until_items("/networks/hqz/acks", |it| it.len() == 2)
        .await;
    let unresolved = acks.iter().find(|it| it["node_id"] == "node-101").unwrap();
    assert!(unresolved["signal"].is_null());
}

#[tokio::test]
async fn q11_the_directive_of_a_report_is_remembered_when_its_author_directs_no_more() {
    let mut ground = Ground::start("").await;
    let directive = ground.direct(3, "hqz", "v1.0.0").await;
    ground
        .until_items("/networks/hqz/history", |it| it.len() == 1)
        .await;
    let report = ground.ack(100, 3, "hqz", "v1.0.0").sign();
    ground.relay.connect().await.store(&report).await;
    ground
        .until_items("/networks/hqz/fleet", |it| it.len() == 1)
        .await;
    let key = ground.author(3).pubkey().to_hex();
    let without = table("").replace(&format!(", '{key}'"), "");
    until("the id is stored and its author is gone", async || {
        let _ = ground.relay.reconfigure(&without).await;
        let acks = ground.items("/networks/hqz/acks").await;
        let history = ground.items("/networks/hqz/history").await;
        history.is_empty() && acks[0]["signal"] == directive.id().to_hex()
    })
    .await;
}
