//! E1: the hooks beside the flow of events: connections, pages, management and the command line.

use trellis_test_support::http::{self, Response, relay_information};
use trellis_test_support::probe::{self, calls, notes};
use trellis_test_support::{Author, Client, Relay, Setup, Value, json, trellis_probe, wait};

const RPC: &str = "application/nostr+json+rpc";

fn setup(hooks: &[&str]) -> Setup {
    trellis_probe!().config(&probe::table(hooks, ""))
}

#[tokio::test]
async fn e1_session_is_told_of_coming_authenticating_and_going() {
    let relay = setup(&["session"]).start().await;
    let mut client = Client::connect(&relay).await;
    client.login(&Author::new()).await;
    client.login(&Author::new()).await;
    let other = Client::connect(&relay).await;
    drop(client);
    let told = wait::until("a note of the end", async || {
        let told = notes(&relay).await;
        told.iter()
            .any(|note| note.starts_with("closed"))
            .then_some(told)
    })
    .await;
    let session = told[0].rsplit(' ').next().expect("a number").to_owned();
    let own: Vec<&String> = told
        .iter()
        .filter(|note| note.ends_with(&format!(" {session}")))
        .collect();
    let expected = ["connected", "authenticated", "authenticated", "closed"];
    let expected = expected.map(|word| format!("{word} {session}"));
    assert_eq!(own, expected.iter().collect::<Vec<_>>());
    drop(other);
    wait::until("the end of the other", async || {
        let closed = notes(&relay)
            .await
            .iter()
            .filter(|it| it.starts_with("closed"))
            .count();
        (closed == 2).then_some(())
    })
    .await;
}

#[tokio::test]
async fn e1_session_is_told_once_of_every_connection_however_it_ends() {
    let relay = setup(&["session"]).start().await;
    let mut clients = Vec::new();
    for _ in 0..20 {
        clients.push(Client::connect(&relay).await);
    }
    for (at, mut client) in clients.into_iter().enumerate() {
        if at % 2 == 0 {
            // Refused as too long: the relay closes.
            let text = "x".repeat(1 << 20);
            let _ = client
                .try_send(trellis_test_support::client::text(&text))
                .await;
            client.closed_by_relay().await;
        }
    }
    let told = wait::until("the end of all", async || {
        let told = notes(&relay).await;
        let closed = told
            .iter()
            .filter(|note| note.starts_with("closed"))
            .count();
        (closed >= 20).then_some(told)
    })
    .await;
    let mut sessions: Vec<&str> = told
        .iter()
        .filter_map(|note| note.strip_prefix("closed "))
        .collect();
    sessions.sort_unstable();
    sessions.dedup();
    assert_eq!(sessions.len(), 20);
    assert_eq!(told.len(), 40, "each came once and went once: {told:?}");
}

#[tokio::test]
async fn e1_http_routes_are_mounted_and_take_part_in_cors_and_errors() {
    let relay = setup(&[]).start().await;
    let response = http::get(&relay, "/probe/calls", &[]).await;
    assert_eq!(
        (response.status, response.json()["build"].as_u64()),
        (200, Some(1))
    );
    assert_eq!(response.header("access-control-allow-origin"), Some("*"));
    let missing = http::get(&relay, "/probe/nothing", &[]).await;
    assert_eq!(
        (missing.status, &missing.json()["code"]),
        (404, &json!(404))
    );
    let metrics = http::get(&relay, "/metrics", &[]).await;
    assert!(
        metrics
            .body
            .contains("probe_calls_total{extension=\"probe\"}"),
        "{}",
        metrics.body
    );
}

#[tokio::test]
async fn e1_nip11_shows_what_extensions_add() {
    let relay = setup(&["nip11"]).start().await;
    assert_eq!(relay_information(&relay).await["probe"], true);
    let without = setup(&[]).start().await;
    assert_eq!(relay_information(&without).await["probe"], Value::Null);
}

/// A relay whose operator is known.
async fn managed(operator: &Author) -> Relay {
    let config = format!(
        "[information]\npubkey = \"{}\"\n{}",
        operator.pubkey(),
        probe::table(&["rpc"], "")
    );
    trellis_probe!().config(&config).start().await
}

#[tokio::test]
async fn e6_an_rpc_method_that_hangs_is_answered_for() {
    let operator = Author::new();
    let config = format!(
        "[information]\npubkey = \"{}\"\n{}",
        operator.pubkey(),
        probe::table(&["rpc"], "timeout_ms = 200")
    );
    let relay = trellis_probe!().config(&config).start().await;
    let body = r#"{"method":"probe","params":["hang"]}"#;
    let answer = call(&relay, &operator, &relay.ws_url(), body).await;
    assert_eq!(answer.status, 200);
    assert!(answer.json()["error"].is_string(), "{}", answer.body);
    assert_eq!(probe::health(&relay, "probe").await["faults"], 1);
}

/// Calls a method as NIP-86 has it, signed by this author for this URL.
async fn call(relay: &Relay, author: &Author, url: &str, body: &str) -> Response {
    let authorization = author.authorization("POST", url, body);
    let headers = [("Content-Type", RPC), ("Authorization", &authorization)];
    http::post(relay, "/", &headers, body).await
}

#[tokio::test]
async fn e1_only_the_operators_authorizations_are_remembered() {
    let operator = Author::new();
    let relay = managed(&operator).await;
    let body = r#"{"method":"supportedmethods"}"#;
    for (author, statuses) in [(&Author::new(), [403, 403]), (&operator, [200, 401])] {
        let authorization = author.authorization("POST", &relay.ws_url(), body);
        for status in statuses {
            let headers = [("Content-Type", RPC), ("Authorization", &authorization)];
            let answer = http::post(&relay, "/", &headers, body).await;
            assert_eq!(answer.status, status, "{}", answer.body);
        }
    }
}

#[tokio::test]
async fn e1_rpc_methods_are_for_the_operator() {
    let operator = Author::new();
    let relay = managed(&operator).await;
    for url in [
        relay.ws_url(),
        relay.http_url(),
        format!("{}/", relay.ws_url()),
    ] {
        let methods = call(
            &relay,
            &operator,
            &url,
            r#"{"method":"supportedmethods","params":[]}"#,
        );
        let methods = methods.await;
        assert_eq!(methods.status, 200, "{}", methods.body);
        let methods = methods.json()["result"].clone();
        let named = |name| {
            methods
                .as_array()
                .is_some_and(|all| all.contains(&json!(name)))
        };
        assert!(named("supportedmethods") && named("probe"), "{methods}");
    }
    let url = relay.ws_url();
    let good = call(
        &relay,
        &operator,
        &url,
        r#"{"method":"probe","params":["pass",1]}"#,
    )
    .await;
    assert_eq!(good.json(), json!({"result": {"params": ["pass", 1]}}));
    assert_eq!(good.header("content-type"), Some(RPC));
    let bad = call(
        &relay,
        &operator,
        &url,
        r#"{"method":"probe","params":["no"]}"#,
    )
    .await;
    assert_eq!(
        (bad.status, bad.json()),
        (200, json!({"error": "refused as asked"}))
    );
    let unknown = call(
        &relay,
        &operator,
        &url,
        r#"{"method":"nothing","params":[]}"#,
    )
    .await;
    assert!(
        unknown.json()["error"]
            .as_str()
            .is_some_and(|text| text.contains("nothing"))
    );
    let panicked = call(
        &relay,
        &operator,
        &url,
        r#"{"method":"probe","params":["panic"]}"#,
    )
    .await;
    assert!(panicked.json()["error"].is_string(), "{}", panicked.body);
    let malformed = call(&relay, &operator, &url, "[]").await;
    assert_eq!(malformed.status, 400);
    let nips = relay_information(&relay).await["supported_nips"].clone();
    assert!(
        nips.as_array()
            .is_some_and(|nips| nips.contains(&json!(86))),
        "{nips}"
    );
}

#[tokio::test]
async fn e1_rpc_calls_need_the_operators_signature_over_the_body() {
    let operator = Author::new();
    let relay = managed(&operator).await;
    let (url, body) = (relay.ws_url(), r#"{"method":"probe","params":[]}"#);
    let unsigned = http::post(&relay, "/", &[("Content-Type", RPC)], body).await;
    assert_eq!(unsigned.status, 401);
    let stranger = call(&relay, &Author::new(), &url, body).await;
    assert_eq!(stranger.status, 403);
    for (method, signed_url, signed_body) in [
        ("GET", url.as_str(), body),
        ("POST", "ws://elsewhere.example", body),
        (
            "POST",
            url.as_str(),
            r#"{"method":"probe","params":["other"]}"#,
        ),
    ] {
        let authorization = operator.authorization(method, signed_url, signed_body);
        let headers = [
            ("Content-Type", RPC),
            ("Authorization", authorization.as_str()),
        ];
        let refused = http::post(&relay, "/", &headers, body).await;
        assert_eq!(refused.status, 401, "{method} {signed_url} {signed_body}");
        assert!(refused.json()["error"].is_string());
    }
    let authorization = operator.authorization("POST", &url, body);
    let headers = [
        ("Content-Type", RPC),
        ("Authorization", authorization.as_str()),
    ];
    assert_eq!(http::post(&relay, "/", &headers, body).await.status, 200);
    let again = http::post(&relay, "/", &headers, body).await;
    assert_eq!(
        again.status, 401,
        "an authorization is good for one request"
    );
    assert_eq!(calls(&relay, "rpc").await, 1);
    let not_rpc = http::post(&relay, "/", &[("Content-Type", "application/json")], body).await;
    assert_eq!(
        not_rpc.status, 404,
        "other POST requests are not the core's"
    );
}

#[tokio::test]
async fn e1_commands_of_extensions_run_without_a_server() {
    let setup = setup(&["command", "commit"]);
    let config = setup.config_file().display().to_string();
    let listed = setup.run(&["run", "-c", &config]).await;
    listed.assert_success();
    assert!(
        listed
            .stdout
            .contains("probe-say  says the words that follow"),
        "{}",
        listed.stdout
    );
    let said = setup
        .run(&["run", "-c", &config, "probe-say", "hello", "--loud"])
        .await;
    assert_eq!(said.assert_success().stdout, "hello --loud\n");
    setup
        .run(&["run", "-c", &config, "probe-put", "hello"])
        .await
        .assert_success();
    let file = setup.home().join("data/probe.kept");
    assert_eq!(std::fs::read_to_string(file).expect("a file"), "hello");
    let failed = setup.run(&["run", "-c", &config, "probe-do", "no"]).await;
    assert_eq!(failed.code, Some(1));
    failed.assert_failure(&["refused as asked"]);
    let panicked = setup
        .run(&["run", "-c", &config, "probe-do", "panic"])
        .await;
    assert_eq!(panicked.code, Some(1));
    panicked.assert_failure(&["panicked"]);
    let unknown = setup.run(&["run", "-c", &config, "probe-sya"]).await;
    assert_eq!(unknown.code, Some(2));
    unknown.assert_failure(&["probe-sya", "probe-say"]);
    // What a command publishes is there when the relay runs again.
    setup
        .run(&["run", "-c", &config, "probe-do", "publish"])
        .await
        .assert_success();
    let relay = setup.start().await;
    let mut client = Client::connect(&relay).await;
    assert_eq!(client.query(json!({"kinds": [7099]})).await.len(), 1);
}

#[tokio::test]
async fn e1_commands_of_extensions_run_inside_a_relay_that_serves() {
    let relay = setup(&["command", "commit"]).start().await;
    let config = relay.setup().config_file().display().to_string();
    let run = async |words: &[&str]| relay.setup().run(words).await;
    let listed = run(&["run", "-c", &config]).await;
    assert!(listed.assert_success().stdout.contains("probe-say"));
    let said = run(&["run", "-c", &config, "probe-say", "hello", "--loud"]).await;
    assert_eq!(said.assert_success().stdout, "hello --loud\n");
    // It is the instance that serves, and what it publishes is heard at once.
    assert_eq!(calls(&relay, "command").await, 1);
    run(&["run", "-c", &config, "probe-do", "publish"])
        .await
        .assert_success();
    let mut client = Client::connect(&relay).await;
    assert_eq!(client.query(json!({"kinds": [7099]})).await.len(), 1);
    for (word, code, said) in [("no", 1, "refused as asked"), ("panic", 1, "panicked")] {
        let failed = run(&["run", "-c", &config, "probe-do", word]).await;
        assert_eq!(failed.code, Some(code));
        failed.assert_failure(&[said]);
    }
    let unknown = run(&["run", "-c", &config, "probe-sya"]).await;
    assert_eq!(unknown.code, Some(2));
    unknown.assert_failure(&["probe-sya", "probe-say"]);
}

#[tokio::test]
async fn e1_a_command_can_be_called_by_its_name_alone() {
    let setup = setup(&["command"]);
    let config = setup.config_file().display().to_string();
    for words in [
        &["probe-say", "-c", &config, "hello", "--loud"][..],
        &["probe-say", "hello", "--loud", "--config", &config],
    ] {
        let said = setup.run(words).await;
        assert_eq!(said.assert_success().stdout, "hello --loud\n");
    }
    let unknown = setup.run(&["probe-sya", "-c", &config]).await;
    assert_eq!(unknown.code, Some(2));
    unknown.assert_failure(&["probe-sya", "probe-say"]);
    // With nothing switched on it is a word that nobody knows, and no database is made for it.
    let unknown = setup.run(&["exprot"]).await;
    assert_eq!(unknown.code, Some(2));
    unknown.assert_failure(&["exprot", "export"]);
}

#[tokio::test]
async fn e1_a_command_of_an_extension_that_is_off_is_unknown() {
    let off = trellis_probe!().config("");
    let config = off.config_file().display().to_string();
    let listed = off.run(&["run", "-c", &config]).await;
    assert!(
        listed.assert_success().stdout.contains("no extension"),
        "{}",
        listed.stdout
    );
    let unknown = off.run(&["run", "-c", &config, "probe-say"]).await;
    assert_eq!(unknown.code, Some(2));
}

#[tokio::test]
async fn e1_an_extension_may_publish_while_the_relay_stops() {
    let config = probe::table(&[], "always = { shutdown = \"publish\" }");
    let relay = trellis_probe!().config(&config).start().await;
    let (status, setup) = relay.stop().await;
    assert!(status.success());
    let relay = setup.start().await;
    let mut client = Client::connect(&relay).await;
    assert_eq!(client.query(json!({"kinds": [7099]})).await.len(), 1);
}
