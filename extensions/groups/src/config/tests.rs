//! The table as operators write it, and the shipped one.

#![allow(clippy::unwrap_used)]

use super::*;
use std::collections::BTreeSet;

/// Keys that belong to the relay.
const OF_THE_RELAY: [&str; 5] = [
    "enabled",
    "on_fault",
    "priority",
    "timeout_ms",
    "max_concurrent",
];

fn settle(config: &Config) -> Result<Rules, String> {
    config.settle(PublicKey::from_byte_array([7; 32]))
}

fn read(table: &str) -> Result<Rules, String> {
    let config: Config = toml::from_str(table).map_err(|error| error.to_string())?;
    settle(&config)
}

/// The shipped table without its marks of comment.
fn shipped() -> toml::Table {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../config/trellis.toml");
    let file = std::fs::read_to_string(file).unwrap();
    let (_, table) = file.split_once("\n#[extensions.groups]\n").unwrap();
    let lines = table.lines().map_while(|line| match line {
        "" => Some(""),
        line => line.strip_prefix('#'),
    });
    let lines = lines.take_while(|line| !line.starts_with('['));
    let settings = lines.filter(|line| !line.starts_with(' '));
    settings.collect::<Vec<_>>().join("\n").parse().unwrap()
}

#[test]
fn g1_the_shipped_table_shows_every_key_with_its_default() {
    let table = shipped();
    let shown: BTreeSet<String> = table.keys().cloned().collect();
    let schema = schemars::schema_for!(Config);
    let keys = schema.get("properties").unwrap().as_object().unwrap();
    let keys: BTreeSet<String> = keys.keys().cloned().collect();
    let is_ours = |key: &String| !OF_THE_RELAY.contains(&key.as_str());
    assert_eq!(
        shown.into_iter().filter(is_ours).collect::<BTreeSet<_>>(),
        keys
    );
    let shown: Config = table.try_into().unwrap();
    let (shown, default) = (settle(&shown).unwrap(), settle(&Config::default()).unwrap());
    assert_eq!(format!("{shown:?}"), format!("{default:?}"));
}

#[test]
fn g1_what_is_wrong_is_told_with_its_key() {
    for (table, words) in [
        ("max_groups = 0", "max_groups: found 0, wanted 1 to 1000000"),
        ("max_group_id_bytes = 129", "max_group_id_bytes: found 129"),
        (
            "timeline_events = 10",
            "timeline_events: found 10, wanted 50 to 500, or 0",
        ),
        ("late_publication_window = 5", "wanted 60 to 31536000, or 0"),
        ("max_pins = 501", "max_pins: found 501"),
        (
            "max_users = 99",
            "max_users: found 99, wanted 100 to 100000000",
        ),
        (
            "max_users_per_founder = 9",
            "max_users_per_founder: found 9, wanted 10 to 100000000",
        ),
        (
            "max_new_groups_per_hour_per_address = 0",
            "max_new_groups_per_hour_per_address: found 0",
        ),
        (
            "creator_role = 'moderator'",
            "creator_role: found \"moderator\"",
        ),
        ("roles.king = {}", "creator_role: found \"admin\""),
        ("roles.king = {rights = ['rule']}", "unknown variant `rule`"),
        ("create_groups = 'nobody'", "unknown variant `nobody`"),
        ("max_group = 5", "unknown field `max_group`"),
    ] {
        let error = read(table).unwrap_err();
        assert!(error.contains(words), "{table}: {error}");
    }
}

#[test]
fn g1_roles_are_those_of_the_table() {
    let rules = read(
        "creator_role = 'king'\nroles.king = {rights = ['put-user', 'delete-event'], description = 'rules'}",
    )
    .unwrap();
    let rights = |name: &str| rules.roles.rights_of([&name.to_owned()]);
    assert!(rights("king").has(Right::PutUser) && !rights("king").has(Right::EditMetadata));
    assert!(rights("admin").is_empty());
}
