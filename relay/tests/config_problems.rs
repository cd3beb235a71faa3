//! How a bad configuration is refused: all of it at once, each with place, key, finding, what is allowed and what was meant.

use std::path::Path;
use trellis_relay::clock::{Clock as _, SystemClock};
use trellis_relay::config::{self, ConfigError, Environment};

fn refused(text: &str) -> Vec<String> {
    match config::load_text(Path::new("t.toml"), text, &Environment::new()) {
        Err(ConfigError::Invalid(problems)) => problems.iter().map(ToString::to_string).collect(),
        other => panic!("should be refused: {other:?}"),
    }
}

fn accepted(text: &str) {
    if let Err(error) = config::load_text(Path::new("t.toml"), text, &Environment::new()) {
        panic!("{error}");
    }
}

#[test]
fn c12_unknown_keys_are_refused_with_the_nearest_one() {
    let text = "[limitation]\nmax_filterz = 3\n[netwrok]\nport = 1\n[data]\nmax_subscriptions = 4\n\
                [auth.req]\nip_whitelst = []\n[[rate_limiter.event]]\nname = 'a'\nperiod = 1\nlimit = 1\nknds = [1]";
    let problems = refused(text);
    for expected in [
        "t.toml:2: limitation.max_filterz: unknown key; did you mean limitation.max_filters?",
        "t.toml:3: netwrok: unknown key; did you mean network?",
        "t.toml:6: data.max_subscriptions: unknown key; did you mean limitation.max_subscriptions?",
        "t.toml:8: auth.req.ip_whitelst: unknown key; did you mean auth.req.ip_whitelist?",
        "t.toml:13: rate_limiter.event[0].knds: unknown key; did you mean rate_limiter.event[0].kinds?",
    ] {
        assert!(
            problems.iter().any(|problem| problem == expected),
            "{expected} in {problems:#?}"
        );
    }
    assert_eq!(problems.len(), 5, "{problems:#?}");
}

#[test]
fn c12_every_section_refuses_unknown_keys() {
    for section in [
        "information",
        "data",
        "network",
        "limitation",
        "metrics",
        "auth",
        "auth.req",
        "auth.event",
        "rate_limiter",
        "count",
        "search",
        "server",
        "thread",
        "operation",
        "protection",
        "log",
    ] {
        let problems = refused(&format!("[{section}]\nzzzzzzzzzzzz = 1"));
        assert_eq!(
            problems,
            [format!("t.toml:2: {section}.zzzzzzzzzzzz: unknown key")]
        );
    }
}

#[test]
fn c12_values_that_cannot_be_read_are_told_all_at_once() {
    let problems = refused(
        r#"
        [network]
        port = "http"
        trusted_proxies = ["localhost"]
        idle_timeout = "soon"
        [limitation]
        max_filters = 0
        created_at_exempt_kinds = [70000]
        unknown = 1
        [data]
        map_size = "64K"
        [auth]
        pubkey_whitelist = ["alice"]
        [operation]
        mode = "closed"
        [rate_limiter]
        event = [{ name = "n", limit = "many" }, 7]
        [count]
        enabled = "yes"
        [search]
        enabled = 1
        [metrics]
        auth = 12
        "#,
    );
    for expected in [
        "t.toml:3: network.port: cannot be read, found \"http\", allowed: a whole number from 0 to 65535",
        "t.toml:4: network.trusted_proxies: cannot be read, found [\"localhost\"], allowed: a list, each an IP address",
        "t.toml:5: network.idle_timeout: cannot be read, found \"soon\", allowed: a time such as",
        "t.toml:7: limitation.max_filters: cannot be read, found 0, allowed: a whole number from 1",
        "t.toml:8: limitation.created_at_exempt_kinds: cannot be read, found [70000], allowed: a list of kinds",
        "t.toml:9: limitation.unknown: unknown key",
        "t.toml:11: data.map_size: cannot be read, found \"64K\", allowed: bytes,",
        "t.toml:13: auth.pubkey_whitelist: cannot be read, found [\"alice\"], allowed: a list, each a public key",
        "t.toml:15: operation.mode: cannot be read, found \"closed\", allowed: \"normal\" or \"maintenance\" or",
        "t.toml:17: rate_limiter.event[0].limit: cannot be read, found \"many\", allowed: a whole number from 1",
        "t.toml:17: rate_limiter.event[0].period: is missing, allowed: a time",
        "t.toml:17: rate_limiter.event[1]: cannot be read, found 7, allowed: a table",
        "t.toml:19: count.enabled: cannot be read, found \"yes\", allowed: true or false",
        "t.toml:21: search.enabled: cannot be read, found 1, allowed: true or false",
        "t.toml:23: metrics.auth: cannot be read, found 12, allowed: text in quotes",
    ] {
        assert!(
            problems.iter().any(|problem| problem.starts_with(expected)),
            "{expected} in {problems:#?}"
        );
    }
    assert_eq!(problems.len(), 15, "{problems:#?}");
}

#[test]
fn c12_keys_that_do_not_fit_each_other_are_refused() {
    for (text, key) in [
        (
            "[limitation]\nmax_limit = 5\ndefault_limit = 6",
            "limitation.default_limit",
        ),
        ("[network]\nping_interval = 80", "network.idle_timeout"),
        ("[network]\nwrite_timeout = '2m'", "network.write_timeout"),
        (
            "[network]\nhandshake_timeout = 0",
            "network.handshake_timeout",
        ),
        ("[network]\noutbox_bytes = '512KiB'", "network.outbox_bytes"),
        (
            "[network]\nrelay_url = 'https://relay.example.com'",
            "network.relay_url",
        ),
        (
            "[network]\nallowed_origins = ['https://a.example/path']",
            "network.allowed_origins",
        ),
        ("[network]\nhost = '127.0.0.1:80'", "network.host"),
        ("[data]\nin_flight_bytes = 5", "data.in_flight_bytes"),
        ("[data]\nmap_size = 5", "data.map_size"),
        ("[information]\nicon = 'ftp://x'", "information.icon"),
        (
            "[information.extra]\nsupported_nips = [1]",
            "information.extra.supported_nips",
        ),
        ("[information.extra]\nname = 'x'", "information.extra.name"),
        (
            "[auth.event]\npubkey_whitelist = []",
            "auth.event.pubkey_whitelist",
        ),
        (
            "[operation]\nmaintenance_from = 5\nmaintenance_until = 5",
            "operation.maintenance_until",
        ),
        ("[log]\nfilter = 'debgu'", "log.filter"),
        ("[log]\nfilter = 'a=b=c'", "log.filter"),
        ("[search]\nenabled = true", "search.enabled"),
        ("[operation]\nmode = 'asleep'", "operation.mode"),
        (
            "rate_limiter.req = [{ name = 'a', period = 0, limit = 1 }]",
            "rate_limiter.req[0].period",
        ),
        (
            "rate_limiter.bytes = [{ name = 'a', period = 1, limit = 0 }]",
            "rate_limiter.bytes[0].limit",
        ),
        (
            "[rate_limiter]\nneg = [{ name = 'a', period = 1, limit = 1 }]\nconnection = [{ name = 'a', period = 1, limit = 1 }]",
            "rate_limiter.connection[0].name",
        ),
        ("[server]\nport = 1\n[network]\nport = 2", "server.port"),
        (
            "rate_limiter.event = [{ name = 'a', period = 1, limit = 1 }, { name = 'a', period = 1, limit = 1 }]",
            "rate_limiter.event[1].name",
        ),
    ] {
        let problems = refused(text);
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(
            problems[0].starts_with("t.toml") || problems[0].starts_with("default"),
            "{problems:?}"
        );
        assert!(problems[0].contains(&format!(": {key}: ")), "{problems:?}");
    }
    accepted("[server]\nport = 2\n[network]\nport = 2");
}

#[test]
fn c28_a_maintenance_that_is_over_or_comes_too_soon_is_noted() {
    let notes = |text: &str| {
        let loaded = config::load_text(Path::new("t.toml"), text, &Environment::new());
        loaded.expect("loads").notes.join("\n")
    };
    let now_s = SystemClock.now_s();
    let soon = format!("[operation]\nmaintenance_from = {}", now_s + 3_600);
    assert!(notes(&soon).contains("operation.maintenance_from is less than 72 hours ahead"));
    let later = format!("[operation]\nmaintenance_from = {}", now_s + 80 * 3_600);
    assert_eq!(notes(&later), "");
    let over = "[operation]\nmaintenance_from = 5\nmaintenance_until = 6";
    assert!(notes(over).contains("operation.maintenance_until has passed"));
}

#[test]
fn c12_two_names_for_one_key_are_both_named() {
    let problems = refused("[server]\nworkers = 2\n[thread]\nhttp = 3");
    assert!(
        problems[0].starts_with("t.toml:2: server.workers: "),
        "{problems:?}"
    );
    assert!(
        problems[0].contains("thread.http (t.toml:4), which is 3, found 2"),
        "{problems:?}"
    );
}

#[test]
fn c12_syntax_errors_name_the_line_and_show_no_value() {
    let problems = refused("[metrics]\nauth = \"canary\n[data]\npath = = 3\n");
    assert!(problems.len() >= 2, "{problems:?}");
    assert!(
        problems[0].starts_with("t.toml:2: not valid TOML: "),
        "{problems:?}"
    );
    assert!(
        problems.iter().all(|problem| !problem.contains("canary")),
        "{problems:?}"
    );
}

#[test]
fn c12_a_file_that_is_not_there_is_named() {
    let error =
        config::load(Some(Path::new("/nowhere/t.toml")), &Environment::new()).expect_err("refused");
    assert!(
        error
            .to_string()
            .starts_with("/nowhere/t.toml: cannot read"),
        "{error}"
    );
}

#[test]
fn c12_tables_below_extensions_are_handed_on_raw() {
    let text = "[extensions.mls_gateway]\nanything = 1\nnested = { goes = [1, 2] }\nwhen = 2030-01-01\n[extensions.x]";
    let loaded = config::load_text(Path::new("t.toml"), text, &Environment::new()).expect("loads");
    assert_eq!(loaded.config.extensions.len(), 2);
    assert_eq!(
        loaded.config.extensions["mls_gateway"]["nested"]["goes"][1].as_integer(),
        Some(2)
    );
    let problems = refused("[extensions]\nmls_gateway = 5");
    assert!(problems[0].starts_with(
        "t.toml:2: extensions.mls_gateway: cannot be read, found 5, allowed: a table"
    ));
}

#[test]
fn c12_a_placeholder_of_an_extension_that_is_off_is_no_problem() {
    accepted("[extensions.mls_gateway]\nenabled = false\nproject_id = 'your-gcp-project'");
    assert_eq!(
        refused("[extensions.mls_gateway]\nproject_id = 'your-gcp-project'").len(),
        1
    );
}
