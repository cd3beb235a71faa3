//! Who may direct what (Q1 to Q5).

use super::ground::{Ground, STRANGER, upgrade};
use trellis_relay::testing::json;

#[tokio::test]
async fn q2_a_directive_wants_its_author_authenticated() {
    let ground = Ground::start("").await;
    let event = ground.upgrade(1, "hqz", "v1.0.0").sign();

    let mut client = ground.relay.connect().await;
    let refused = client.publish(&event).await;
    assert!(
        refused.reason().starts_with("auth-required: "),
        "{}",
        refused.reason()
    );

    // The widely used client has kept the challenge, authenticates and sends the same again.
    client.login(&ground.author(1)).await;
    client.store(&event).await;

    let mut other = ground.client(2).await;
    let event = ground.upgrade(3, "hqz", "v1.0.0").sign();
    let refused = other.publish(&event).await;
    refused.assert_refused(
        "restricted: this session has authenticated as another key than the directive's author",
    );
}

#[tokio::test]
async fn q2_a_stranger_directs_nothing_and_is_counted() {
    let ground = Ground::start("").await;
    let event = ground.upgrade(STRANGER, "hqz", "v1.0.0").sign();
    let mut client = ground.client(STRANGER).await;
    client.publish(&event).await.assert_refused(
        "restricted: this key is none of the developers who direct the network \"hqz\"",
    );
    // A developer of one network is a stranger to another.
    let event = ground.upgrade(3, "testnet", "v1.0.0").sign();
    let mut client = ground.client(3).await;
    client.publish(&event).await.assert_refused(
        "restricted: this key is none of the developers who direct the network \"testnet\"",
    );
    let counted = ground
        .relay
        .metric("qube_coordination_unauthorised_total", &[])
        .await;
    assert!(counted >= 2.0, "{counted}");
    assert!(ground.items("/networks/hqz/quorum").await.is_empty());
}

#[tokio::test]
async fn q1_an_unknown_network_is_refused_with_those_there_are() {
    let ground = Ground::start("").await;
    let event = ground.upgrade(1, "mainnet", "v1.0.0").sign();
    let refused = ground.client(1).await.publish(&event).await;
    refused.assert_refused(
        "restricted: the network \"mainnet\" is not coordinated here; wanted one of: hqz, testnet",
    );
    let report = ground.ack(100, 1, "mainnet", "v1.0.0").sign();
    let refused = ground.relay.connect().await.publish(&report).await;
    assert!(
        refused.reason().starts_with("restricted: the network"),
        "{}",
        refused.reason()
    );
}

#[tokio::test]
async fn q3_exactly_one_of_each_tag_and_sound_values() {
    let ground = Ground::start("").await;
    let mut client = ground.client(1).await;
    let past = (ground.now_s() - 1).to_string();
    let whole = || ground.upgrade(1, "hqz", "v1.0.0");
    let reboot = |url: &str, by: &str| {
        ground
            .author(1)
            .draft(33_321)
            .tag(["d", "hyperqube"])
            .tag(["version", "v1.0.0"])
            .tag(["hash", super::ground::HASH])
            .tag(["network", "hqz"])
            .tag(["action", "reboot"])
            .tag(["genesis_url", url])
            .tag(["required_by", by])
            .content("a reboot")
    };
    let far = "99999999999999999";
    let long = format!("https://example.com/{}", "x".repeat(4_000));
    for wrong in [
        whole().tag(["version", "v2.0.0"]),
        whole().tag(["network", "testnet"]),
        whole().tag(["d", "hyperqube"]),
        upgrade(&ground.author(1), "hqz", "v1", super::ground::HASH),
        upgrade(&ground.author(1), "hqz", "v1.0.0", "abc"),
        whole().content(""),
        reboot(
            "http://example.com/genesis.json",
            &(ground.now_s() + 60).to_string(),
        ),
        reboot("https://example.com/genesis.json", &past),
        reboot("https://example.com/genesis.json", far),
        reboot("https://example.com/genesis.json", "soon"),
        reboot(&long, &(ground.now_s() + 60).to_string()),
    ] {
        let event = wrong.sign();
        let refused = client.publish(&event).await;
        assert!(
            refused.reason().starts_with("invalid: "),
            "{}",
            refused.reason()
        );
    }
    let soon = (ground.now_s() + 3_600).to_string();
    let sound = reboot("https://example.com/genesis.json", &soon).sign();
    client.store(&sound).await;
}

#[tokio::test]
async fn q2_nodes_report_and_ask_without_authentication() {
    let ground = Ground::start("").await;
    let directive = ground.direct(1, "hqz", "v1.0.0").await;
    let mut node = ground.relay.connect().await;
    let developer = ground.author(1).pubkey().to_hex();
    let asked = json!({"authors": [developer], "kinds": [33_321], "#d": ["hyperqube"]});
    let stored = node.subscribe("fleet", [asked]).await;
    assert_eq!(stored, Ok(vec![directive]));
    node.store(&ground.ack(100, 1, "hqz", "v1.0.0").sign())
        .await;
    // What comes later comes live.
    ground.pass(1);
    let next = ground.direct(1, "hqz", "v1.1.0").await;
    assert_eq!(node.next_event("fleet").await, next);
}

#[tokio::test]
async fn q4_a_report_names_a_developer_of_its_network() {
    let ground = Ground::start("").await;
    let mut node = ground.relay.connect().await;
    let refused = node
        .publish(&ground.ack(100, STRANGER, "hqz", "v1.0.0").sign())
        .await;
    refused.assert_refused("restricted: `a` names nobody who directs the network \"hqz\"");
    let refused = node
        .publish(&ground.ack(100, 3, "testnet", "v1.0.0").sign())
        .await;
    refused.assert_refused("restricted: `a` names nobody who directs the network \"testnet\"");
    let old = ground
        .ack(100, 1, "hqz", "v1.0.0")
        .at(ground.now_s() - 30 * 86_400)
        .sign();
    let refused = node.publish(&old).await;
    assert!(
        refused.reason().starts_with("invalid: "),
        "{}",
        refused.reason()
    );
}

#[tokio::test]
async fn q4_with_tofu_a_node_keeps_its_first_key() {
    let ground = Ground::start("node_identity = 'tofu'").await;
    ground.direct(1, "hqz", "v1.0.0").await;
    ground.direct(2, "hqz", "v1.0.0").await;
    let mut client = ground.relay.connect().await;
    client
        .store(&ground.ack_of(100, "alpha", 1, "hqz", "v1.0.0").sign())
        .await;
    ground
        .until_items("/networks/hqz/fleet", |nodes| nodes.len() == 1)
        .await;
    let refused = client
        .publish(&ground.ack_of(101, "alpha", 1, "hqz", "v1.0.0").sign())
        .await;
    assert!(
        refused.reason().starts_with("restricted: "),
        "{}",
        refused.reason()
    );
    // Not even by claiming to have been earlier.
    let earlier = ground.now_s() - 600;
    let refused = client
        .publish(
            &ground
                .ack_of(101, "alpha", 1, "hqz", "v1.0.0")
                .at(earlier)
                .sign(),
        )
        .await;
    assert!(!refused.is_accepted());
    ground.pass(1);
    client
        .store(&ground.ack_of(100, "alpha", 1, "hqz", "v1.0.0").sign())
        .await;
}

#[tokio::test]
async fn q5_an_exclusive_relay_takes_nothing_else() {
    let ground = Ground::start("exclusive = true").await;
    let mut client = ground.client(1).await;
    let refused = client.publish(&ground.author(1).note("hello")).await;
    refused.assert_refused(
        "blocked: this relay takes directives (kind 33321) and reports (kind 3333) alone",
    );
    client
        .store(&ground.upgrade(1, "hqz", "v1.0.0").sign())
        .await;

    let shared = Ground::start("").await;
    let note = shared.author(1).note("hello");
    shared.client(1).await.store(&note).await;
}

#[tokio::test]
async fn q1_what_was_imported_or_synced_is_looked_at_as_well() {
    // Admission is not asked where nobody sends: the last word is the transaction's.
    let ground = Ground::operated("").await;
    let ahead = ground.now_s() + 3_600;
    let long = "\"".repeat(6_000);
    let bad = [
        ground.upgrade(STRANGER, "hqz", "v1.0.0").sign(),
        ground.upgrade(3, "testnet", "v1.0.0").sign(),
        ground.upgrade(1, "mainnet", "v1.0.0").sign(),
        ground.upgrade(1, "hqz", "v1").sign(),
        ground.upgrade(1, "hqz", "v1.0.0").at(ahead).sign(),
        ground
            .upgrade(1, "hqz", "v1.0.0")
            .tag(["x", &long])
            .tag(["y", &long])
            .sign(),
        ground.ack(100, STRANGER, "hqz", "v1.0.0").sign(),
        ground.ack(100, 1, "mainnet", "v1.0.0").sign(),
        ground
            .ack(100, 1, "hqz", "v1.0.0")
            .tag(["status", "success"])
            .sign(),
    ];
    let outcomes = ground.import(&bad).await;
    for (event, outcome) in bad.iter().zip(&outcomes) {
        let is_refused = outcome.starts_with("invalid: ") || outcome.starts_with("restricted: ");
        assert!(is_refused, "{outcome}: {event:?}");
    }
    let good = [
        ground.upgrade(1, "hqz", "v1.0.0").sign(),
        ground.ack(100, 1, "hqz", "v1.0.0").sign(),
    ];
    assert_eq!(ground.import(&good).await, ["Stored", "Stored"]);
    let all = json!({"kinds": [33_321, 3_333]});
    let kept = ground.relay.connect().await.query(all).await.unwrap();
    assert_eq!(kept.len(), 2);
}

#[tokio::test]
async fn q3_what_nobody_reads_in_an_event_is_bounded_as_well() {
    let ground = Ground::start("").await;
    let long = "x".repeat(17 << 10);
    let refused = |reason: &str| {
        assert!(
            reason.starts_with("invalid: an event of this kind has at most"),
            "{reason}"
        );
    };
    let event = ground.upgrade(1, "hqz", "v1.0.0").tag(["x", &long]).sign();
    refused(ground.client(1).await.publish(&event).await.reason());
    let report = ground.ack(100, 1, "hqz", "v1.0.0").tag(["x", &long]).sign();
    refused(ground.relay.connect().await.publish(&report).await.reason());
}
