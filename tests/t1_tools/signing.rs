//! Directives: what they would come to, and how they get to the relays.

use crate::ground::{Ground, HASH, OTHER_HASH};
use trellis_test_support::{Author, Client, json};

#[tokio::test]
async fn t1_a_dry_run_shows_what_would_come_of_it_and_publishes_nothing() {
    let ground = Ground::new().await;
    let key = ground.path("key-0").display().to_string();
    let shown = ground
        .tool(&[
            "signal",
            "upgrade",
            "--dry-run",
            "--to",
            "1.2.3",
            "--hash",
            HASH,
            "--key",
            &key,
        ])
        .await;
    let shown = shown.assert_success();
    for words in [
        "upgrade of net to v1.2.3",
        HASH,
        "1 of 2 with this one: proposed",
    ] {
        assert!(shown.stdout.contains(words), "{}", shown.text());
    }
    let mut client = Client::connect(&ground.relays[0]).await;
    assert!(client.query(json!({"kinds": [33_321]})).await.is_empty());
}

#[tokio::test]
async fn t1_a_directive_gets_to_all_relays_with_what_it_was_asked_to_say() {
    let ground = Ground::new().await;
    let key = ground.path("key-1").display().to_string();
    let published = ground
        .json(&[
            "signal",
            "reboot",
            "--to",
            "v2.0.0",
            "--hash",
            HASH,
            "--key",
            &key,
            "--genesis-url",
            "https://example.com/genesis.json",
            "--required-by",
            "+30m",
            "--genesis-hash",
            OTHER_HASH,
            "--rollout",
            "25:80",
            "--min-version",
            "1.0.0",
            "--condition",
            "height:7",
        ])
        .await;
    assert_eq!(published["published"], true);
    for relay in &ground.relays {
        let mut client = Client::connect(relay).await;
        let events = client.query(json!({"kinds": [33_321]})).await;
        assert_eq!(events.len(), 1);
        assert_eq!(json!(events[0].id.to_hex()), published["id"]);
        let tags: Vec<String> = events[0]
            .tags
            .iter()
            .map(|tag| tag.as_slice().join(" "))
            .collect();
        for wanted in [
            "version v2.0.0",
            "rollout 25 80",
            "min_version v1.0.0",
            "condition height 7",
        ] {
            assert!(tags.iter().any(|tag| tag == wanted), "{wanted}: {tags:?}");
        }
        assert!(tags.contains(&format!("genesis_hash {OTHER_HASH}")));
    }
}

#[tokio::test]
async fn t1_conflicts_strangers_and_nonsense_are_refused_before_anything_is_published() {
    let ground = Ground::new().await;
    ground.upgrade(0, "v1.0.0", HASH).await.assert_success();
    let conflict = ground.upgrade(1, "v1.0.0", OTHER_HASH).await;
    conflict.assert_failure(&["different hashes", "--despite-conflict"]);
    assert!(conflict.stdout.contains("conflict"), "{}", conflict.text());

    let stranger = crate::ground::secret_file(&ground.home, "stranger", &Author::new().secret());
    let stranger = stranger.display().to_string();
    let refused = ground
        .tool(&[
            "signal", "upgrade", "--to", "v1.0.0", "--hash", HASH, "--key", &stranger,
        ])
        .await;
    refused.assert_failure(&["is not a developer of network `net`"]);
    assert_eq!(refused.code, Some(2));
    let key = ground.path("key-0").display().to_string();
    let late = ground
        .tool(&[
            "signal",
            "reboot",
            "--to",
            "v1.0.0",
            "--hash",
            HASH,
            "--key",
            &key,
            "--genesis-url",
            "https://example.com/g",
            "--required-by",
            "1000",
        ])
        .await;
    late.assert_failure(&["it has to lie ahead"]);
    let mut client = Client::connect(&ground.relays[0]).await;
    assert_eq!(client.query(json!({"kinds": [33_321]})).await.len(), 1);
}

#[tokio::test]
async fn t1_a_relay_that_is_away_does_not_hold_up_the_others() {
    let mut ground = Ground::new().await;
    let gone = ground.relays.remove(1);
    let _setup = gone.kill();
    let key = ground.path("key-0").display().to_string();
    let signed = ground
        .tool(&[
            "signal",
            "upgrade",
            "--to",
            "v1.0.0",
            "--hash",
            HASH,
            "--key",
            &key,
            "--timeout",
            "3s",
        ])
        .await;
    let signed = signed.assert_success();
    assert!(
        signed.stderr.contains("accepted") && signed.stderr.contains("not now"),
        "{}",
        signed.text()
    );
}

#[tokio::test]
async fn t1_rollback_signs_what_was_agreed_on_before() {
    let ground = Ground::new().await;
    for (version, hash) in [("v1.0.0", HASH), ("v1.1.0", OTHER_HASH)] {
        for developer in 0..2 {
            ground
                .upgrade(developer, version, hash)
                .await
                .assert_success();
        }
    }
    let key = ground.path("key-0").display().to_string();
    let dry = ground.tool(&["rollback", "--key", &key, "--dry-run"]).await;
    assert!(
        dry.assert_success()
            .stdout
            .contains("upgrade of net to v1.0.0"),
        "{}",
        dry.text()
    );
    let first = ground.tool(&["rollback", "--key", &key]).await;
    assert!(
        first
            .assert_success()
            .stdout
            .contains("others have to sign"),
        "{}",
        first.text()
    );
    let key = ground.path("key-1").display().to_string();
    let second = ground.tool(&["rollback", "--key", &key]).await;
    assert!(
        second
            .assert_success()
            .stdout
            .contains("the quorum is there"),
        "{}",
        second.text()
    );
    let quorum = ground.json(&["quorum"]).await;
    let current = &quorum[0]["current"];
    let actions = quorum[0]["actions"].as_array().expect("actions");
    let back = actions
        .iter()
        .find(|action| action["key"] == *current)
        .expect("the current one");
    assert_eq!(
        (&back["directive"]["version"], &back["again"]),
        (&json!("1.0.0"), &json!(true))
    );
}
