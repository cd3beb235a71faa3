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
