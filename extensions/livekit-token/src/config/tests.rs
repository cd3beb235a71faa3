//! The table as operators write it, and the environment over it.

#![allow(clippy::unwrap_used)]

use super::*;
use std::collections::BTreeSet;

const LEAST: &str = "livekit_api_key = 'key'\nlivekit_api_secret = 'secret'";

fn read_with(
    table: &str,
    environment: impl Fn(&str) -> Option<String>,
) -> Result<Arc<Settings>, String> {
    let config: Config = toml::from_str(table).map_err(|error| error.to_string())?;
    config.settle(environment)
}

fn read(table: &str) -> Result<Arc<Settings>, String> {
    read_with(&format!("{LEAST}\n{table}"), |_| None)
}

#[test]
fn l15_defaults_are_those_of_the_guides() {
    let settings = read("").unwrap();
    assert_eq!(settings.livekit_url, "ws://localhost:7880");
    assert_eq!(settings.livekit_client_url, settings.livekit_url);
    let pair = (&*settings.webhook_key, settings.webhook_secret.reveal());
    assert_eq!(pair, ("key", "secret"));
    assert_eq!(settings.nip98_time_window_s, 60);
    assert_eq!(settings.token_expiry_s, 180);
    assert_eq!(settings.token_cache_ttl_s, 300);
    assert_eq!(settings.clock_tolerance_s, 300);
    assert_eq!(
        (settings.tokens_per_pubkey, settings.tokens_per_ip),
        (10, 30)
    );
    assert_eq!(
        (settings.proxied_per_pubkey, settings.uploads_per_pubkey),
        (100, 20)
    );
    assert_eq!(settings.rate_window_s, 60);
    assert_eq!(
        (
            settings.room_participants_max,
            settings.room_empty_timeout_s
        ),
        (50, 300)
    );
    assert_eq!(settings.participants_poll_s, 30);
    assert_eq!(settings.offer_ttl_s, 120);
    assert!(settings.authorized_communities.is_empty());
    assert!(!settings.federation && !settings.maintenance);
}

#[test]
fn l15_the_environment_beats_the_table() {
    let key = "7e7e9c42a91bfef19fa929e5fda1b72e0ebc1a4c1141673e2794234d86addf4e";
    let environment = |name: &str| {
        let value = match name {
            "LIVEKIT_URL" => "ws://livekit:7880",
            "LIVEKIT_CLIENT_URL" => "wss://livekit.example.com",
            "LIVEKIT_API_KEY" => "other",
            "LIVEKIT_API_SECRET" => "hidden",
            "OPERATOR_URL" => "https://sidecar.example.com/",
            "AUTHORIZED_COMMUNITIES" => return Some(format!(" {key} ,")),
            "NOSTR_RELAYS" => "wss://one.example, wss://two.example",
            "NIP98_TIME_WINDOW" => "30",
            "JWT_EXPIRY_SECONDS" => "120",
            "TOKEN_CACHE_TTL_SECONDS" => "200",
            "CLOCK_TOLERANCE_SECONDS" => "100",
            "RATE_LIMIT_TOKENS_PER_PUBKEY" => "5",
            "RATE_LIMIT_WINDOW_SECONDS" => "10",
            "BLOSSOM_URL" => "https://media.example.com",
            "RELAY_URL" => "wss://relay.example.com",
            "RATE_LIMIT_TOKENS_PER_IP" => "",
            _ => return None,
        };
        Some(value.to_owned())
    };
    let settings = read_with(&format!("{LEAST}\njwt_expiry_seconds = 60"), environment).unwrap();
    assert_eq!(settings.livekit_url, "ws://livekit:7880");
    assert_eq!(settings.livekit_client_url, "wss://livekit.example.com");
    assert_eq!(settings.livekit_api_key, "other");
    assert_eq!(settings.livekit_api_secret.reveal(), "hidden");
    assert_eq!(
        settings.operator_url.as_deref(),
        Some("https://sidecar.example.com")
    );
    assert_eq!(settings.authorized_communities.len(), 1);
    assert_eq!(settings.nostr_relays.len(), 2);
    assert_eq!(settings.nip98_time_window_s, 30);
    assert_eq!(
        (settings.token_expiry_s, settings.token_cache_ttl_s),
        (120, 200)
    );
    assert_eq!(settings.clock_tolerance_s, 100);
    assert_eq!(
        (settings.tokens_per_pubkey, settings.tokens_per_ip),
        (5, 30)
    );
    assert_eq!(settings.rate_window_s, 10);
    assert_eq!(
        settings.blossom_url.as_ref().unwrap().as_str(),
        "https://media.example.com/"
    );
    assert_eq!(
        settings.relay_url.as_deref(),
        Some("wss://relay.example.com")
    );
}

#[test]
fn l15_what_is_wrong_is_told_with_its_key() {
    for (table, words) in [
        (
            "livekit_api_key = 'key'",
            "livekit_api_secret: found nothing",
        ),
        (
            "livekit_api_key = 'key'\nlivekit_api_secret = ' '",
            "livekit_api_secret: found an empty text",
        ),
        (
            "livekit_api_secret = 'secret'",
            "livekit_api_key: found nothing",
        ),
    ] {
        let error = read_with(table, |_| None).unwrap_err();
        assert!(error.contains(words), "{table}: {error}");
    }
    for (table, words) in [
        (
            "livekit_url = 'localhost:7880'",
            "livekit_url: found \"localhost:7880\"",
        ),
        (
            "livekit_webhook_key = 'other'",
            "livekit_webhook_secret: found nothing",
        ),
        (
            "livekit_webhook_key = 'other'\nlivekit_webhook_secret = ''",
            "livekit_webhook_secret: found an empty text",
        ),
        (
            "token_cache_ttl_seconds = 239",
            "token_cache_ttl_seconds: found 239, wanted at least 240",
        ),
        (
            "jwt_expiry_seconds = 241",
            "token_cache_ttl_seconds: found 300, wanted at least 301",
        ),
        (
            "jwt_expiry_seconds = 29",
            "jwt_expiry_seconds: found 29, wanted 30 to 3600",
        ),
        ("nip98_time_window = 0", "nip98_time_window: found 0"),
        (
            "rate_limit_tokens_per_ip = 0",
            "rate_limit_tokens_per_ip: found 0",
        ),
        (
            "operator_url = 'sidecar.example.com'",
            "operator_url: found \"sidecar.example.com\"",
        ),
        (
            "operator_url = 'https://example.com/calls'",
            "wanted no path",
        ),
        (
            "relay_url = 'https://relay.example.com'",
            "relay_url: found",
        ),
        ("blossom_url = 'media.example.com'", "blossom_url: found"),
        (
            "nostr_relays = ['relay.example.com']",
            "nostr_relays: found",
        ),
        (
            "redis_url = 'http://cache'",
            "redis_url: found another scheme",
        ),
        (
            "proxy_allowed_hosts = ['https://media.example.com']",
            "proxy_allowed_hosts: found",
        ),
        (
            "bounds = { offers = 1 }",
            "bounds.offers: found 1, wanted 100",
        ),
        ("token_response = 'sealed'", "unknown variant `sealed`"),
        (
            "livekit_uri = 'ws://localhost:7880'",
            "unknown field `livekit_uri`",
        ),
    ] {
        let error = read(table).unwrap_err();
        assert!(error.contains(words), "{table}: {error}");
    }
    let wrong = |name: &str| (name == "JWT_EXPIRY_SECONDS").then(|| "soon".to_owned());
    let error = read_with(LEAST, wrong).unwrap_err();
    assert_eq!(
        error,
        "JWT_EXPIRY_SECONDS: found no whole number in the environment"
    );
}

/// Keys without a default, which are shown with an example.
const EXAMPLES: [&str; 11] = [
    "livekit_client_url",
    "livekit_api_key",
    "livekit_api_secret",
    "livekit_webhook_key",
    "livekit_webhook_secret",
    "operator_url",
    "route_host",
    "relay_url",
    "blossom_url",
    "redis_url",
    "maintenance_deadline",
];

/// The shipped table without its marks of comment.
fn shipped() -> toml::Table {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../config/trellis.toml");
    let file = std::fs::read_to_string(file).unwrap();
    let (_, table) = file.split_once("\n#[extensions.livekit_token]\n").unwrap();
    let lines = table.lines().map_while(|line| match line {
        "" => Some(""),
        line => line.strip_prefix('#'),
    });
    let lines = lines.take_while(|line| !line.starts_with('['));
    let settings = lines.filter(|line| !line.starts_with(' '));
    settings.collect::<Vec<_>>().join("\n").parse().unwrap()
}

#[test]
fn l15_the_shipped_table_shows_every_key() {
    let shown: BTreeSet<String> = shipped().keys().cloned().collect();
    let schema = schemars::schema_for!(Config);
    let keys = schema.get("properties").unwrap().as_object().unwrap();
    let keys: BTreeSet<String> = keys.keys().cloned().collect();
    assert_eq!(shown, keys);
}

#[test]
fn l15_the_shipped_table_shows_defaults_and_readable_examples() {
    let mut table = shipped();
    let whole: Config = table.clone().try_into().unwrap();
    match whole.settle(|_| None) {
        Ok(_) => {}
        // Not every program has Redis.
        Err(error) => assert!(error.starts_with("redis_url: this program"), "{error}"),
    }
    table.retain(|key, _| !EXAMPLES.contains(&key));
    let shown = read(&toml::to_string(&table).unwrap()).unwrap();
    let defaults = read("").unwrap();
    assert_eq!(format!("{shown:?}"), format!("{defaults:?}"));
}
