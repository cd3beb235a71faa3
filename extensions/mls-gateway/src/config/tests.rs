//! The table as operators write it, and the shipped one.

#![allow(clippy::unwrap_used)]

use super::*;
use std::collections::BTreeSet;

/// Keys that belong to the relay.
const OF_THE_RELAY: [&str; 4] = ["enabled", "on_fault", "timeout_ms", "max_concurrent"];
/// Keys without a default, which are shown with an example, and one whose default depends on the machine.
const EXAMPLES: [&str; 9] = [
    "database_url",
    "project_id",
    "max_connections",
    "service_tokens",
    "system_pubkey",
    "keypackage_low_stock",
    "acl_url",
    "acl_token",
    "profile",
];

fn settle(config: &Config) -> Result<Settings, String> {
    config.settle(|_| None, Path::new("data"))
}

fn read(table: &str) -> Result<Settings, String> {
    let config: Config = toml::from_str(table).map_err(|error| error.to_string())?;
    settle(&config)
}

/// The shipped table without its marks of comment.
fn shipped() -> toml::Table {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../config/trellis.toml");
    let file = std::fs::read_to_string(file).unwrap();
    let (_, table) = file.split_once("\n#[extensions.mls_gateway]\n").unwrap();
    let lines = table.lines().map_while(|line| match line {
        "" => Some(""),
        line => line.strip_prefix('#'),
    });
    let lines = lines.take_while(|line| !line.starts_with('['));
    let settings = lines.filter(|line| !line.starts_with(' '));
    settings.collect::<Vec<_>>().join("\n").parse().unwrap()
}

#[test]
fn m31_the_shipped_table_shows_every_key() {
    let shown: BTreeSet<String> = shipped().keys().cloned().collect();
    let schema = schemars::schema_for!(Config);
    let keys = schema.get("properties").unwrap().as_object().unwrap();
    let keys: BTreeSet<String> = keys.keys().cloned().collect();
    let shown: BTreeSet<String> = shown
        .into_iter()
        .filter(|key| !OF_THE_RELAY.contains(&&**key))
        .collect();
    assert_eq!(shown, keys);
    let rates: BTreeSet<String> = shipped()["rate_limits"]
        .as_table()
        .unwrap()
        .keys()
        .cloned()
        .collect();
    assert_eq!(rates.len(), 5);
}

#[test]
fn m31_the_shipped_table_shows_defaults_and_readable_examples() {
    let mut table = shipped();
    let service = table["service_tokens"]["backend"].as_table_mut().unwrap();
    service.insert("token".into(), "hR3kq0ZbT1mYw8vXo5Nc7LdJf2GsPa4E".into());
    let whole: Config = table.clone().try_into().unwrap();
    settle(&whole).unwrap();
    table.retain(|key, _| !EXAMPLES.contains(&key));
    let shown: Config = table.try_into().unwrap();
    let shown = settle(&shown).unwrap();
    let defaults = settle(&Config::default()).unwrap();
    assert_eq!(format!("{shown:?}"), format!("{defaults:?}"));
}

#[test]
fn m28_what_is_wrong_is_told_with_its_key() {
    for (table, words) in [
        (
            "keypackage_ttl = 59",
            "keypackage_ttl: found 59, wanted 60 to 2592000",
        ),
        ("welcome_ttl = 2592001", "welcome_ttl: found 2592001"),
        ("max_keypackages_per_query = 3", "max_keypackages_per_query"),
        ("max_cached_groups = 99", "max_cached_groups"),
        (
            "rate_limits.max_events_per_minute = 0",
            "rate_limits.max_events_per_minute",
        ),
        (
            "storage_backend = 'firestore'",
            "project_id required for Firestore backend",
        ),
        (
            "storage_backend = 'cloudsql'",
            "database_url: wanted postgresql://",
        ),
        (
            "database_url = 'postgresql://host/db'",
            "database_url: found another scheme",
        ),
        ("api_prefix = 'api'", "api_prefix: found \"api\""),
        ("membership_source = 'acl'", "acl_url: found nothing"),
        (
            "membership_source = 'acl'\nacl_url = 'ftp://x'",
            "acl_url: found \"ftp://x\"",
        ),
        ("profile = 'loose'", "unknown variant `loose`"),
        ("keypackage_ttk = 60", "unknown field `keypackage_ttk`"),
    ] {
        let error = read(table).unwrap_err();
        assert!(error.contains(words), "{table}: {error}");
    }
}

#[test]
fn m10_an_address_may_send_ten_times_what_a_key_may() {
    let of_address = |table: &str| read(table).unwrap().rate_limits.per_address();
    assert_eq!(of_address(""), 1_000);
    assert_eq!(of_address("rate_limits.max_events_per_minute = 7"), 70);
    let table = "rate_limits.max_events_per_minute_per_address = 5";
    assert_eq!(of_address(table), 5);
}

#[test]
fn m28_the_database_is_what_table_and_environment_say() {
    let from = |table: &str, name: &str, value: &str| {
        let config: Config = toml::from_str(table).unwrap();
        let environment = |asked: &str| (asked == name).then(|| value.to_owned());
        config
            .settle(environment, Path::new("data"))
            .unwrap()
            .database
    };
    let url = |database| match database {
        Database::Sqlite { url } | Database::Postgres { url } => url.reveal().to_owned(),
        Database::Firestore { project_id, .. } => project_id,
    };
    assert_eq!(url(from("", "", "")), "sqlite://data/mls_auxiliary.db");
    assert_eq!(
        url(from("", "AUX_DB_URL", "sqlite:///x.db")),
        "sqlite:///x.db"
    );
    let table = "database_url = 'sqlite:///y.db'";
    assert_eq!(
        url(from(table, "AUX_DB_URL", "sqlite:///x.db")),
        "sqlite:///y.db"
    );
    let table = "storage_backend = 'firestore'";
    assert_eq!(url(from(table, "GOOGLE_CLOUD_PROJECT", "mine")), "mine");
}

#[test]
fn m12_profiles_set_defaults_that_the_table_beats() {
    let first = read("profile = 'seed002'").unwrap();
    assert_eq!(first.membership_from_giftwrap, GiftWrapMembership::First);
    assert!(first.allow_guessable_ids);
    let beaten = read("profile = 'seed002'\nmembership_from_giftwrap = 'off'").unwrap();
    assert_eq!(beaten.membership_from_giftwrap, GiftWrapMembership::Off);
    let strict = read("profile = 'strict'").unwrap();
    assert_eq!(strict.unmanaged_groups, UnmanagedGroups::Deny);
    assert!(strict.require_auth_publish.contains(445));
    assert_eq!(strict.keypackage_require_tags.len(), 4);
}
