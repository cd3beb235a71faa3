//! Clients in other languages against a running relay: nostr-tools and blossom-client-sdk from `tests/clients`, and the
//! command-line client nak.
//!
//! Where a client is not installed its test says SKIPPED and passes, so that `cargo test` works on any machine;
//! `tests/run` installs what there is to install and lists what was skipped. With `TRELLIS_REQUIRE_CLIENTS=1` a missing
//! client fails.

use std::path::{Path, PathBuf};
use std::process::Command;
use trellis_test_support::raw::RawSocket;
use trellis_test_support::{Author, Client, Relay, command, json, trellis};

/// Says that a client is missing, in a line that `tests/run` looks for.
fn skip(what: &str, why: &str) {
    assert!(
        std::env::var_os("TRELLIS_REQUIRE_CLIENTS").is_none(),
        "{what} is missing: {why}"
    );
    eprintln!("SKIPPED: {what}: {why}");
}

fn clients() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients")
}

async fn node(relay: &Relay, script: &str) {
    node_as(relay, script, &Author::new()).await;
}

/// The same with the secret key of the relay's operator in its environment.
async fn node_as(relay: &Relay, script: &str, operator: &Author) {
    if !clients().join("node_modules").is_dir() {
        skip(script, "run `npm ci` in tests/clients");
        return;
    }
    let mut command = Command::new("node");
    command
        .args(["--test", "--test-force-exit"])
        .arg(clients().join("nostr-tools").join(script))
        .env("TRELLIS_URL", relay.ws_url())
        .env("TRELLIS_OPERATOR_SECRET", operator.secret());
    command::run(command, "").await.assert_success();
}

#[tokio::test]
async fn c1_nostr_tools_relay_finds_a_relay_it_can_work_with() {
    let relay = trellis!().start().await;
    node(&relay, "relay.test.js").await;
}

#[tokio::test]
async fn c1_nostr_tools_pool_finds_a_relay_it_can_work_with() {
    let relay = trellis!().start().await;
    node(&relay, "pool.test.js").await;
}

/// The script of `examples/own-events`, with the nostr-tools that are installed for these tests.
#[tokio::test]
async fn c29_the_script_for_own_events_takes_them_along() {
    let modules = clients().join("node_modules");
    if !modules.is_dir() {
        skip("own-events.js", "run `npm ci` in tests/clients");
        return;
    }
    let config = "[own_events]\nmax_at_a_time = 1\nmin_time = \"10s\"\n";
    let relay = trellis!().config(config).start().await;
    let (alice, bob) = (Author::new(), Author::new());
    let mut client = Client::connect(&relay).await;
    client.store_all(&alice.notes(700)).await;
    let text = "x".repeat(100_000);
    for number in 0..300 {
        client.store(&bob.note(&format!("{number}{text}"))).await;
    }
    // The only place is his, until he has had his time.
    let mut his = RawSocket::open(&relay).await;
    let route = format!("{}/own/events", relay.http_url().trim_end_matches('/'));
    let signed = bob.authorization_without_payload("GET", &route);
    let host = relay.address();
    let request =
        format!("GET /own/events HTTP/1.1\r\nHost: {host}\r\nAuthorization: {signed}\r\n\r\n");
    assert!(his.send(request.as_bytes()).await);
    his.read_head().await.expect("an answer");
    let folder = relay.setup().home();
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/own-events");
    for file in ["own-events.js", "package.json"] {
        std::fs::copy(example.join(file), folder.join(file)).expect("a copy");
    }
    std::os::unix::fs::symlink(&modules, folder.join("node_modules")).expect("a link");
    let node = |arguments: &[&str]| {
        let mut node = Command::new("node");
        node.current_dir(folder)
            .arg("own-events.js")
            .args(arguments)
            .env("NOSTR_SECRET_KEY", alice.secret());
        node
    };
    let url = relay.http_url();
    let output = command::run(node(&[&url]), "").await;
    output.assert_success();
    assert_eq!(output.stdout.lines().count(), 700);
    assert!(output.stderr.contains("700 events"), "{}", output.stderr);
    assert!(output.stderr.contains("503: too many"), "{}", output.stderr);
    drop(his);
    let header = command::run(node(&["--print-header", &url]), "").await;
    let mut curl = Command::new("curl");
    curl.args(["-sS", "--fail", "-H", header.stdout.trim(), &route]);
    let taken = command::run(curl, "").await;
    assert_eq!(taken.assert_success().stdout, output.stdout);
}

#[cfg(feature = "groups")]
#[tokio::test]
async fn g4_nostr_tools_runs_groups() {
    let relay = trellis!().config("[extensions.groups]\n").start().await;
    node(&relay, "groups.test.js").await;
}

#[tokio::test]
async fn c10_nostr_tools_authorizes_management_calls() {
    let operator = Author::new();
    let pubkey = operator.pubkey();
    let config = format!("[information]\npubkey = \"{pubkey}\"");
    let relay = trellis!().config(&config).start().await;
    node_as(&relay, "management.test.js", &operator).await;
}

#[cfg(feature = "blossom_policy")]
#[tokio::test]
async fn b2_blossom_client_sdk_uploads_lists_mirrors_and_deletes() {
    // The server that is mirrored from is one of this machine, without TLS.
    let config = "outbound.allow_private = ['127.0.0.1/32']\n[extensions.blossom_policy]\n\
                  mirror = { https_only = false, allow_private = ['127.0.0.1/32'] }\nrates.uploads_per_minute_and_ip = 1000";
    let relay = trellis!().config(config).start().await;
    let script = clients().join("blossom/sdk.test.js");
    if !clients().join("node_modules/blossom-client-sdk").is_dir() {
        skip("blossom-client-sdk", "run `npm ci` in tests/clients");
        return;
    }
    let mut command = Command::new("node");
    command
        .args(["--test", "--test-force-exit"])
        .arg(script)
        .env(
            "TRELLIS_BLOSSOM_URL",
            relay.ws_url().replacen("ws", "http", 1),
        );
    command::run(command, "").await.assert_success();
}

/// nak as `TRELLIS_NAK` names it; the name alone is looked for in the path.
fn nak() -> Option<String> {
    let name = std::env::var("TRELLIS_NAK").unwrap_or_else(|_| "nak".to_owned());
    let found = Command::new(&name).arg("--version").output().is_ok();
    if !found {
        skip("nak", "it is not installed");
    }
    found.then_some(name)
}

/// Runs nak with the relay's URL as last argument; what it printed on standard output.
async fn run_nak(nak: &str, relay: &Relay, author: &Author, arguments: &[&str]) -> String {
    let mut command = Command::new(nak);
    command
        .args(arguments)
        .arg(relay.ws_url())
        .env("NOSTR_SECRET_KEY", author.secret());
    let output = command::run(command, "").await;
    output.assert_success();
    output.stdout
}

#[tokio::test]
async fn c1_nak_publishes_queries_and_counts() {
    let Some(nak) = nak() else { return };
    let relay = trellis!().start().await;
    let author = Author::new();
    run_nak(
        &nak,
        &relay,
        &author,
        &["event", "-k", "1", "-c", "from nak"],
    )
    .await;
    let mut client = Client::connect(&relay).await;
    let stored = client.query(json!({"authors": [author.pubkey()]})).await;
    assert_eq!(stored.len(), 1);
    assert_eq!(stored[0].content, "from nak");
    let found = run_nak(&nak, &relay, &author, &["req", "-a", &author.pubkey()]).await;
    assert!(found.contains(&stored[0].id.to_hex()), "{found}");
    let counted = run_nak(&nak, &relay, &author, &["count", "-a", &author.pubkey()]).await;
    assert!(counted.contains('1'), "{counted}");
}

#[tokio::test]
async fn c8_nak_authenticates() {
    let Some(nak) = nak() else { return };
    let relay = trellis!()
        .env("TRELLIS_AUTH__REQUIRED", "true")
        .start()
        .await;
    let author = Author::new();
    run_nak(
        &nak,
        &relay,
        &author,
        &["event", "--auth", "-c", "members only"],
    )
    .await;
    let found = run_nak(&nak, &relay, &author, &["req", "--auth", "-k", "1"]).await;
    assert!(found.contains("members only"), "{found}");
}
