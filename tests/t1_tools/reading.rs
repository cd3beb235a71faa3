//! What the tools show, and what they check again.

use crate::ground::{Ground, HASH, NETWORK, OTHER_HASH, secret_file, tool};
use std::fs;
use trellis_test_support::command::run;
use trellis_test_support::{Author, Client, Value, json, now};

#[tokio::test]
async fn t1_fleet_quorum_acks_and_history_show_what_events_say() {
    let ground = Ground::new().await;
    for developer in 0..2 {
        ground
            .upgrade(developer, "v1.0.0", HASH)
            .await
            .assert_success();
    }
    let (good, bad) = (Author::new(), Author::new());
    ground.report(&good, "node-1", "v1.0.0", None).await;
    ground
        .report(&bad, "node-2", "v1.0.0", Some("no\u{1b}[31m room"))
        .await;

    let quorum = ground.json(&["quorum"]).await;
    assert_eq!(quorum[0]["network"], NETWORK);
    let action = &quorum[0]["actions"][0];
    assert_eq!(action["votes"].as_array().map(Vec::len), Some(2));
    assert_eq!(action["status"], "partially_failed");
    let table = ground.tool(&["quorum"]).await;
    assert!(
        table.assert_success().stdout.contains("2 of 2"),
        "{}",
        table.text()
    );

    let fleet = ground.tool(&["fleet"]).await;
    let fleet = &fleet.assert_success().stdout;
    assert!(
        fleet.contains("node-1") && fleet.contains("no?[31m room"),
        "{fleet}"
    );
    let nodes = ground.json(&["fleet", "--troubled"]).await;
    assert_eq!(nodes[0]["nodes"].as_array().map(Vec::len), Some(1));
    assert_eq!(nodes[0]["nodes"][0]["node_id"], "node-2");

    let acks = ground.json(&["acks"]).await;
    assert_eq!(acks["action"]["acks"], json!({"success": 1, "failure": 1}));
    assert_eq!(acks["reports"].as_array().map(Vec::len), Some(2));
    let key = action["key"].as_str().expect("a key");
    let by_key = ground.tool(&["acks", &key[..8]]).await;
    assert!(
        by_key
            .assert_success()
            .stdout
            .contains("1 succeeded, 1 failed, 2 expected")
    );

    let history = ground.tool(&["history"]).await;
    assert!(
        history.assert_success().stdout.contains("partially_failed"),
        "{}",
        history.text()
    );

    let health = ground.tool(&["health"]).await;
    assert_eq!(health.code, Some(1), "{}", health.text());
    assert!(
        health.stdout.contains("is partially_failed"),
        "{}",
        health.text()
    );
}

#[tokio::test]
async fn t1_what_is_exported_is_verified_without_a_relay() {
    let mut ground = Ground::new().await;
    for version in ["v1.0.0", "v1.1.0", "v1.2.0"] {
        for developer in 0..2 {
            let hash = if version == "v1.1.0" {
                OTHER_HASH
            } else {
                HASH
            };
            ground
                .upgrade(developer, version, hash)
                .await
                .assert_success();
        }
    }
    ground
        .report(&Author::new(), "node-1", "v1.2.0", None)
        .await;
    let queried = ground.json(&["audit", "query"]).await;
    assert_eq!(
        queried.as_array().map(Vec::len),
        Some(6),
        "the replaced ones too: {queried}"
    );
    let queried = ground.json(&["audit", "query", "--to", "1.1.0"]).await;
    assert_eq!(queried.as_array().map(Vec::len), Some(2));

    let file = ground.path("export.jsonl").display().to_string();
    ground
        .tool(&["audit", "export", "--out", &file])
        .await
        .assert_success();
    for relay in ground.relays.drain(..) {
        let _setup = relay.kill();
    }
    let verified = ground.json(&["verify", &file]).await;
    assert_eq!(
        (&verified["sound"], &verified["history"]["entries"]),
        (&json!(true), &json!(4))
    );
    assert_eq!(verified["history"]["signals"], 6);
    let actions = verified["history"]["state"]["networks"][0]["actions"]
        .as_array()
        .expect("actions");
    assert!(actions.iter().all(|action| action["quorum_at"].is_number()));

    let text = fs::read_to_string(&file).expect("an export");
    let lines: Vec<&str> = text.lines().collect();
    let swapped = {
        let mut first: Value = serde_json::from_str(lines[0]).expect("JSON");
        let event = first["event"]
            .as_str()
            .expect("an event")
            .replace("v1.0.0", "v6.6.6");
        first["event"] = json!(event);
        [&[first.to_string().as_str()], &lines[1..]]
            .concat()
            .join("\n")
    };
    for (what, damaged, words) in [
        (
            "an entry is missing",
            lines[1..].join("\n"),
            "entry 1 was expected",
        ),
        (
            "an event was changed",
            swapped,
            "the id is not that of the event",
        ),
    ] {
        fs::write(&file, damaged).expect("written");
        let found = ground.tool(&["verify", &file]).await;
        assert_eq!(found.code, Some(1), "{what}: {}", found.text());
        assert!(
            found.stdout.contains(words) && found.stdout.contains("NOT SOUND"),
            "{}",
            found.text()
        );
    }
}

#[tokio::test]
async fn t1_what_is_missing_is_said_with_what_would_be_right() {
    let home = tempfile::TempDir::new().expect("a folder");
    for (arguments, words) in [
        (&["fleet"][..], "--network ID"),
        (
            &[
                "quorum",
                "--network",
                "net",
                "--developer",
                "x",
                "--quorum",
                "1",
            ],
            "npub1... or 64",
        ),
        (&["verify", "nothing.jsonl"], "no networks"),
        (&["history", "--config", "missing.toml"], "missing.toml"),
    ] {
        let mut command = tool(&home);
        command.args(arguments);
        let output = run(command, "").await;
        assert!(output.code.is_some_and(|code| code != 0));
        assert!(
            output.stderr.contains(words),
            "{arguments:?}: {}",
            output.stderr
        );
    }
}

#[tokio::test]
async fn t1_a_relay_that_cannot_tell_all_of_one_second_is_named() {
    let ground = Ground::with("[limitation]\nmax_limit = 10").await;
    let address = format!("33321:{}:hyperqube", ground.developers[0].pubkey());
    let node = Author::new();
    let at = now() - 60;
    let mut client = Client::connect(&ground.relays[0]).await;
    for number in 0..14 {
        let draft = node.draft(3_333).at(at - u64::from(number == 13));
        let tags: [[&str; 2]; 8] = [
            ["a", &address],
            ["p", &ground.developers[0].pubkey()],
            ["version", "v1.0.0"],
            ["network", "net"],
            ["action", "upgrade"],
            ["status", "success"],
            ["node_id", &format!("node-{number}")],
            ["action_at", &at.to_string()],
        ];
        let draft = tags.iter().fold(draft, |draft, tag| draft.tag(tag));
        client.store(&draft.content("a report").sign()).await;
    }
    let fleet = ground.tool(&["fleet"]).await;
    let fleet = fleet.assert_success();
    let problem = format!("it has more events of the second {at}");
    assert!(fleet.stderr.contains(&problem), "{}", fleet.text());
}

#[tokio::test]
async fn t1_a_relay_that_cannot_be_reached_is_named_once_and_not_waited_for() {
    let mut ground = Ground::new().await;
    ground.upgrade(0, "v1.0.0", HASH).await.assert_success();
    let gone = ground.relays.remove(1);
    let url = gone.ws_url();
    let _setup = gone.kill();
    let asked = ground.tool(&["quorum", "--timeout", "1h"]);
    // Much less than the time that relays are given.
    let asked = tokio::time::timeout(std::time::Duration::from_secs(300), asked).await;
    let asked = asked.expect("an answer");
    let asked = asked.assert_success();
    assert_eq!(
        asked.stderr.matches(url.as_str()).count(),
        1,
        "{}",
        asked.text()
    );
    assert!(
        asked.stderr.contains("cannot be reached"),
        "{}",
        asked.text()
    );
    assert!(asked.stdout.contains("v1.0.0"), "{}", asked.text());
    let unknown = ground.tool(&["quorum", "zz"]).await;
    unknown.assert_failure(&["begins the key of no action"]);
}

#[tokio::test]
async fn t1_a_relay_that_wants_to_know_who_asks_is_told_of_as_such() {
    let ground = Ground::with("[auth]\nrequired = true").await;
    let asked = ground.tool(&["quorum"]).await;
    let asked = asked.assert_success();
    for words in ["auth-required", "nobody was logged in; --key FILE logs in"] {
        assert!(asked.stderr.contains(words), "{}", asked.text());
    }
}

#[tokio::test]
async fn t1_commands_that_look_log_in_with_the_key_that_there_is() {
    let ground = Ground::with("[auth]\nrequired = true").await;
    let key = ground.path("key-0").display().to_string();
    for command in [
        &["quorum"][..],
        &["fleet"],
        &["acks"],
        &["history"],
        &["audit", "query"],
        &["health"],
    ] {
        let asked = ground.tool(&[command, &["--key", &key]].concat()).await;
        let text = asked.text();
        assert!(!text.contains("auth-required"), "{command:?}: {text}");
    }
    // Of the configuration, and asked for nothing.
    let config = ground.path("qube.toml");
    let text = std::fs::read_to_string(&config).expect("a file");
    let with_key = |key: &str| std::fs::write(&config, format!("key_file = '{key}'\n{text}"));
    with_key(&key).expect("written");
    let asked = ground.tool(&["quorum"]).await;
    let told = asked.assert_success().text();
    assert!(!told.contains("auth-required"), "{told}");
    let encrypted = ground.path("encrypted").display().to_string();
    let passphrase = secret_file(&ground.home, "passphrase", "open sesame");
    let passphrase = passphrase.display().to_string();
    let mut keygen = tool(&ground.home);
    keygen.args(["keygen", "--out", &encrypted]);
    keygen.args(["--passphrase-file", &passphrase]);
    run(keygen, "").await.assert_success();
    with_key(&encrypted).expect("written");
    let asked = ground.tool(&["quorum"]).await;
    let told = asked.assert_success().text();
    assert!(told.contains("--key FILE logs in"), "{told}");
    let asked = ["quorum", "--passphrase-file", &passphrase];
    let told = ground.tool(&asked).await.assert_success().text();
    assert!(!told.contains("auth-required"), "{told}");
    let gone = ground.path("gone").display().to_string();
    let wrong = ground.tool(&["quorum", "--key", &gone]).await;
    wrong.assert_failure(&[&gone]);
}

#[tokio::test]
async fn t1_an_empty_file_proves_nothing_and_each_relays_log_is_a_chain() {
    let ground = Ground::new().await;
    for version in ["v1.0.0", "v1.1.0"] {
        ground.upgrade(0, version, HASH).await.assert_success();
    }
    let mut files = Vec::new();
    for (number, relay) in ground.relays.iter().enumerate() {
        let file = ground
            .path(&format!("export-{number}"))
            .display()
            .to_string();
        let api = format!("{}/api/v1/qube", relay.http_url());
        ground
            .tool(&["audit", "export", "--api", &api, "--out", &file])
            .await
            .assert_success();
        files.push(file);
    }
    let both = ground.json(&["verify", &files[0], &files[1]]).await;
    assert_eq!(both["sound"], true, "{both}");
    assert_eq!(both["files"].as_array().map(Vec::len), Some(2));
    let empty = ground.path("empty").display().to_string();
    fs::write(&empty, "").expect("written");
    let nothing = ground.tool(&["verify", &empty]).await;
    nothing.assert_failure(&["proves nothing"]);
    assert_eq!(nothing.code, Some(1));
}
