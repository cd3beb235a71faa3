//! C26: however much is logged, no content, signature, challenge or key of a client is.

use trellis_test_support::http;
use trellis_test_support::{Author, Client, json, trellis};

#[tokio::test]
async fn c26_a_log_at_its_loudest_holds_none_of_what_clients_sent() {
    let relay = trellis!()
        .env("RUST_LOG", "trace")
        .env("METRICS_AUTH_KEY", "canary-metrics-key")
        .start()
        .await;
    let mut client = Client::connect(&relay).await;
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

    let challenge = client.challenge().await;
    let signature = note.sig.to_string();
    let (_, log) = relay.stop_with_log().await;
    assert!(log.contains("TRACE"), "not at its loudest:\n{log}");
    for secret in ["canary", challenge.as_str(), signature.as_str()] {
        let line = log.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "{secret} is in the log");
    }
}
