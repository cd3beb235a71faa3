//! Directives: what they would come to, and how they get to the relays.

use crate::ground::{Ground, HASH, OTHER_HASH};
use trellis_test_support::{Author, Client, Output, json, now, wait};

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
    let unknown = ground.tool(&["rollback", "--key", &key, "--dry-run"]).await;
    unknown.assert_failure(&["(upgrade v1.0.0, 0 done, 0 failed)"]);
    let node = Author::new();
    ground.report(&node, "node-1", "v1.0.0", None).await;
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

    // Who comes third goes to what the others went to, and never by mistake to what they left.
    let key = ground.path("key-2").display().to_string();
    let third = ground.tool(&["rollback", "--key", &key]).await;
    third.assert_failure(&["is a way back itself", current.as_str().expect("a key")]);
    assert_eq!(third.code, Some(2));
    let short = &current.as_str().expect("a key")[..12];
    let named = ground.tool(&["rollback", short, "--key", &key]).await;
    assert!(
        named
            .assert_success()
            .stdout
            .contains("upgrade of net to v1.0.0"),
        "{}",
        named.text()
    );
}

#[tokio::test]
async fn t1_rollback_wants_a_key_that_names_one_action_that_was_agreed_on() {
    let ground = Ground::new().await;
    for developer in 0..2 {
        ground
            .upgrade(developer, "v1.0.0", HASH)
            .await
            .assert_success();
    }
    for developer in 0..2 {
        ground
            .upgrade(developer, "v1.1.0", OTHER_HASH)
            .await
            .assert_success();
    }
    ground.upgrade(2, "v1.2.0", HASH).await.assert_success();
    let key = ground.path("key-2").display().to_string();
    let quorum = ground.json(&["quorum"]).await;
    let actions = quorum[0]["actions"].as_array().expect("actions");
    let proposal = actions
        .iter()
        .find(|action| action["directive"]["version"] == "1.2.0")
        .expect("the proposal");
    let proposal = proposal["key"].as_str().expect("a key");
    for (begin, words) in [
        ("", "begins the keys of several actions"),
        ("00000000", "begins the key of no action"),
        (proposal, "begins the key of no action"),
    ] {
        let refused = ground.tool(&["rollback", begin, "--key", &key]).await;
        refused.assert_failure(&[words, "(upgrade v1.0.0, ", "(upgrade v1.1.0, "]);
        assert_eq!(refused.code, Some(2));
    }
}

/// A developer directs a reboot; what came of it.
async fn reboot(ground: &Ground, number: usize, version: &str, required_by: &str) -> Output {
    let key = ground.path(&format!("key-{number}")).display().to_string();
    let url = "https://example.com/genesis.json";
    ground
        .tool(&[
            "signal",
            "reboot",
            "--to",
            version,
            "--hash",
            HASH,
            "--key",
            &key,
            "--genesis-url",
            url,
            "--required-by",
            required_by,
        ])
        .await
}

#[tokio::test]
async fn t1_votes_for_a_reboot_agree_on_its_time() {
    let ground = Ground::new().await;
    let first = reboot(&ground, 0, "v1.0.0", "+30m").await;
    let said = first.assert_success().stdout.clone();
    let others = said.lines().find(|line| line.starts_with("others "));
    let others = others.expect("what others type");
    let at = others.split(" --required-by ").nth(1).expect("a time");
    assert!(at.parse::<u64>().is_ok(), "{others}");

    let refused = reboot(&ground, 1, "v1.0.0", "+40m").await;
    refused.assert_failure(&["1 others vote for the same reboot", at]);
    let agreed = reboot(&ground, 1, "v1.0.0", at).await;
    let agreed = agreed.assert_success();
    assert!(agreed.stdout.contains("2 of 2"), "{}", agreed.text());
}

#[tokio::test]
async fn t1_the_way_back_of_a_reboot_is_one_for_all_developers() {
    let ground = Ground::new().await;
    let at = now() + 1_800;
    for (version, at) in [("v1.0.0", at), ("v1.1.0", at + 60)] {
        for developer in 0..2 {
            reboot(&ground, developer, version, &at.to_string())
                .await
                .assert_success();
        }
    }
    let node = Author::new();
    ground
        .report_on("reboot", &node, "node-1", "v1.0.0", None)
        .await;
    // A report is about the last directive before what it tells of: the way back has to come later.
    let reported = now();
    wait::until_true("later seconds", || now() > reported + 4).await;
    let keys = [0, 1].map(|number| ground.path(&format!("key-{number}")).display().to_string());
    let first = ground.tool(&["rollback", "--key", &keys[0]]).await;
    let said = first.assert_success().stdout.clone();
    let typed = said.split("trellis qube rollback ").nth(1);
    let typed = typed.expect("what others type").trim();
    let alone = ground
        .tool(&["rollback", "--key", &keys[1], "--within", "31m"])
        .await;
    alone.assert_failure(&["others vote for the same reboot", "--required-by"]);

    let words: Vec<&str> = ["rollback"]
        .into_iter()
        .chain(typed.split(' '))
        .chain(["--key", &keys[1]])
        .collect();
    let second = ground.tool(&words).await;
    let second = second.assert_success();
    assert!(
        second.stdout.contains("the quorum is there"),
        "{}",
        second.text()
    );
    let third = ground.path("key-2").display().to_string();
    let third = ground.tool(&["rollback", "--key", &third]).await;
    third.assert_failure(&["is a way back itself"]);
}

#[tokio::test]
async fn t1_a_way_back_leads_to_what_nodes_have_done() {
    let ground = Ground::new().await;
    let nodes: Vec<Author> = (0..3).map(|_| Author::new()).collect();
    for (version, hash) in [("v1.0.0", HASH), ("v1.1.0", OTHER_HASH), ("v1.2.0", HASH)] {
        for developer in 0..2 {
            ground
                .upgrade(developer, version, hash)
                .await
                .assert_success();
        }
        for (number, node) in nodes.iter().enumerate() {
            let error = (version == "v1.1.0" && number > 0).then_some("refused here");
            if version != "v1.2.0" {
                let name = format!("node-{number}");
                ground.report(node, &name, version, error).await;
            }
        }
    }
    // Agreed on, by votes that only count later, and done nowhere.
    let keys = [0, 1].map(|number| ground.path(&format!("key-{number}")).display().to_string());
    for (version, key) in [("v1.3.0", &keys[0]), ("v1.3.0", &keys[1])] {
        let conditions = ["--condition", "height:900", "--rollout", "10"];
        let words = [
            "signal", "upgrade", "--to", version, "--hash", OTHER_HASH, "--key", key,
        ];
        let words: Vec<&str> = words.into_iter().chain(conditions).collect();
        ground.tool(&words).await.assert_success();
    }
    let shown = ground.tool(&["quorum"]).await;
    for words in ["condition: height 900 (", "rollout: 10 % of the nodes"] {
        assert!(shown.stdout.contains(words), "{}", shown.text());
    }
    let key = shown.stdout.lines().find(|line| line.contains("v1.3.0"));
    let key = key
        .and_then(|line| line.split(' ').next())
        .expect("a key")
        .to_owned();
    for developer in 0..2 {
        ground
            .upgrade(developer, "v1.4.0", HASH)
            .await
            .assert_success();
    }
    let dry = ground
        .tool(&["rollback", "--key", &keys[0], "--dry-run"])
        .await;
    let dry = dry.assert_success();
    assert!(
        dry.stdout.contains("upgrade of net to v1.0.0"),
        "{}",
        dry.text()
    );
    let named = ground
        .tool(&["rollback", &key, "--key", &keys[0], "--dry-run"])
        .await;
    let named = named.assert_success();
    assert!(
        named.stderr.contains("not carried over"),
        "{}",
        named.text()
    );
    assert!(named.stderr.contains("height 900"), "{}", named.text());
}

#[tokio::test]
async fn t1_a_way_back_that_makes_a_conflict_is_asked_for() {
    let ground = Ground::new().await;
    for (version, hash) in [("v1.0.0", HASH), ("v1.1.0", OTHER_HASH)] {
        for developer in 0..2 {
            ground
                .upgrade(developer, version, hash)
                .await
                .assert_success();
        }
    }
    ground
        .upgrade(2, "v1.0.0", OTHER_HASH)
        .await
        .assert_success();
    let own = ground.path("key-0").display().to_string();
    let refused = ground.tool(&["rollback", "zz", "--key", &own]).await;
    let back = refused.stderr.split(" (upgrade v1.0.0, ").next();
    let back = back
        .and_then(|text| text.rsplit(' ').next())
        .expect("a key")
        .to_owned();
    let refused = ground.tool(&["rollback", &back, "--key", &own]).await;
    refused.assert_failure(&["different hashes", "--despite-conflict"]);
    let signed = ground
        .tool(&["rollback", &back, "--key", &own, "--despite-conflict"])
        .await;
    let signed = signed.assert_success();
    assert!(
        signed.stdout.contains("1 of 2 with this one: proposed"),
        "{}",
        signed.text()
    );
}

#[tokio::test]
async fn t1_votes_for_different_geneses_are_a_conflict() {
    let ground = Ground::new().await;
    let at = (now() + 1_800).to_string();
    let sign = async |number: usize, more: &[&str]| {
        let key = ground.path(&format!("key-{number}")).display().to_string();
        let words = [
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
            &at,
        ];
        let words: Vec<&str> = words.iter().chain(more).copied().collect();
        ground.tool(&words).await
    };
    let unbound = sign(0, &["--dry-run"]).await;
    let unbound = unbound.assert_success();
    assert!(
        unbound.stdout.contains("--genesis-hash or --genesis"),
        "{}",
        unbound.text()
    );
    sign(0, &["--genesis-hash", HASH]).await.assert_success();
    let other = ["--genesis-hash", OTHER_HASH];
    let refused = sign(1, &other).await;
    refused.assert_failure(&["different genesis hashes", "--despite-conflict"]);
    let all: Vec<&str> = other.into_iter().chain(["--despite-conflict"]).collect();
    sign(1, &all).await.assert_success();
    let quorum = ground.tool(&["quorum"]).await;
    assert!(
        quorum.stdout.contains("different geneses"),
        "{}",
        quorum.text()
    );
    let health = ground.tool(&["health"]).await;
    assert_eq!(health.code, Some(1), "{}", health.text());
    assert!(
        health.stdout.contains("several genesis hashes"),
        "{}",
        health.text()
    );
}

#[tokio::test]
async fn t1_what_is_dated_ahead_is_told_and_does_not_count_yet() {
    let ground = Ground::new().await;
    ground.upgrade_ahead(0, "v1.0.0", 800).await;
    let signed = ground.upgrade(1, "v1.0.0", HASH).await;
    let signed = signed.assert_success();
    assert!(
        signed.stdout.contains("1 of 2 with this one: proposed"),
        "{}",
        signed.text()
    );
    assert!(
        signed.stdout.contains("13 min ahead, counts from"),
        "{}",
        signed.text()
    );
    let quorum = ground.tool(&["quorum"]).await;
    let quorum = quorum.assert_success();
    assert!(quorum.stdout.contains("1 of 2"), "{}", quorum.text());
    assert!(quorum.stdout.contains("ahead: "), "{}", quorum.text());

    // Whose own clock was ahead comes after that, and is told so; what would then be too late is not published.
    let own = ground.upgrade(0, "v1.1.0", HASH).await;
    let own = own.assert_success();
    assert!(
        own.stdout.contains("your last directive is dated ahead"),
        "{}",
        own.text()
    );
    let late = reboot(&ground, 0, "v2.0.0", "+10m").await;
    late.assert_failure(&["nothing was published"]);
    let key = ground.path("key-0").display().to_string();
    let launch = ground
        .tool(&["launch", "--to", "v1.2.0", "--hash", HASH, "--key", &key])
        .await;
    launch.assert_failure(&["would count from"]);
}

#[tokio::test]
async fn t1_a_condition_that_no_node_can_meet_is_refused() {
    let ground = Ground::new().await;
    let key = ground.path("key-0").display().to_string();
    for condition in ["between:1000:2000", "between:9000000000:8000000000"] {
        let refused = ground
            .tool(&[
                "signal",
                "upgrade",
                "--to",
                "v1.0.0",
                "--hash",
                HASH,
                "--key",
                &key,
                "--condition",
                condition,
            ])
            .await;
        refused.assert_failure(&["cannot be met"]);
        assert_eq!(refused.code, Some(2));
    }
}
