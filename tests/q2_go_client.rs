//! Q2: the widely used Go client, unmodified, against the relay as a process. Developers publish directives with its
//! `send-message`, which logs in when it is asked to; its daemon subscribes without logging in, finds the quorum and publishes its
//! report without logging in.
//!
//! `TEST_QUBE_MANAGER` names its program; without it the test says SKIPPED and passes.

#![cfg(feature = "qube_coordination")]

use nostr::nips::nip19::ToBech32 as _;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use trellis_test_support::{Author, Client, Event, Relay, json, trellis};

const HASH: &str = "a1b2c3d4e5f6a7b8c9d0e1f2a3b4c5d6e7f8a9b0c1d2e3f4a5b6c7d8e9f0a1b2";
/// It looks for a quorum once a minute.
const PATIENCE: Duration = Duration::from_secs(150);

/// Somebody who uses the client: a home with a configuration and keys.
struct User<'p> {
    program: &'p str,
    home: TempDir,
}

impl<'p> User<'p> {
    fn new(program: &'p str, author: &Author, relay: &Relay, developers: &[Author]) -> Self {
        let home = TempDir::with_prefix("trellis-go-").expect("a folder");
        let folder = home.path().join(".qube-manager");
        fs::create_dir(&folder).expect("a folder");
        let follows: String = developers
            .iter()
            .map(|it| format!("  - {}\n", it.npub()))
            .collect();
        let config = format!(
            "network: hqz\nnode_id: go-node\nquorum: 2\nrelays:\n  - {}\nfollows:\n{follows}",
            relay.ws_url()
        );
        fs::write(folder.join("config.yaml"), config).expect("written");
        let keys = nostr::key::Keys::parse(&author.secret()).expect("a key");
        let keys = json!({
            "nsec": keys.secret_key().to_bech32().expect("an nsec"),
            "npub": keys.public_key().to_bech32().expect("an npub"),
        });
        fs::write(folder.join("keys.json"), keys.to_string()).expect("written");
        User { program, home }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(self.program);
        command
            .env("HOME", self.home.path())
            .current_dir(self.home.path())
            .stdin(Stdio::null());
        command
    }

    fn send(&self, version: &str) -> Output {
        let words = ["send-message", "--type", "upgrade", "--network", "hqz"];
        let mut command = self.command();
        command
            .args(words)
            .args(["--version", version, "--hash", HASH]);
        command.output().expect("the Go client")
    }

    fn daemon(&self) -> Daemon {
        let log = fs::File::create(self.log()).expect("a log");
        let mut command = self.command();
        let process = command.stdout(Stdio::null()).stderr(log).spawn();
        Daemon(process.expect("the Go client"))
    }

    fn log(&self) -> std::path::PathBuf {
        Path::new(self.home.path()).join("log")
    }
}

/// Ends with the test.
struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ended_already = self.0.kill();
        let _status = self.0.wait();
    }
}

fn said(output: &Output) -> String {
    let parts = [&output.stdout, &output.stderr].map(|it| String::from_utf8_lossy(it));
    parts.concat()
}

#[tokio::test]
async fn q2_the_go_client_directs_subscribes_and_reports() {
    let Ok(program) = std::env::var("TEST_QUBE_MANAGER") else {
        eprintln!("SKIPPED: the Go client: TEST_QUBE_MANAGER does not name its program");
        return;
    };
    let developers = [Author::new(), Author::new()];
    let keys: Vec<String> = developers
        .iter()
        .map(|it| format!("'{}'", it.npub()))
        .collect();
    let config = format!(
        "[[extensions.qube_coordination.networks]]\nid = 'hqz'\ndevelopers = [{}]\nquorum = 2",
        keys.join(", ")
    );
    let relay = trellis!().config(&config).start().await;
    let node = User::new(&program, &Author::new(), &relay, &developers);
    let daemon = node.daemon();

    for developer in &developers {
        let user = User::new(&program, developer, &relay, &developers);
        let output = user.send("v1.2.3");
        let text = said(&output);
        assert!(text.contains("Successfully signed AUTH event"), "{text}");
        assert!(text.contains("publishing message to 1/1 relays"), "{text}");
    }
    let mut client = Client::connect(&relay).await;
    let directives = client.query(json!({"kinds": [33_321]})).await;
    assert_eq!(directives.len(), 2);

    // Somebody who directs nothing is told so, after logging in.
    let stranger = User::new(&program, &Author::new(), &relay, &developers);
    let text = said(&stranger.send("v6.6.6"));
    assert!(
        text.contains("restricted: this key is none of the developers"),
        "{text}"
    );
    assert!(text.contains("publishing message to 0/1 relays"), "{text}");

    let report = until_reported(&mut client, &node).await;
    let value = |name: &str| {
        let tag = report.tags.iter().find(|tag| tag.as_slice()[0] == name);
        tag.map(|tag| tag.as_slice()[1].clone()).unwrap_or_default()
    };
    assert_eq!(value("node_id"), "go-node");
    assert_eq!(value("version"), "v1.2.3");
    drop(daemon);
}

/// Waits, longer than other tests do, for a report.
async fn until_reported(client: &mut Client, node: &User<'_>) -> Event {
    let started = Instant::now();
    let mut ticks = tokio::time::interval(Duration::from_millis(500));
    loop {
        ticks.tick().await;
        if let Some(report) = client.query(json!({"kinds": [3_333]})).await.pop() {
            return report;
        }
        if started.elapsed() > PATIENCE {
            let log = fs::read_to_string(node.log()).unwrap_or_default();
            panic!("waited in vain for the Go client: {log}");
        }
    }
}
