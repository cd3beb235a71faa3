//! What the environment sets, what it cannot set, and what an operator is shown of it.

use std::path::Path;
use trellis_relay::config::{self, Config, Environment, Loaded, Origin};

fn environment(variables: &[(&str, &str)]) -> Environment {
    variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn load(text: &str, variables: &[(&str, &str)]) -> Loaded {
    match config::load_text(Path::new("t.toml"), text, &environment(variables)) {
        Ok(loaded) => loaded,
        Err(error) => panic!("{error}"),
    }
}

fn without_file(variables: &[(&str, &str)]) -> Loaded {
    config::load(None, &environment(variables)).expect("loads")
}

fn refused(text: &str, variables: &[(&str, &str)]) -> Vec<String> {
    let error =
        config::load_text(Path::new("t.toml"), text, &environment(variables)).expect_err("refused");
    error.problems().iter().map(ToString::to_string).collect()
}

fn variable(name: &str) -> Origin {
    Origin::Environment {
        name: name.to_owned(),
    }
}

#[test]
fn c13_every_form_of_key_can_be_set() {
    let loaded = load(
        "[limitation]\nmax_filters = 5",
        &[
            ("TRELLIS_LIMITATION__MAX_FILTERS", "7"),
            ("TRELLIS_DATA__DB_QUERY_TIMEOUT", "250ms"),
            ("TRELLIS_AUTH__REQ__IP_WHITELIST", "10.0.0.0/8, 192.0.2.1"),
            (
                "TRELLIS_PROTECTION__READ_PROTECTED_KINDS",
                "[4, [1059, 1061]]",
            ),
            ("TRELLIS_POW__9007", "28"),
            ("TRELLIS_INFORMATION__EXTRA__FEES", "{ amount = 5 }"),
            (
                "TRELLIS_RATE_LIMITER__EVENT",
                "[{ name = \"n\", period = \"1m\", limit = 3 }]",
            ),
            ("TRELLIS_EXTENSIONS__MLS_GATEWAY__PROJECT_ID", "my-project"),
            (
                "TRELLIS_EXTENSIONS__MLS_GATEWAY__RATE_LIMITS__MAX_EVENTS_PER_MINUTE",
                "9",
            ),
        ],
    );
    let config = &loaded.config;
    assert_eq!(config.limitation.max_filters, 7);
    assert_eq!(config.data.db_query_timeout.as_millis(), 250);
    assert_eq!(config.auth.req.ip_whitelist.as_ref().map(Vec::len), Some(2));
    assert!(config.protection.read_protected_kinds.contains(1060));
    assert_eq!(config.pow.bits(9007), 28);
    assert_eq!(
        config.information.extra["fees"]["amount"].as_integer(),
        Some(5)
    );
    assert_eq!(config.rate_limiter.event[0].limit, 3);
    let gateway = &config.extensions["mls_gateway"];
    assert_eq!(gateway["project_id"].as_str(), Some("my-project"));
    assert_eq!(
        gateway["rate_limits"]["max_events_per_minute"].as_integer(),
        Some(9)
    );
    assert_eq!(
        *loaded.origin("limitation.max_filters"),
        variable("TRELLIS_LIMITATION__MAX_FILTERS")
    );
}

#[test]
fn c13_an_extension_key_keeps_the_type_the_file_gives_it() {
    let file = "[extensions.x]\nlist = [\"a\"]\nversion = \"1\"\ncount = 1";
    let loaded = load(
        file,
        &[
            ("TRELLIS_EXTENSIONS__X__LIST", "b,c"),
            ("TRELLIS_EXTENSIONS__X__VERSION", "2"),
            ("TRELLIS_EXTENSIONS__X__COUNT", "2"),
            ("TRELLIS_EXTENSIONS__X__ENABLED", "false"),
        ],
    );
    let table = &loaded.config.extensions["x"];
    assert_eq!(table["list"].as_array().map(Vec::len), Some(2));
    assert_eq!(table["version"].as_str(), Some("2"));
    assert_eq!(table["count"].as_integer(), Some(2));
    assert_eq!(table["enabled"].as_bool(), Some(false));
}

#[test]
fn c13_names_that_deployments_already_use_are_honoured() {
    let loaded = load(
        "[network]\nport = 1\n[extensions.mls_gateway]",
        &[
            ("PORT", "9000"),
            ("LOG_LEVEL", "debug"),
            ("METRICS_AUTH_KEY", "hunter2"),
            ("NOSTR_AUTH_REQUIRED", "true"),
            ("ALLOWED_ORIGINS", "https://a.example,https://b.example"),
            ("AUX_DB_URL", "sqlite:///app/data/mls_auxiliary.db"),
            ("FIREBASE_PROJECT_ID", "from-firebase"),
            ("GOOGLE_APPLICATION_CREDENTIALS", "/run/key.json"),
        ],
    );
    let config = &loaded.config;
    assert_eq!(config.network.port, 9000);
    assert_eq!(config.log.filter, "debug");
    assert_eq!(
        config.metrics.auth.as_ref().map(|key| key.reveal()),
        Some("hunter2")
    );
    assert!(config.auth.required);
    assert_eq!(
        config.network.allowed_origins,
        ["https://a.example", "https://b.example"]
    );
    let gateway = &config.extensions["mls_gateway"];
    assert_eq!(
        gateway["database_url"].as_str(),
        Some("sqlite:///app/data/mls_auxiliary.db")
    );
    assert_eq!(gateway["project_id"].as_str(), Some("from-firebase"));
    assert_eq!(
        loaded.google_credentials.as_deref(),
        Some(Path::new("/run/key.json"))
    );
    assert_eq!(*loaded.origin("network.port"), variable("PORT"));
}

#[test]
fn c13_of_two_names_for_one_key_the_stronger_wins() {
    let loaded = without_file(&[("RUST_LOG", "trace"), ("LOG_LEVEL", "warn")]);
    assert_eq!(
        (
            loaded.config.log.filter.as_str(),
            loaded.origin("log.filter")
        ),
        ("trace", &variable("RUST_LOG"))
    );
    let loaded = without_file(&[
        ("PORT", "1"),
        ("TRELLIS_NETWORK__PORT", "2"),
        ("RUST_LOG", ""),
    ]);
    assert_eq!(
        (
            loaded.config.network.port,
            loaded.config.log.filter.as_str()
        ),
        (2, "info")
    );
    let projects = [
        ("GOOGLE_CLOUD_PROJECT", "google"),
        ("FIREBASE_PROJECT_ID", "firebase"),
    ];
    let loaded = load("[extensions.mls_gateway]", &projects);
    assert_eq!(
        loaded.config.extensions["mls_gateway"]["project_id"].as_str(),
        Some("google")
    );
}

#[test]
fn c13_variables_of_an_extension_count_only_where_it_has_a_table() {
    let loaded = without_file(&[
        ("AUX_DB_URL", "sqlite://x.db"),
        ("GOOGLE_CLOUD_PROJECT", "p"),
    ]);
    assert!(loaded.config.extensions.is_empty());
}

#[test]
fn c13_unknown_variables_are_refused_with_the_nearest_name() {
    let problems = refused(
        "",
        &[
            ("TRELLIS_LIMITATION__MAX_FILTER", "1"),
            ("TRELLIS_NETWORK_PORT", "1"),
            ("TRELLIS_EXTENSIONS", "{}"),
            ("TRELLIS_SERVICE_HOST", "10.0.0.1"),
            ("TRELLIS_PORT", "tcp://10.0.0.1:8080"),
            ("PATH", "/bin"),
        ],
    );
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(
        problems[0].contains("did you mean TRELLIS_LIMITATION__MAX_FILTERS?"),
        "{problems:?}"
    );
    assert!(
        problems[1].contains("did you mean TRELLIS_NETWORK__PORT?"),
        "{problems:?}"
    );
}

#[test]
fn c13_a_value_that_cannot_be_read_names_its_variable() {
    let problems = refused(
        "",
        &[
            ("PORT", "http"),
            ("NOSTR_AUTH_REQUIRED", "maybe"),
            ("TRELLIS_POW__1", "9999"),
        ],
    );
    assert_eq!(problems.len(), 3, "{problems:?}");
    assert_eq!(
        problems[1],
        "environment variable PORT: network.port: cannot be read, found \"http\", \
         allowed: a whole number from 0 to 65535"
    );
}

#[test]
fn c13_a_platform_that_hands_out_the_port_is_listened_to_on_every_address() {
    for (variables, host) in [
        (vec![], "127.0.0.1"),
        (vec![("PORT", "9000")], "0.0.0.0"),
        (vec![("K_SERVICE", "relay")], "0.0.0.0"),
        (
            vec![("PORT", "9000"), ("TRELLIS_NETWORK__HOST", "::1")],
            "::1",
        ),
    ] {
        assert_eq!(
            without_file(&variables).config.network.host,
            host,
            "{variables:?}"
        );
    }
    assert_eq!(
        load("[server]\nhost = '127.0.0.1'", &[("PORT", "1")])
            .config
            .network
            .host,
        "127.0.0.1"
    );
    assert!(without_file(&[("K_SERVICE", "relay")]).on_cloud_run);
    assert_eq!(
        *without_file(&[("PORT", "1")]).origin("network.host"),
        variable("PORT")
    );
}

#[test]
fn c13_a_variable_beats_the_file_under_either_name_of_a_key() {
    let loaded = load(
        "[server]\nport = 1\n[network]\nhost = '::1'",
        &[("PORT", "9000")],
    );
    assert_eq!(loaded.config.network.port, 9000);
    let loaded = load(
        "[network]\nport = 1",
        &[("TRELLIS_SERVER__PORT", "9001"), ("PORT", "9000")],
    );
    assert_eq!(loaded.config.network.port, 9001);
}

#[test]
fn c13_every_value_is_explained_and_secrets_are_masked() {
    let file = r#"
        [metrics]
        auth = "canary-metrics"
        [extensions.mls_gateway]
        acl_token = "canary-token"
        service_tokens = ["canary-service"]
        api_key = "canary-key"
        admin_password = "canary-password"
        keypackage_visibility = "public"
        nested = { client_secret = "canary-nested" }
        "#;
    let loaded = load(
        file,
        &[
            ("AUX_DB_URL", "postgresql://user:canary-db@host/db"),
            ("PORT", "9000"),
        ],
    );
    let explanation = loaded.explain(&[]);
    let (text, json) = (
        explanation.to_string(),
        serde_json::to_string(&explanation).expect("json"),
    );
    for shown in [&text, &json, &format!("{loaded:?}")] {
        assert!(!shown.contains("canary"), "{shown}");
    }
    for line in [
        ("network.port = 9000", "# environment variable PORT"),
        ("limitation.max_filters = 20", "# default"),
        ("limitation.default_limit = none", "# default"),
        ("metrics.auth = \"********\"", "# t.toml:3"),
        (
            "extensions.mls_gateway.keypackage_visibility = \"public\"",
            "# t.toml:9",
        ),
        (
            "extensions.mls_gateway.database_url = \"postgresql://user:********@host/db\"",
            "variable AUX_DB_URL",
        ),
    ] {
        let found = text
            .lines()
            .any(|one| one.starts_with(line.0) && one.ends_with(line.1));
        assert!(found, "{line:?} in {text}");
    }
    let port = explanation
        .keys
        .iter()
        .find(|one| one.key == "network.port")
        .expect("port");
    assert_eq!(
        serde_json::to_value(port).expect("json")["origin"]["name"],
        "PORT"
    );
}

#[test]
fn c31_with_defaults_no_key_opens_an_outgoing_connection() {
    let explanation = Loaded::defaults().explain(&[]);
    assert_eq!(explanation.outgoing, []);
    assert!(
        explanation
            .to_string()
            .contains("outgoing connection: none")
    );
    assert_eq!(Loaded::defaults().config, Config::default());
}

#[test]
fn c31_keys_that_open_one_are_listed() {
    let declared = [
        ("extensions.mls_gateway.project_id", "Firestore"),
        ("extensions.mls_gateway", "the registry of groups"),
        ("extensions.off", "anything"),
    ]
    .map(|(key, opens)| (key.to_owned(), opens.to_owned()));
    let file = r#"
        [network]
        relay_url = "wss://relay.example.com"
        [extensions.mls_gateway]
        project_id = "p"
        acl_url = "https://user:canary@acl.example.com"
        database_url = "sqlite://x.db"
        [extensions.off]
        enabled = false
        url = "https://off.example.com"
        "#;
    let outgoing = load(file, &[]).explain(&declared).outgoing;
    let keys: Vec<&str> = outgoing.iter().map(|one| one.key.as_str()).collect();
    assert_eq!(
        keys,
        [
            "extensions.mls_gateway",
            "extensions.mls_gateway.acl_url",
            "extensions.mls_gateway.project_id"
        ]
    );
    assert_eq!(
        outgoing[1].value,
        "\"https://user:********@acl.example.com\""
    );
    assert_eq!(outgoing[2].opens, "Firestore");
}
