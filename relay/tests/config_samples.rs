//! Whole files: the samples other deployments start from, and the files this repository ships.

use std::path::{Path, PathBuf};
use trellis_relay::config::{self, Config, ConfigError, Environment, Loaded, Origin, TimeSpan};

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

fn environment(variables: &[(&str, &str)]) -> Environment {
    variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn load(path: &str) -> Loaded {
    match config::load(Some(&repository(path)), &Environment::new()) {
        Ok(loaded) => loaded,
        Err(error) => panic!("{error}"),
    }
}

fn text_with(path: &str, placeholder: &str, value: &str) -> String {
    let text = std::fs::read_to_string(repository(path)).expect("sample");
    assert!(text.contains(value), "{value}");
    text.replacen(value, placeholder, 1)
}

fn refused(text: &str) -> Vec<String> {
    match config::load_text(Path::new("sample.toml"), text, &Environment::new()) {
        Err(ConfigError::Invalid(problems)) => problems.iter().map(ToString::to_string).collect(),
        other => panic!("should be refused: {other:?}"),
    }
}

#[test]
fn c12_the_mls_secure_sample_loads_unmodified() {
    let loaded = load("tests/data/sample-mls-secure.toml");
    let config = &loaded.config;
    assert_eq!(config.information.name, "MLS Secure Relay");
    assert_eq!(
        config.information.software.as_deref(),
        Some("https://github.com/rnostr/rnostr")
    );
    assert_eq!(config.data.db_query_timeout, TimeSpan::from_millis(100));
    assert_eq!(
        (config.network.host.as_str(), config.network.port),
        ("0.0.0.0", 8080)
    );
    assert_eq!(config.limitation.max_message_length.bytes(), 1_048_576);
    assert_eq!(config.limitation.max_subid_length, 100);
    assert_eq!(
        config.limitation.max_event_time_older_than_now,
        Some(TimeSpan::from_secs(94_608_000))
    );
    assert!(config.auth.enabled && !config.count.enabled && !config.search.enabled);
    let [group, noise] = config.rate_limiter.event.as_slice() else {
        panic!("two rules")
    };
    assert_eq!((group.limit, group.period), (100, TimeSpan::from_secs(60)));
    assert!(
        group
            .kinds
            .as_ref()
            .is_some_and(|kinds| kinds.contains(445) && !kinds.contains(446))
    );
    assert_eq!((noise.name.as_str(), noise.limit), ("noise_dms", 50));
    assert_eq!(
        config.metrics.auth.as_ref().map(|key| key.reveal()),
        Some("3d1f0c6f5f8e4b7d9a52")
    );
    assert_eq!(
        loaded
            .notes
            .iter()
            .filter(|note| note.contains("min_prefix"))
            .count(),
        1
    );
}

#[test]
fn c12_the_mls_gateway_sample_loads_unmodified() {
    let loaded = load("tests/data/sample-mls-gateway.toml");
    let config = &loaded.config;
    assert_eq!(
        (config.network.host.as_str(), config.network.port),
        ("0.0.0.0", 8080)
    );
    assert_eq!(config.thread.http, 2);
    assert_eq!(config.server, config::Server::default());
    let members = config
        .auth
        .req
        .pubkey_whitelist
        .clone()
        .expect("whitelist for reading");
    assert_eq!(members.len(), 2);
    assert_eq!(config.auth.event.pubkey_whitelist.as_ref(), Some(&members));
    let gateway = &config.extensions["mls_gateway"];
    assert_eq!(gateway["keypackage_ttl"].as_integer(), Some(86_400));
    assert_eq!(
        gateway["project_id"].as_str(),
        Some("trellis-sample-project")
    );
    assert_eq!(gateway["admin_pubkeys"].as_array().map(Vec::len), Some(0));
    assert_eq!(
        gateway["rate_limits"]["max_keypackages_per_hour"].as_integer(),
        Some(10)
    );
    assert!(matches!(
        loaded.origin("network.port"),
        Origin::File { line: Some(3), .. }
    ));
}

#[test]
fn c12_unreplaced_placeholders_stop_the_start_and_name_the_key() {
    let secure = "tests/data/sample-mls-secure.toml";
    let gateway = "tests/data/sample-mls-gateway.toml";
    let key = "3d1f0c6f5f8e4b7d9a52";
    let npub = "npub10elfcs4fr0l0r8af98jlmgdh9c8tcxjvz9qkw038js35mp4dma8qzvjptg";
    for (text, named) in [
        (
            text_with(secure, "replace_with_secure_metrics_key", key),
            "metrics.auth",
        ),
        (
            text_with(gateway, "your-gcp-project", "trellis-sample-project"),
            "extensions.mls_gateway.project_id",
        ),
        (
            text_with(gateway, "your-allowed-pubkey-1", npub),
            "auth.pubkey_whitelist[0]",
        ),
        (
            text_with(gateway, "npub1...", npub),
            "auth.pubkey_whitelist[0]",
        ),
    ] {
        let problems = refused(&text);
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(
            problems[0].contains(named) && problems[0].contains("placeholder"),
            "{problems:?}"
        );
        assert!(problems[0].starts_with("sample.toml:"), "{problems:?}");
    }
}

#[test]
fn c12_a_variable_replaces_a_placeholder() {
    let text = text_with(
        "tests/data/sample-mls-gateway.toml",
        "your-gcp-project",
        "trellis-sample-project",
    );
    let variables = environment(&[("GOOGLE_CLOUD_PROJECT", "real-project")]);
    let loaded = config::load_text(Path::new("sample.toml"), &text, &variables).expect("loads");
    assert_eq!(
        loaded.config.extensions["mls_gateway"]["project_id"].as_str(),
        Some("real-project")
    );
}

#[test]
fn c23_without_file_and_variables_the_defaults_hold() {
    let loaded = config::load(None, &Environment::new()).expect("defaults");
    assert_eq!(loaded.config, Config::default());
    assert!(
        loaded.notes[0].contains("127.0.0.1:8080"),
        "{:?}",
        loaded.notes
    );
}

#[test]
fn c11_the_profiles_load_as_they_are_shipped() {
    let city = load("config/synchrono-city.toml").config;
    assert_eq!(
        city.limitation.max_event_time_older_than_now,
        Some(TimeSpan::from_secs(300))
    );
    assert_eq!(
        city.limitation.max_event_time_newer_than_now,
        TimeSpan::from_secs(300)
    );
    assert!(city.limitation.created_at_exempt_kinds.contains(1059));
    for (kind, bits) in [
        (9007, 28),
        (1020, 24),
        (0, 20),
        (30022, 16),
        (20002, 12),
        (10006, 12),
        (20011, 8),
        (1, 0),
    ] {
        assert_eq!(city.pow.bits(kind), bits, "{kind}");
    }
    assert_eq!(
        city.information.extra["synchrono_city"]["version"].as_str(),
        Some("1.0.0")
    );

    let sample = load("tests/data/sample-mls-secure.toml").config;
    let secure = load("config/mls-secure.toml").config;
    assert!(secure.auth.required);
    assert_eq!(secure.rate_limiter, sample.rate_limiter);
    assert_eq!(secure.data, sample.data);
    assert_eq!((secure.count, secure.search), (sample.count, sample.search));
    let prefix_dropped = config::Limitation {
        min_prefix: None,
        ..sample.limitation
    };
    assert_eq!(secure.limitation, prefix_dropped);

    let fleet = load("config/hyperqube.toml").config;
    assert_eq!(fleet.rate_limiter.event.len(), 2);
}
