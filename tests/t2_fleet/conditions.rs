//! What holds a node back or keeps it from acting at all: conditions, the least version, a dry run, what the Go client did.

use crate::ground::{Ground, sha256};
use crate::node::{FIRST, Node, Plan};
use std::fs;
use trellis_test_support::{Client, json, now, wait};

const NET: &str = "testnet";

#[tokio::test]
async fn a9_a_node_below_the_least_version_refuses() {
    let ground = Ground::new(1, &[NET]).await;
    let nodes = ground.fleet(1, &[NET]).await;
    let relay = &ground.relays[0];
    let hash = ground.offer("2.0.0");
    let votes = ground.upgrade(0..3, NET, ("2.0.0", &hash), &[&["min_version", "v1.5.0"]]);
    ground.publish(&votes).await;
    let reports = ground.reports(relay, (NET, "2.0.0"), &["node-0"]).await;
    assert_eq!(reports[0].status, "failure");
    assert!(reports[0].error.contains("1.5.0"), "{}", reports[0].error);
    // By the way it asks for, it goes.
    let step = ground.offer("1.5.0");
    ground
        .publish(&ground.upgrade(0..3, NET, ("1.5.0", &step), &[]))
        .await;
    ground.reports(relay, (NET, "1.5.0"), &["node-0"]).await;
    let again = ground.upgrade(0..3, NET, ("2.0.0", &hash), &[&["min_version", "v1.5.0"]]);
    ground.publish(&again).await;
    wait::until_true("the upgrade", || nodes[0].running(NET) == "2.0.0").await;
}

#[tokio::test]
async fn a9_a_height_and_another_action_are_waited_for() {
    let ground = Ground::new(1, &[NET]).await;
    let mut plan = Plan::of(&ground, "node-0", &[NET]);
    plan.more = "height_command = [\"sh\", \"-c\", \"cat $QUBE_TEST_HEIGHT\"]".to_owned();
    let height = tempfile::NamedTempFile::new().expect("a file");
    plan.more = plan
        .more
        .replace("$QUBE_TEST_HEIGHT", &height.path().display().to_string());
    fs::write(height.path(), "41").expect("written");
    let node = Node::start(plan);
    node.until_ready().await;
    let hash = ground.offer("1.1.0");
    let condition: &[&[&str]] = &[&["condition", "height", "42"]];
    ground
        .publish(&ground.upgrade(0..3, NET, ("1.1.0", &hash), condition))
        .await;
    node.until_logged("waits: Condition(Height(42))").await;
    assert_eq!(node.commands(NET), 0);
    fs::write(height.path(), "42\n").expect("written");
    wait::until_true("the upgrade", || node.running(NET) == "1.1.0").await;

    // After an action that this node has not done, and after the one it has.
    let done = json!(["upgrade", "1.1.0", hash, NET, "", ""]).to_string();
    let (done, other) = (sha256(&done), sha256("another"));
    let hash = ground.offer("1.2.0");
    let condition: &[&[&str]] = &[&["condition", "after", &other]];
    ground
        .publish(&ground.upgrade(0..3, NET, ("1.2.0", &hash), condition))
        .await;
    node.until_logged("waits: Condition(After").await;
    let condition: &[&[&str]] = &[&["condition", "after", &done]];
    ground
        .publish(&ground.upgrade(0..3, NET, ("1.2.0", &hash), condition))
        .await;
    wait::until_true("the upgrade", || node.running(NET) == "1.2.0").await;
}

#[tokio::test]
async fn a9_a_condition_that_is_unmet_at_the_deadline_is_a_failure() {
    let ground = Ground::new(1, &[NET]).await;
    let nodes = ground.fleet(1, &[NET]).await;
    ground.files.put("/genesis.json", "new genesis");
    let url = ground.files.url("/genesis.json");
    let (at, program) = ((now() + 15).to_string(), sha256("the program"));
    let tags: [&[&str]; 7] = [
        &["version", "v1.1.0"],
        &["hash", &program],
        &["network", NET],
        &["action", "reboot"],
        &["genesis_url", &url],
        &["required_by", &at],
        &["condition", "height", "1000"],
    ];
    let votes: Vec<_> = (0..3).map(|one| ground.signal(one, &tags)).collect();
    ground.publish(&votes).await;
    let reports = ground
        .reports(&ground.relays[0], (NET, "1.1.0"), &["node-0"])
        .await;
    assert_eq!(reports[0].status, "failure");
    assert!(
        reports[0].error.contains("condition"),
        "{}",
        reports[0].error
    );
    assert_eq!(nodes[0].commands(NET), 0);
}

#[tokio::test]
async fn a8_a_dry_run_decides_and_does_nothing() {
    let ground = Ground::new(1, &[NET]).await;
    let mut plan = Plan::of(&ground, "node-0", &[NET]);
    plan.top = "dry_run = true".to_owned();
    let node = Node::start(plan);
    let hash = ground.offer("1.1.0");
    ground
        .publish(&ground.upgrade(0..3, NET, ("1.1.0", &hash), &[]))
        .await;
    node.until_logged("dry run: would do upgrade 1.1.0").await;
    assert_eq!((node.running(NET).as_str(), node.commands(NET)), (FIRST, 0));
    let mut client = Client::connect(&ground.relays[0]).await;
    assert!(client.query(json!({"kinds": [3333]})).await.is_empty());
}

#[tokio::test]
async fn a8_health_and_metrics_tell_how_the_node_is() {
    let ground = Ground::new(1, &[NET]).await;
    let nodes = ground.fleet(1, &[NET]).await;
    let hash = ground.offer("1.1.0");
    ground
        .publish(&ground.upgrade(0..3, NET, ("1.1.0", &hash), &[]))
        .await;
    ground
        .reports(&ground.relays[0], (NET, "1.1.0"), &["node-0"])
        .await;
    let counted = r#"trellis_qube_agent_actions_total{network="testnet",action="upgrade",outcome="success"} 1"#;
    let metrics = nodes[0].page("/metrics");
    assert!(metrics.contains(counted), "{metrics}");
    let health = nodes[0].page("/health");
    assert!(health.starts_with("HTTP/1.1 200"), "{health}");
    assert!(health.contains(r#""version":"1.1.0""#), "{health}");

    drop(ground);
    let is_alone = || nodes[0].page("/health").starts_with("HTTP/1.1 503");
    wait::until_true("the loss of the relay to be told", is_alone).await;
}

#[test]
fn a8_the_unit_for_systemd_is_one_that_systemd_takes() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let unit =
        fs::read_to_string(root.join("deploy/systemd/qube-agent.service")).expect("the unit");
    let unit = unit.replace(
        "/usr/local/bin/qube-agent",
        env!("CARGO_BIN_EXE_qube-agent"),
    );
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("qube-agent.service");
    fs::write(&file, unit).expect("written");
    let verify = std::process::Command::new("systemd-analyze")
        .arg("verify")
        .arg(file)
        .output();
    let Ok(output) = verify else {
        eprintln!("SKIPPED: systemd-analyze is not installed");
        return;
    };
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}");
}
