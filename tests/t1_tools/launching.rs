//! A directive seen through to its end, and taken back.

use crate::ground::{Ground, HASH, OTHER_HASH};
use trellis_test_support::command::Running;
use trellis_test_support::{Author, Value, json};

/// The second developer launches; the first votes when the launch has begun.
async fn launched(ground: &Ground, version: &str, hash: &str, more: &[&str]) -> Running {
    let key = ground.path("key-1").display().to_string();
    let words = [
        "launch", "--to", version, "--hash", hash, "--key", &key, "--json",
    ];
    let arguments: Vec<&str> = words.iter().chain(more).copied().collect();
    let launch = ground.begin(&arguments);
    ground.upgrade(0, version, hash).await.assert_success();
    launch
}

#[tokio::test]
async fn t1_launch_waits_for_quorum_and_reports() {
    let ground = Ground::new().await;
    let health = format!("{}/health", ground.relays[0].http_url());
    let launch = launched(&ground, "v1.0.0", HASH, &["--endpoint", &health]).await;
    ground
        .report(&Author::new(), "node-1", "v1.0.0", None)
        .await;
    let output = launch.end().await;
    let shown: Value = serde_json::from_str(&output.assert_success().stdout).expect("JSON");
    assert_eq!(shown["launched"], true);
    assert_eq!(shown["action"]["status"], "completed");
    for said in ["the quorum is there", "the nodes have done it", "well"] {
        assert!(output.stderr.contains(said), "{}", output.stderr);
    }
}

#[tokio::test]
async fn t1_launch_signs_the_way_back_when_nodes_fail() {
    let ground = Ground::new().await;
    for developer in 0..2 {
        ground
            .upgrade(developer, "v1.0.0", HASH)
            .await
            .assert_success();
    }
    let node = Author::new();
    ground.report(&node, "node-1", "v1.0.0", None).await;
    let launch = launched(&ground, "v1.1.0", OTHER_HASH, &["--rollback"]).await;
    ground
        .report(&node, "node-1", "v1.1.0", Some("it does not start"))
        .await;
    let output = launch.end().await;
    output.assert_failure(&[
        "1 nodes failed",
        "signed the way back",
        "trellis qube rollback",
        "--network net",
    ]);
    let shown: Value = serde_json::from_str(&output.stdout).expect("JSON");
    assert_eq!(shown["launched"], false);
    let quorum = ground.json(&["quorum"]).await;
    let actions = quorum[0]["actions"].as_array().expect("actions");
    let back = actions
        .iter()
        .find(|action| action["key"] == shown["rolled_back_to"])
        .expect("the way back");
    assert_eq!(back["directive"]["version"], "1.0.0");
    assert_eq!(
        back["votes"][0]["developer"],
        json!(ground.developers[1].pubkey())
    );
}

#[tokio::test]
async fn t1_launch_gives_up_without_a_quorum() {
    let ground = Ground::new().await;
    let key = ground.path("key-0").display().to_string();
    let output = ground
        .tool(&[
            "launch",
            "--to",
            "v1.0.0",
            "--hash",
            HASH,
            "--key",
            &key,
            "--quorum-within",
            "1s",
            "--rollback",
        ])
        .await;
    output.assert_failure(&[
        "too few voted in time",
        "nothing to go back from",
        "your vote for it stands",
    ]);
    assert_eq!(output.code, Some(1));
}

#[tokio::test]
async fn t1_launch_takes_its_vote_back_where_there_was_one_before() {
    let ground = Ground::new().await;
    for developer in 0..2 {
        ground
            .upgrade(developer, "v1.0.0", HASH)
            .await
            .assert_success();
    }
    let key = ground.path("key-0").display().to_string();
    let words = [
        "launch",
        "--to",
        "v1.1.0",
        "--hash",
        OTHER_HASH,
        "--key",
        &key,
        "--quorum-within",
        "1s",
    ];
    let output = ground.tool(&words).await;
    output.assert_failure(&["your vote for it stands", "trellis qube rollback"]);
    let words: Vec<&str> = words.into_iter().chain(["--rollback"]).collect();
    let output = ground.tool(&words).await;
    output.assert_failure(&["signed what you had voted for before"]);
    assert!(!output.text().contains("stands"), "{}", output.text());
    let quorum = ground.json(&["quorum"]).await;
    let actions = quorum[0]["actions"].as_array().expect("actions");
    let votes = |version: &str| {
        let of = |action: &&Value| action["directive"]["version"] == version;
        let action = actions.iter().find(of);
        action.map_or(0, |action| action["votes"].as_array().map_or(0, Vec::len))
    };
    assert_eq!((votes("1.0.0"), votes("1.1.0")), (2, 0));
}
