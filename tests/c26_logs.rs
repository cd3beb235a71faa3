//! C26: however much is logged, no content, signature, challenge or key of a client is; and how a line looks.

use negentropy::{Id, Negentropy, NegentropyStorageVector};
use serde_json::Value;
use trellis_test_support::{Author, Client, Event, Front, Relay, http, json, now, trellis};

#[tokio::test]
async fn c26_a_log_at_its_loudest_holds_none_of_what_clients_sent() {
    for format in ["text", "json"] {
        loudest(format).await;
    }
}

async fn loudest(format: &str) {
    let operator = Author::new();
    let relay = trellis!()
        .config(&format!(
            "[information]\npubkey = \"{}\"\n[log]\nformat = \"{format}\"",
            operator.pubkey()
        ))
        .env("RUST_LOG", "trace")
        .env("METRICS_AUTH_KEY", "canary-metrics-key")
        .start()
        .await;
    let headers = [
        ("Origin", "https://canary-origin.example"),
        ("User-Agent", "canary-agent/1.0"),
        ("Cookie", "session=canary-cookie"),
    ];
    let client = Client::connect_with(&relay, &headers).await;
    let mut client = client.expect("the WebSocket handshake");
    let author = Author::new();
    let note = author
        .draft(1)
        .tag(&["t", "canary-tag"])
        .content("canary-content")
        .sign();
    client.login(&author).await;
    client.store(&note).await;
    let wrap = author
        .draft(1059)
        .tag(&["p", &author.pubkey()])
        .content("canary-sealed")
        .sign();
    client.store(&wrap).await;
    let forged = note.as_json().replace("canary-content", "canary-forged");
    client.send_text(&format!(r#"["EVENT",{forged}]"#)).await;
    client.verdict(&note.id.to_hex()).await;
    client
        .query(json!({"#t": ["canary-tag"], "kinds": [1]}))
        .await;
    client
        .send_text(r#"["canary-verb","canary-argument"]"#)
        .await;
    client.notice().await;
    http::get(&relay, "/metrics?auth=canary-metrics-key", &[]).await;
    let bearer = [("Authorization", "Bearer canary-metrics-key")];
    http::get(&relay, "/metrics", &bearer).await;
    client
        .subscribe("canary-subscription", &[json!({"kinds": [1]})])
        .await;
    client.stored("canary-subscription").await.expect("EOSE");
    client
        .store(&author.draft(1).content("canary-live").sign())
        .await;
    client.next_event("canary-subscription").await;
    client.close("canary-subscription").await;
    client
        .count(&[json!({"#t": ["canary-tag"]})])
        .await
        .expect("a count");
    reconcile(&mut client).await;
    work_as_operator(&relay, &note).await;
    let token = manage(&relay, &operator).await;
    for page in ["/", "/status", "/metrics"] {
        http::get(&relay, page, &headers).await;
    }
    let whole = http::get(&relay, "/canary-path?canary=query", &[]).await;
    assert_eq!(whole.status, 404);

    let challenge = client.challenge().await;
    let signature = note.sig.to_string();
    let (_, log) = relay.stop_with_log().await;
    assert!(log.contains("TRACE"), "not at its loudest:\n{log}");
    let secrets = [
        "canary",
        challenge.as_str(),
        signature.as_str(),
        token.as_str(),
        &operator.secret(),
        &author.secret(),
    ];
    for secret in secrets {
        let line = log.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "{secret} is in the log");
    }
    for span in ["publish", "query", "fanout"] {
        assert!(log.contains(span), "no span {span}");
    }
    for person in [author.pubkey(), operator.pubkey()] {
        let told = |line: &&str| line.contains(&person) && line.contains("127.0.0.1");
        assert_eq!(log.lines().find(told), None, "who is behind an address");
    }
}

/// A reconciliation (NIP-77) with words of its own in each place, good ones and bad ones.
async fn reconcile(client: &mut Client) {
    let mut storage = NegentropyStorageVector::new();
    let canary = *b"canary-id-canary-id-canary-id-01";
    let known = storage.insert(now(), Id::from_byte_array(canary));
    known.expect("not sealed yet");
    storage.seal().expect("sealed once");
    let mut asking = Negentropy::owned(storage, 0).expect("a side that asks");
    let message = const_hex::encode(asking.initiate().expect("a message"));
    let id = json!("canary-reconciliation");
    let filter = json!({"kinds": [1], "#t": ["canary-tag"]});
    client.send(json!(["NEG-OPEN", id, filter, message])).await;
    let (verb, _) = client.reconciled(&id).await;
    assert_eq!(verb, "NEG-MSG");
    client.send(json!(["NEG-MSG", id, message])).await;
    client.reconciled(&id).await;
    client.send(json!(["NEG-OPEN", id, filter, message])).await;
    client.reconciled(&id).await;
    client.send(json!(["NEG-MSG", id, "canary-hex"])).await;
    let (verb, _) = client.reconciled(&id).await;
    assert_eq!(verb, "NEG-ERR");
    client.send(json!(["NEG-CLOSE", id])).await;
}

/// Jobs through the admin socket, with events and filters of their own. An embedded relay has none.
async fn work_as_operator(relay: &Relay, note: &Event) {
    let setup = relay.setup();
    if Front::from_env() == Front::Embedded {
        return;
    }
    let file = setup.config_file().display().to_string();
    let other = Author::new().note("canary-imported").as_json();
    let forged = other.replace("canary-imported", "canary-forged");
    let input = format!("{other}\n{forged}\ncanary-line\n");
    let filter = json!({"#t": ["canary-tag"], "ids": [note.id.to_hex()]}).to_string();
    for (job, words) in [
        (&["import", "-"][..], "1 stored"),
        (&["export", "-f", &filter], "canary-content"),
        (&["delete", "-f", &filter, "--dry-run"], "1 events match"),
        (&["delete", "-f", &filter], "1 events removed"),
        (&["check"], "0 problems"),
        (&["compact"], "written anew"),
    ] {
        let arguments = [job, &["-c", &file]].concat();
        let done = setup.run_with_input(&arguments, &input).await;
        assert!(done.assert_success().stdout.contains(words), "{done:?}");
    }
    let wrong = json!({"canary-key": "canary-value"}).to_string();
    let wrong = setup.run(&["export", "-c", &file, "-f", &wrong]).await;
    assert_eq!(wrong.code, Some(2), "{wrong:?}");
}

/// A call of the operator's, and the token that signed it.
async fn manage(relay: &Relay, operator: &Author) -> String {
    let body = r#"{"method":"supportedmethods","params":[]}"#;
    let token = operator.authorization("POST", &relay.http_url(), body);
    let headers = [
        ("Content-Type", "application/nostr+json+rpc"),
        ("Authorization", token.as_str()),
    ];
    let answer = http::post(relay, "/", &headers, body).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    token.trim_start_matches("Nostr ").to_owned()
}

#[tokio::test]
async fn c26_a_line_of_json_has_time_level_target_message_and_fields() {
    let relay = trellis!()
        .config("[log]\nformat = \"json\"\nfilter = \"debug\"")
        .start()
        .await;
    let mut client = Client::connect(&relay).await;
    let note = Author::new().note("logged");
    client.store(&note).await;
    client.publish(&note).await.assert_accepted();
    let (_, log) = relay.stop_with_log().await;
    let mut with_span = 0;
    for line in log.lines() {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
        for key in ["timestamp", "level", "target", "message"] {
            assert!(line[key].is_string(), "{key} in {line}");
        }
        assert!(line["fields"].is_object(), "{line}");
        with_span += usize::from(line["spans"][0]["name"].is_string());
    }
    assert!(with_span > 0, "{log}");
}
