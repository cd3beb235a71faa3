//! Places of nodes are taken in the transaction that stores a report (Q4), however many come at once.

use super::ground::Ground;
use trellis_relay::event::Event;
use trellis_relay::testing::{json, until};

async fn directed(keys: &str) -> Ground {
    let ground = Ground::operated(keys).await;
    ground.direct(1, "hqz", "v1.0.0").await;
    ground
        .until_items("/networks/hqz/history", |it| it.len() == 1)
        .await;
    ground
}

fn stored(outcomes: &[String]) -> usize {
    outcomes.iter().filter(|it| *it == "Stored").count()
}

/// Names and keys of the fleet.
async fn nodes(ground: &Ground, count: usize) -> Vec<(String, String)> {
    let found = ground
        .until_items("/networks/hqz/fleet", |it| it.len() == count)
        .await;
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    found
        .iter()
        .map(|it| (text(&it["node_id"]), text(&it["pubkey"])))
        .collect()
}

#[tokio::test]
async fn q4_of_two_keys_that_come_at_once_one_has_the_name() {
    let ground = directed("node_identity = 'tofu'").await;
    let first = ground.ack_of(100, "alpha", 1, "hqz", "v1.0.0").sign();
    // It says that it is older, and comes in the same transaction.
    let second = ground
        .ack_of(101, "alpha", 1, "hqz", "v1.0.0")
        .at(ground.now_s() - 86_400)
        .sign();
    let outcomes = ground.import(&[first.clone(), second.clone()]).await;
    assert_eq!(outcomes[0], "Stored");
    assert!(outcomes[1].contains("with another key"), "{}", outcomes[1]);
    let owner = ("alpha".to_owned(), ground.author(100).pubkey().to_hex());
    assert_eq!(nodes(&ground, 1).await, std::slice::from_ref(&owner));

    let ground = Ground {
        relay: ground.relay.restart().await,
    };
    assert_eq!(nodes(&ground, 1).await, [owner]);
    // The operator sets the name free with the reports that took it.
    assert!(ground.remove(&first, "admin").await);
    until("the name is free", async || {
        stored(&ground.import(std::slice::from_ref(&second)).await) == 1
    })
    .await;
    // The name is free before memory has forgotten who had it.
    let other = ground.author(101).pubkey().to_hex();
    ground
        .until_items("/networks/hqz/fleet", |it| {
            it.len() == 1 && it[0]["node_id"] == "alpha" && it[0]["pubkey"] == other
        })
        .await;
}

#[tokio::test]
async fn q4_a_flood_at_once_ends_at_the_bound_and_a_restart_changes_nothing() {
    let key = |ground: &Ground, number: u64| ground.author(number).pubkey().to_hex();
    let ground = directed("max_nodes = 5\nmax_node_ids_per_pubkey = 2").await;
    let names = ["a", "b", "c"].map(|name| ground.ack_of(100, name, 1, "hqz", "v1.0.0").sign());
    assert_eq!(stored(&ground.import(&names).await), 2, "of one key");
    let flood: Vec<Event> = (200..220)
        .map(|number| {
            let late = ground.now_s() + number - 200;
            ground.ack(number, 1, "hqz", "v1.0.0").at(late).sign()
        })
        .collect();
    let outcomes = ground.import(&flood).await;
    assert_eq!(stored(&outcomes), 3, "of all: {outcomes:?}");
    let mut before = nodes(&ground, 5).await;
    before.sort();
    let mut client = ground.relay.connect().await;
    let kept = client.query(json!({"kinds": [3_333]})).await.unwrap();
    assert_eq!(kept.len(), 5);

    let ground = Ground {
        relay: ground.relay.restart().await,
    };
    let mut after = nodes(&ground, 5).await;
    after.sort();
    assert_eq!(after, before);
    assert!(after.iter().any(|(_, pubkey)| *pubkey == key(&ground, 100)));
    // Those that are known go on.
    ground.pass(60);
    let again = ground.ack(200, 1, "hqz", "v1.0.0").sign();
    ground.relay.connect().await.store(&again).await;
}

#[tokio::test]
async fn q12_no_second_has_more_reports_than_can_be_listed() {
    let ground = directed("max_node_ids_per_pubkey = 1").await;
    // Each a signature of its own over the same second: the content differs.
    let at_s = ground.now_s();
    let report = |number: usize| {
        ground
            .ack(100, 1, "hqz", "v1.0.0")
            .content(&number.to_string())
            .at(at_s)
            .sign()
    };
    let mut taken = 0;
    for hundred in 0..91 {
        let events: Vec<Event> = (0..100)
            .map(|number| report(hundred * 100 + number))
            .collect();
        taken += stored(&ground.import(&events).await);
    }
    assert_eq!(taken, 9_000);
    let mut listed = 0;
    let mut cursor = String::new();
    loop {
        let path = format!("/audit/export?section=acks&limit=1000{cursor}");
        let page = ground.get(&path).await;
        listed += page["items"].as_array().unwrap().len();
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(listed, taken, "nothing is left out");
}
