//! A fleet for the tests of page, alerts and mirror: three developers of whom two decide on `hyperqube`.

#![allow(clippy::unwrap_used)]

use crate::QubeCoordination;
use trellis_relay::event::Event;
use trellis_relay::testing::{Author, Draft, Setup, TestRelay};

/// The developers, by number.
pub(crate) fn developer(number: u64) -> Author {
    Author::new(100 + number)
}

/// A relay with this fleet, and with more in its table, then further tables.
pub(crate) fn setup(table: &str, further: &str) -> Setup {
    TestRelay::of::<QubeCoordination>().config(&config(table, further))
}

/// The same as TOML.
pub(crate) fn config(table: &str, further: &str) -> String {
    let keys: Vec<String> = (0..3)
        .map(|it| format!("'{}'", developer(it).pubkey()))
        .collect();
    format!(
        "{further}\n[extensions.qube_coordination]\nmax_node_ids_per_pubkey = 10000\n{table}\n\
         [[extensions.qube_coordination.networks]]\nid = 'hyperqube'\nquorum = 2\ndevelopers = [{}]",
        keys.join(", ")
    )
}

/// A wish for an upgrade, signed at this moment. Unix seconds.
pub(crate) fn upgrade(author: &Author, version: &str, hash: &str, at: u64) -> Event {
    signal(author, version, hash, at)
        .tag(["action", "upgrade"])
        .sign()
}

/// A wish for a reboot with a deadline.
pub(crate) fn reboot(author: &Author, version: &str, required_by: u64, at: u64) -> Event {
    signal(author, version, "ab", at)
        .tag(["action", "reboot"])
        .tag(["genesis_url", "https://genesis.example.com/1.json"])
        .tag(["required_by", &required_by.to_string()])
        .sign()
}

/// A wish for something.
pub(crate) fn signal(author: &Author, version: &str, hash: &str, at: u64) -> Draft {
    author
        .draft(33_321)
        .at(at)
        .content("a directive")
        .tag(["d", "hyperqube"])
        .tag(["version", version])
        .tag(["hash", &hash.repeat(32)])
        .tag(["network", "hyperqube"])
}

/// What a node reports on the upgrade that the first developer wants; why it failed, where it did.
pub(crate) fn report(node_id: &str, version: &str, error: Option<&str>, at: u64) -> Event {
    let developer = developer(0).pubkey().to_hex();
    let draft = Author::new(500)
        .draft(3_333)
        .at(at)
        .content("a report")
        .tag(["a", &format!("33321:{developer}:hyperqube")])
        .tag(["p", &developer])
        .tag(["version", version])
        .tag(["network", "hyperqube"])
        .tag(["action", "upgrade"])
        .tag(["node_id", node_id])
        .tag(["action_at", &at.to_string()]);
    match error {
        Some(error) => draft.tag(["status", "failure"]).tag(["error", error]),
        None => draft.tag(["status", "success"]),
    }
    .sign()
}

/// Publishes what developers have signed, each as themselves.
pub(crate) async fn publish(relay: &TestRelay, signals: &[(u64, Event)]) {
    for (number, signal) in signals {
        let mut client = relay.connect_as(&developer(*number)).await;
        client.store(signal).await;
    }
}

/// Publishes what nodes report.
pub(crate) async fn send(relay: &TestRelay, reports: &[Event]) {
    let mut client = relay.connect().await;
    for report in reports {
        client.store(report).await;
    }
}
