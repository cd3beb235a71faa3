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
    let words = "upgrade 1.1.0 waits: this node's chain has to have the height 42";
    node.until_logged(words).await;
    assert!(node.ask(&["status"]).contains(words));
    assert!(node.page("/health").contains("the height 42"));
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
    node.until_logged("waits: this node has to have done the action")
        .await;
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

#[tokio::test]
async fn a8_damaged_files_of_one_network_stop_that_network_alone() {
    let ground = Ground::new(1, &["mainnet", NET]).await;
    let mut node = ground.fleet(1, &["mainnet", NET]).await.remove(0);
    node.end();
    let damaged = node.file("data", "networks/mainnet/history.json");
    fs::create_dir_all(damaged.parent().expect("a folder")).expect("a folder");
    fs::write(&damaged, "{").expect("written");
    node.restart();
    node.until_logged("this network stops").await;
    let hash = ground.offer("1.1.0");
    for network in [NET, "mainnet"] {
        let votes = ground.upgrade(0..3, network, ("1.1.0", &hash), &[]);
        ground.publish(&votes).await;
        if network == NET {
            let relay = &ground.relays[0];
            ground.reports(relay, (NET, "1.1.0"), &["node-0"]).await;
        }
    }
    let health = node.page("/health");
    assert!(health.starts_with("HTTP/1.1 503"), "{health}");
    assert!(health.contains("history.json"), "{health}");
    let stopped = r#"trellis_qube_agent_network_stopped{network="mainnet"} 1"#;
    assert!(node.page("/metrics").contains(stopped));
    let status = node.ask(&["status"]);
    assert!(
        status.contains("stopped: ") && status.contains("history.json"),
        "{status}"
    );
    assert_eq!(node.commands("mainnet"), 0);

    fs::remove_file(&damaged).expect("moved away");
    wait::until_true("the network goes on", || node.running("mainnet") == "1.1.0").await;
    assert!(node.page("/health").starts_with("HTTP/1.1 200"));
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

#[test]
fn a8_the_unit_fits_the_example_and_never_gives_up() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |name: &str| fs::read_to_string(root.join(name)).expect(name);
    let unit = read("deploy/systemd/qube-agent.service");
    let config: toml::Table = read("config/qube-agent.toml").parse().expect("TOML");
    let text = |value: &toml::Value| value.as_str().expect("a text").to_owned();
    let set = |key: &str| {
        let lines = unit.lines().filter_map(|line| line.split_once('='));
        let mut found = lines.filter(|(name, _)| *name == key);
        let value = found.next().map(|(_, value)| value.to_owned());
        value.unwrap_or_else(|| panic!("no {key}"))
    };
    assert_eq!(
        (
            set("StartLimitIntervalSec").as_str(),
            set("Restart").as_str()
        ),
        ("0", "always")
    );

    let state = format!("/var/lib/{}/", set("StateDirectory"));
    assert!(text(&config["data_dir"]).starts_with(&state), "{state}");
    // Where the head of the unit says that they are to be put, and whose they are.
    for path in ["/etc/qube-agent/key", "/etc/qube-agent/agent.toml"] {
        assert!(unit.contains(&format!(" {path}\n")), "{path}");
    }
    assert_eq!(text(&config["key_file"]), "/etc/qube-agent/key");
    assert!(set("ExecStart").ends_with("run -c /etc/qube-agent/agent.toml"));

    let network = &config["networks"][0];
    let folders = set("ReadWritePaths").replace('-', "");
    for file in [
        &network["upgrade"]["binary"],
        &network["reboot"]["genesis_path"],
    ] {
        let file = text(file);
        let mut folders = folders.split(' ');
        assert!(
            folders.any(|folder| file.starts_with(&format!("{folder}/"))),
            "{file}"
        );
        assert!(
            !["/home", "/root"].iter().any(|home| file.starts_with(home)),
            "{file}"
        );
    }
    let owner = format!("chown -R {}: {folders}\n", set("User"));
    assert!(unit.contains(&owner), "{owner}");
}
