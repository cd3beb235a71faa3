//! What the table may say, and what a wrong one is answered.

use super::*;
use std::collections::BTreeSet;

const A: &str = "7e7e9c42a91bfef19fa929e5fda1b72e0ebc1a4c1141673e2794234d86addf4e";
const B: &str = "4f355bdcb7cc0af728ef3cceb9615d90684bb5b2ca5f859ab0f0b704075871aa";
const C: &str = "7fa56f5d6962ab1e3cd424e758c3002b8665f7b0d8dcee9fe9e288d7751ac194";

fn settle(text: &str) -> Result<Arc<Settings>, String> {
    let config: Config = toml::from_str(text).map_err(|error| error.message().to_owned())?;
    Ok(config.settings)
}

fn with_network(keys: &str) -> String {
    format!("{keys}\n[[networks]]\nid = 'hqz'\ndevelopers = ['{A}', '{B}']\nquorum = 2")
}

#[test]
fn q1_a_network_is_enough_and_the_rest_has_defaults() {
    let settings = settle(&with_network("")).expect("a right table");
    assert_eq!(settings.api_prefix, "/api/v1/qube");
    assert_eq!(settings.dashboard_path.as_deref(), Some("/qube"));
    assert_eq!(settings.vote_scope, VoteScope::Network);
    assert_eq!(settings.node_identity, NodeIdentity::Open);
    assert_eq!(settings.max_nodes, 10_000);
    assert_eq!(settings.ack_within_s, 1800);
    assert_eq!(settings.silent_after_s, 86_400);
    assert_eq!(settings.proposal_ttl_s, 30 * 86_400);
    assert!(!settings.exclusive);
}

#[test]
fn q1_a_quorum_that_cannot_be_reached_stops_the_start() {
    for quorum in [0, 3] {
        let table =
            format!("[[networks]]\nid = 'hqz'\ndevelopers = ['{A}', '{B}']\nquorum = {quorum}");
        let wrong = settle(&table).expect_err("a wrong quorum");
        let wanted = format!(
            "networks.quorum of \"hqz\": found {quorum}, wanted 1 to 2, since it has 2 developers"
        );
        assert_eq!(wrong, wanted);
    }
}

/// What `config check` asks.
#[test]
fn q1_a_table_that_stops_the_start_is_found_before_it() {
    let extension = trellis_relay::extension::Compiled::of::<crate::QubeCoordination>();
    let check = |text: &str| extension.check(text.parse().expect("a table"));
    assert_eq!(check(&with_network("")), Ok(()));
    let webhook = "alerts.webhooks = [{ url = 'https://a.example.com', secret = 'short' }]";
    for (table, wanted) in [
        (String::new(), "networks: found 0"),
        (
            with_network("").replace("quorum = 2", "quorum = 3"),
            "networks.quorum of \"hqz\": found 3, wanted 1 to 2",
        ),
        (with_network("peers = ['ws://a.example']"), "peers: found"),
        (with_network(webhook), "alerts.webhooks.secret of number 1"),
        (with_network("mirror.url = 'mysql://a/b'"), "mirror.url: "),
        (
            with_network("").replace(B, "npub1wrong"),
            "number 2, \"npub1wrong\": wanted a public key",
        ),
    ] {
        let found = check(&table).expect_err(&table);
        assert!(found.contains(wanted), "{table}\n{found}");
    }
}

#[test]
fn q1_a_developer_who_stands_there_twice_counts_once() {
    let table = format!("[[networks]]\nid = 'hqz'\ndevelopers = ['{A}', '{A}']\nquorum = 2");
    assert!(settle(&table).is_err_and(|it| it.contains("found 2, wanted 1 to 1")));
}

#[test]
fn q1_what_is_wrong_is_told_with_its_key() {
    let node = |keys: &str| {
        format!(
            "node_identity = 'registry'\n{}\n[[networks.nodes]]\n{keys}",
            with_network("")
        )
    };
    let twice = format!(
        "{}\n[[networks]]\nid = 'hqz'\ndevelopers = ['{A}']\nquorum = 1",
        with_network("")
    );
    for (table, wanted) in [
        (String::new(), "networks: found 0"),
        (twice, "networks.id: found \"hqz\" twice"),
        (
            "[[networks]]\nid = 'H Q'\ndevelopers = []\nquorum = 1".to_owned(),
            "networks.id: found \"H Q\"",
        ),
        (
            "[[networks]]\nid = 'hqz'\ndevelopers = []\nquorum = 1".to_owned(),
            "networks.developers of \"hqz\": found 0",
        ),
        (
            with_network("api_prefix = 'api'"),
            "api_prefix: found \"api\"",
        ),
        (
            with_network("dashboard_path = '/qube/'"),
            "dashboard_path: found \"/qube/\"",
        ),
        (
            with_network("max_nodes = 0"),
            "max_nodes: found 0, wanted 1 to 100000",
        ),
        (
            with_network("silent_after = '1s'"),
            "silent_after: found 1s, wanted 1m to 365d",
        ),
        (
            with_network("peers = ['wss://relay.example.com']"),
            "peers: found \"wss://relay.example.com\"",
        ),
        (
            with_network("node_identity = 'registry'"),
            "networks.nodes of \"hqz\": found none",
        ),
        (
            node("node_id = 'a'"),
            "networks.nodes.pubkey of \"a\" in \"hqz\": found nothing",
        ),
        (
            node(&format!("node_id = ' '\npubkey = '{A}'")),
            "networks.nodes.node_id of \"hqz\": found \" \"",
        ),
        (with_network("quorom = 1"), "quorom"),
    ] {
        let found = settle(&table).err().unwrap_or_default();
        assert!(found.contains(wanted), "{table}\n{found}");
    }
}

#[test]
fn q17_the_address_of_a_peer_is_that_of_its_routes() {
    let peers = "peers = ['https://b.example.com', 'http://c.example.com:8080/qube/']";
    let settings = settle(&with_network(peers)).expect("right peers");
    let joined: Vec<String> = settings
        .peers
        .iter()
        .map(|url| url.join("audit/export").expect("a path").to_string())
        .collect();
    assert_eq!(
        joined,
        [
            "https://b.example.com/api/v1/qube/audit/export",
            "http://c.example.com:8080/qube/audit/export"
        ]
    );
}

/// The shipped table without its marks of comment.
fn shipped() -> toml::Table {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../config/trellis.toml");
    let file = std::fs::read_to_string(file).expect("the shipped configuration");
    let (_, table) = file
        .split_once("\n#[extensions.qube_coordination]\n")
        .expect("the table");
    let lines = table.lines().map_while(|line| match line {
        "" => Some(""),
        line => line.strip_prefix('#'),
    });
    let lines = lines.take_while(|line| !line.starts_with('['));
    let settings = lines.filter(|line| !line.starts_with(' '));
    let settings: Vec<&str> = settings.collect();
    settings.join("\n").parse().expect("a table")
}

#[test]
fn q1_the_shipped_table_shows_every_key_with_its_default() {
    let mut table = shipped();
    let shown: BTreeSet<String> = table.keys().cloned().collect();
    let schema = schemars::schema_for!(Config);
    let keys = schema.get("properties").and_then(|it| it.as_object());
    let keys: BTreeSet<String> = keys.expect("keys").keys().cloned().collect();
    assert_eq!(shown, keys);
    // An example of what is unset.
    table.remove("peer_token");
    let read = |table: toml::Table| -> String {
        let config: Config = table.try_into().expect("a readable table");
        let mut settings = (*config.settings).clone();
        let alerts = std::mem::take(&mut settings.alerts);
        let alerts = (alerts.give_up_after(), alerts.keep(), alerts.webhooks.len());
        format!("{settings:?} {alerts:?}")
    };
    let least = toml::Table::from_iter([("networks".to_owned(), table["networks"].clone())]);
    assert_eq!(read(table), read(least));
}

#[test]
fn q1_the_shipped_relay_for_a_fleet_is_right_once_it_is_filled_in() {
    let file = include_str!("../../../../config/hyperqube.toml");
    let (_, table) = file
        .split_once("\n#[extensions.qube_coordination]\n")
        .expect("the table");
    let is_setting = |line: &&str| line.starts_with('#') && !line.starts_with("# ");
    let lines = table.lines().filter(is_setting).map(|line| &line[1..]);
    let table: String = lines.map(|line| format!("{line}\n")).collect();
    let table = table
        .replace("extensions.qube_coordination.", "")
        .replace("npub of a developer", A)
        .replace("npub of another", B)
        .replace("npub of a third", C)
        .replace("npub of the node", C);
    let settings = settle(&table).expect("a right table");
    assert!(settings.exclusive);
    assert_eq!(settings.networks[0].developers.len(), 3);
}
