//! C13: what the environment says beats the file, under our names and those that platforms use.

use trellis_test_support::http::{self, relay_information};
use trellis_test_support::{Author, Client, free_port, json, trellis};

/// A port that was free a moment ago.
#[tokio::test]
async fn c13_variables_beat_the_file() {
    let relay = trellis!()
        .config("[information]\nname = \"file\"\ndescription = \"file\"\n[limitation]\nmax_subscriptions = 7")
        .env("TRELLIS_INFORMATION__NAME", "environment")
        .env("TRELLIS_LIMITATION__MAX_SUBSCRIPTIONS", "2")
        .env("TRELLIS_LIMITATION__MAX_EVENT_TIME_NEWER_THAN_NOW", "2m")
        .start()
        .await;
    let information = relay_information(&relay).await;
    assert_eq!(information["name"], "environment");
    assert_eq!(information["description"], "file");
    assert_eq!(information["limitation"]["max_subscriptions"], 2);
    assert_eq!(information["limitation"]["created_at_upper_limit"], 120);
}

#[tokio::test]
async fn c13_a_variable_that_names_no_key_or_holds_no_value_stops_the_start() {
    for (name, value, words) in [
        (
            "TRELLIS_LIMITATION__MAX_SUBSCRIPTION",
            "2",
            "did you mean TRELLIS_LIMITATION__MAX_SUBSCRIPTIONS",
        ),
        ("TRELLIS_LIMITATION__MAX_SUBSCRIPTIONS", "many", "many"),
        ("TRELLIS_NETWORK__HANDSHAKE_TIMEOUT", "soon", "soon"),
    ] {
        let setup = trellis!().env(name, value);
        setup.serve_to_end().await.assert_failure(&[name, words]);
    }
}

#[tokio::test]
async fn c13_port_is_honoured_on_all_addresses_and_our_own_name_beats_it() {
    let port = free_port();
    let relay = trellis!()
        .without_env("TRELLIS_NETWORK__PORT")
        .config("[network]\nport = 1")
        .env("PORT", &port.to_string())
        .start()
        .await;
    assert_eq!(relay.address().port(), port);
    relay.wait_for_log(0, "0.0.0.0").await;
    drop(relay);
    let relay = trellis!().env("PORT", &port.to_string()).start().await;
    assert_ne!(
        relay.address().port(),
        port,
        "TRELLIS_NETWORK__PORT is 0: any free port"
    );
}

#[tokio::test]
async fn c13_nostr_auth_required_closes_the_relay_to_strangers() {
    let relay = trellis!().env("NOSTR_AUTH_REQUIRED", "true").start().await;
    let mut client = Client::connect(&relay).await;
    let author = Author::new();
    let event = author.note("hello");
    client
        .publish(&event)
        .await
        .assert_refused("auth-required:", "");
    let reason = client
        .ask(&[json!({"kinds": [1]})])
        .await
        .expect_err("closed");
    assert!(reason.starts_with("auth-required: "), "{reason}");
    client.login(&author).await;
    client.store(&event).await;
    assert_eq!(client.query(json!({"kinds": [1]})).await, [event]);
    assert_eq!(
        relay_information(&relay).await["limitation"]["auth_required"],
        true
    );
}

#[tokio::test]
async fn c13_metrics_auth_key_guards_the_metrics() {
    let relay = trellis!()
        .env("METRICS_AUTH_KEY", "k3y-0f-m3trics")
        .start()
        .await;
    for (path, header, status) in [
        ("/metrics", "", 401),
        ("/metrics?auth=wrong", "", 401),
        ("/metrics?auth=k3y-0f-m3trics", "", 200),
        ("/metrics", "Bearer k3y-0f-m3trics", 200),
        ("/metrics", "Bearer k3y", 401),
    ] {
        let headers = [("Authorization", header)];
        let headers = if header.is_empty() {
            &headers[..0]
        } else {
            &headers[..]
        };
        let response = http::get(&relay, path, headers).await;
        assert_eq!(
            response.status, status,
            "{path} {header}: {}",
            response.body
        );
    }
    assert!(
        !relay.log().contains("k3y-0f-m3trics"),
        "a secret in the log"
    );
}

#[tokio::test]
async fn c13_allowed_origins_are_those_that_are_named() {
    let relay = trellis!()
        .env("ALLOWED_ORIGINS", "https://a.example,https://b.example")
        .start()
        .await;
    for path in ["/health", "/no-such-route"] {
        for (origin, allowed) in [
            ("https://a.example", Some("https://a.example")),
            ("https://b.example", Some("https://b.example")),
            ("https://evil.example", None),
        ] {
            let response = http::get(&relay, path, &[("Origin", origin)]).await;
            let header = response.header("access-control-allow-origin");
            assert_eq!(header, allowed, "{path} for {origin}");
        }
    }
}

#[tokio::test]
async fn c13_rust_log_beats_log_level() {
    let quiet = trellis!()
        .env("LOG_LEVEL", "trace")
        .env("RUST_LOG", "info")
        .start()
        .await;
    let loud = trellis!().env("LOG_LEVEL", "trace").start().await;
    for relay in [&quiet, &loud] {
        Client::connect(relay).await.assert_alive().await;
    }
    assert!(!quiet.log().contains("TRACE"), "{}", quiet.log());
    loud.wait_for_log(0, "TRACE").await;
}

#[tokio::test]
async fn c13_explain_shows_values_with_their_origins_and_no_secret() {
    let setup = trellis!()
        .config("[information]\nname = \"from the file\"")
        .env("TRELLIS_LIMITATION__MAX_FILTERS", "13")
        .env("METRICS_AUTH_KEY", "k3y-0f-m3trics");
    let file = setup.config_file().display().to_string();
    let explained = setup.run(&["config", "explain", "-c", &file]).await;
    explained.assert_success();
    let line = |words: &str| -> String {
        let found = explained.stdout.lines().find(|line| line.contains(words));
        found
            .unwrap_or_else(|| panic!("{words} is not in {}", explained.stdout))
            .to_owned()
    };
    assert!(
        line("from the file").contains("config.toml"),
        "{}",
        explained.stdout
    );
    assert!(explained.stdout.contains("TRELLIS_LIMITATION__MAX_FILTERS"));
    assert!(explained.stdout.contains("METRICS_AUTH_KEY"));
    assert!(
        !explained.text().contains("k3y-0f-m3trics"),
        "a secret is shown"
    );
    let check = setup.run(&["config", "check", "-c", &file]).await;
    assert!(
        !check.assert_success().text().contains("k3y-0f-m3trics"),
        "a secret is shown"
    );
}

/// What `c13_explain_shows_what_calls_read_from_the_environment` gives a variable.
fn value_for_calls(name: &str) -> &'static str {
    match name {
        "OPERATOR_URL" | "BLOSSOM_URL" => "https://calls.example",
        "REDIS_URL" => "redis://user:k3y-0f-c4lls@redis.example",
        "AUTHORIZED_COMMUNITIES" => {
            "82341f882b6eabcd2ba7f1ef90aad961cf074af15b9ef44a09f9d2a8fbfbe6a2"
        }
        "TOKEN_CACHE_TTL_SECONDS" => "321",
        _ if name.ends_with("_KEY") || name.ends_with("_SECRET") => {
            "k3y-0f-c4lls-0123456789-0123456789"
        }
        _ if name.ends_with("_URL") || name == "NOSTR_RELAYS" => "wss://calls.example",
        _ => "61",
    }
}

/// The extension reads these by itself; operators look for them in what is explained.
#[tokio::test]
async fn c13_explain_shows_what_calls_read_from_the_environment() {
    let source = include_str!("../extensions/livekit-token/src/config/environment.rs");
    let is_name = |word: &&str| {
        let is_part = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
        word.contains('_') && word.bytes().all(is_part)
    };
    let names: Vec<&str> = source.split('"').filter(is_name).collect();
    assert!(names.len() > 20, "{names:?}");
    let mut setup = trellis!().config(
        "[extensions.livekit_token]\nlivekit_url = \"ws://file.example\"\nrate_limit_window_seconds = 7",
    );
    for name in &names {
        setup = setup.env(name, value_for_calls(name));
    }
    // The extension's own reading beats this name, and what is in force is shown.
    let ours = "TRELLIS_EXTENSIONS__LIVEKIT_TOKEN__LIVEKIT_CLIENT_URL";
    setup = setup.env(ours, "ws://ours.example");
    let file = setup.config_file().display().to_string();
    let explained = setup.run(&["config", "explain", "-c", &file]).await;
    explained.assert_success();
    for name in names {
        let key = format!("extensions.livekit_token.{} = ", name.to_ascii_lowercase());
        let line = explained.stdout.lines().find(|line| line.starts_with(&key));
        let line = line.unwrap_or_else(|| panic!("{key} is not in {}", explained.stdout));
        assert!(line.contains(name), "{line}");
    }
    for words in ["file.example", "ours.example", "k3y-0f-c4lls"] {
        assert!(!explained.text().contains(words), "{}", explained.stdout);
    }
    // The table's own name has "token" in it, which hides nothing of what is in it.
    for words in [
        "window_seconds = 61",
        "livekit_url = \"wss://calls.example\"",
    ] {
        assert!(explained.stdout.contains(words), "{}", explained.stdout);
    }
}
