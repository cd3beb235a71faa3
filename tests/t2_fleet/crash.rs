//! A6: the agent is killed at every line of its journal, before the line and after it, and goes on: each of the
//! operator's commands was run once, and the action is reported once.

use crate::ground::Ground;
use crate::node::{FIRST, Node, Plan};
use std::fs;
use trellis_test_support::{Client, json, wait};

const NET: &str = "testnet";
/// The lines of an upgrade that succeeds: what is decided, five steps begun and done, the record begun; and the end of the
/// journal, which counts as one.
const LINES: usize = 13;
/// Three steps more where it is rolled back.
const LINES_BACK: usize = LINES + 6;

async fn crash_everywhere(version: &str, lines: usize, is_ill: bool) {
    let ground = Ground::new(1, &[NET]).await;
    let hash = ground.offer(version);
    let mut nodes = Vec::new();
    for line in 1..=lines {
        for when in ["before", "after"] {
            let mut plan = Plan::of(&ground, &format!("{when}-{line}"), &[NET]);
            plan.crash = Some(format!("{when}:{line}"));
            let node = Node::start(plan);
            if is_ill {
                fs::write(node.file(NET, &format!("ill-{version}")), "").expect("written");
            }
            nodes.push(node);
        }
    }
    // One that writes all lines and does not come to the one after the last.
    let mut plan = Plan::of(&ground, "never", &[NET]);
    plan.crash = Some(format!("before:{}", lines + 1));
    let never = Node::start(plan);
    if is_ill {
        fs::write(never.file(NET, &format!("ill-{version}")), "").expect("written");
    }
    let votes = ground.upgrade(0..3, NET, (version, &hash), &[]);
    ground.publish(&votes).await;

    for node in &mut nodes {
        let status = node.until_ended().await;
        assert!(!status.success(), "{} did not crash", node.id());
        node.restart();
    }
    nodes.push(never);
    let ids: Vec<&str> = nodes.iter().map(Node::id).collect();
    let reports = ground
        .reports(&ground.relays[0], (NET, version), &ids)
        .await;
    let (status, runs, runs_of) = match is_ill {
        true => ("failure", FIRST, 2),
        false => ("success", version, 1),
    };
    for report in &reports {
        assert_eq!(report.status, status, "{report:?}");
    }
    for node in &nodes {
        assert_eq!(node.running(NET), runs, "{}", node.id());
        assert_eq!(node.commands(NET), runs_of, "{}", node.id());
        let journal = || !node.ask(&["status"]).contains("unfinished");
        wait::until_true("the end of the journal", journal).await;
    }
}

#[tokio::test]
async fn a6_a_crash_at_any_step_of_an_upgrade_runs_nothing_twice() {
    crash_everywhere("1.1.0", LINES, false).await;
}

#[tokio::test]
async fn a6_a_crash_at_any_step_of_a_rollback_runs_nothing_twice() {
    crash_everywhere("1.1.0", LINES_BACK, true).await;
}

/// A node whose command has begun and does not end while the file `hold` is there.
async fn held(ground: &Ground) -> Node {
    let node = ground.fleet(1, &[NET]).await.remove(0);
    fs::write(node.file(NET, "hold"), "").expect("written");
    let hash = ground.offer("1.1.0");
    ground
        .publish(&ground.upgrade(0..3, NET, ("1.1.0", &hash), &[]))
        .await;
    wait::until_true("the command to begin", || node.commands(NET) == 1).await;
    node
}

async fn let_go(ground: &Ground, node: &Node) {
    fs::remove_file(node.file(NET, "hold")).expect("removed");
    let reports = ground
        .reports(&ground.relays[0], (NET, "1.1.0"), &[node.id()])
        .await;
    assert_eq!(reports[0].outcome(), ("success", ""));
    assert_eq!(
        (node.running(NET).as_str(), node.commands(NET)),
        ("1.1.0", 1)
    );
}

#[tokio::test]
async fn a6_a_command_outlives_an_agent_that_is_killed_and_is_waited_for_by_the_next() {
    let ground = Ground::new(1, &[NET]).await;
    let mut node = held(&ground).await;
    node.restart();
    node.until_logged("going on after an interruption").await;
    assert!(node.ask(&["status"]).contains("Restart begun"));
    let_go(&ground, &node).await;
}

#[tokio::test]
async fn a6_a_command_outlives_the_process_that_runs_it_and_is_waited_for() {
    let ground = Ground::new(1, &[NET]).await;
    let node = held(&ground).await;
    let runs = node.file("data", "networks").join(NET).join("runs");
    let marker = fs::read_dir(runs).expect("the runs").flatten();
    let mut markers =
        marker.filter(|entry| entry.file_name().to_string_lossy().ends_with(".begun"));
    let marker = markers.next().expect("a marker").path();
    // The second line is the command's.
    let text = wait::until_some("the command's line", || {
        let text = fs::read_to_string(&marker).expect("the marker");
        (text.lines().count() == 2).then_some(text)
    })
    .await;
    let runner = text.lines().next().and_then(|line| line.parse().ok());
    let runner = runner.and_then(rustix::process::Pid::from_raw);
    let runner = runner.expect("the runner's number");
    rustix::process::kill_process(runner, rustix::process::Signal::KILL).expect("killed");
    let is_gone = || rustix::process::test_kill_process(runner).is_err();
    wait::until_true("the runner's end", is_gone).await;
    let_go(&ground, &node).await;
}

#[tokio::test]
async fn a8_an_agent_stops_in_the_middle_of_an_action_and_goes_on_later() {
    let ground = Ground::new(1, &[NET]).await;
    let mut node = held(&ground).await;
    let status = node.stop().await;
    assert!(
        status.success() && node.log().contains("interrupted"),
        "{}",
        node.log()
    );
    assert_eq!(node.commands(NET), 1);
    let mut client = Client::connect(&ground.relays[0]).await;
    assert!(client.query(json!({"kinds": [3333]})).await.is_empty());
    node.restart();
    let_go(&ground, &node).await;
}
