//! The widely used Go client as one node of a fleet beside agents. `TEST_QUBE_MANAGER` names its program; without it the
//! test says SKIPPED and passes.

use crate::ground::{Ground, QUORUM};
use nostr::nips::nip19::ToBech32 as _;
use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use trellis_test_support::{Author, Client, Event, json};

const NET: &str = "testnet";
/// It looks for a quorum once a minute.
const PATIENCE: Duration = Duration::from_secs(150);

struct GoManager {
    home: TempDir,
    process: Child,
}

impl GoManager {
    fn start(program: &str, ground: &Ground) -> GoManager {
        let home = TempDir::with_prefix("trellis-go-").expect("a folder");
        let mut config = format!("network: {NET}\nnode_id: go-node\nquorum: {QUORUM}\nrelays:\n");
        for url in ground.relay_urls() {
            config.push_str(&format!("  - {url}\n"));
        }
        config.push_str("follows:\n");
        for developer in &ground.developers {
            config.push_str(&format!("  - {}\n", developer.npub()));
        }
        fs::write(home.path().join("config.yaml"), config).expect("written");
        let own = nostr::key::Keys::parse(&Author::new().secret()).expect("a key");
        let keys = json!({
            "nsec": own.secret_key().to_bech32().expect("an nsec"),
            "npub": own.public_key().to_bech32().expect("an npub"),
        });
        fs::write(home.path().join("keys.json"), keys.to_string()).expect("written");
        let process = Command::new(program)
            .arg("-config-dir")
            .arg(home.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(home.path().join("log")).expect("a log"))
            .spawn()
            .expect("the Go client");
        GoManager { home, process }
    }
}

impl Drop for GoManager {
    fn drop(&mut self) {
        let _ended_already = self.process.kill();
        let _status = self.process.wait();
        if std::thread::panicking() {
            let log = fs::read_to_string(self.home.path().join("log")).unwrap_or_default();
            eprintln!("--- the log of the Go client ---\n{log}");
        }
    }
}

#[tokio::test]
async fn t2_the_go_client_is_a_node_like_the_others() {
    let Ok(program) = std::env::var("TEST_QUBE_MANAGER") else {
        eprintln!("SKIPPED: the Go client: TEST_QUBE_MANAGER does not name its program");
        return;
    };
    let ground = Ground::new(2, &[NET]).await;
    let nodes = ground.fleet(2, &[NET]).await;
    let go = GoManager::start(&program, &ground);
    let hash = ground.offer("1.1.0");
    let votes = ground.upgrade(0..3, NET, ("1.1.0", &hash), &[]);
    ground.publish(&votes).await;
    for relay in &ground.relays {
        until_reported(relay, 1 + nodes.len()).await;
    }
    assert!(nodes.iter().all(|node| node.running(NET) == "1.1.0"));
    drop(go);
}

/// Waits, longer than other tests do, for so many nodes' reports, of which one is the Go client's.
async fn until_reported(relay: &trellis_test_support::Relay, count: usize) {
    let mut client = Client::connect(relay).await;
    let started = Instant::now();
    let mut ticks = tokio::time::interval(Duration::from_millis(500));
    loop {
        ticks.tick().await;
        let reports: Vec<Event> = client.query(json!({"kinds": [3333]})).await;
        let texts: Vec<String> = reports
            .iter()
            .map(|event| serde_json::to_string(event).expect("an event"))
            .collect();
        let is_there = texts.iter().any(|text| text.contains("go-node"));
        if is_there && texts.len() == count {
            return;
        }
        assert!(
            started.elapsed() < PATIENCE,
            "waited in vain for the Go client: {texts:?}"
        );
    }
}
