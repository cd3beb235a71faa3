//! Q17: two relays as processes that were parted, with votes that were replaced on either side. `trellis sync` brings the events
//! that stand and the reports, the relays ask each other for what was replaced, and both show the same.

#![cfg(feature = "qube_coordination")]

use trellis_test_support::{Author, Client, Event, Relay, Value, http, json, now, trellis, wait};

const HASH: &str = "a1b2c3d4e5f6a7b8c9d0e1f2a3b4c5d6e7f8a9b0c1d2e3f4a5b6c7d8e9f0a1b2";
const NETWORKS: [&str; 2] = ["hqz", "testnet"];

fn table(developers: &[Author], peers: &[String]) -> String {
    let keys: Vec<String> = developers
        .iter()
        .map(|it| format!("'{}'", it.pubkey()))
        .collect();
    let keys = keys.join(", ");
    let peers: Vec<String> = peers
        .iter()
        .map(|url| format!("'{url}/api/v1/qube'"))
        .collect();
    let networks: String = NETWORKS
        .iter()
        .map(|id| {
            format!(
                "[[extensions.qube_coordination.networks]]\nid = '{id}'\ndevelopers = [{keys}]\nquorum = 2\n"
            )
        })
        .collect();
    format!(
        "outbound.allow_private = ['127.0.0.1/32']\n[extensions.qube_coordination]\npeers = [{}]\n\
         peer_interval = '1s'\nrequests_per_minute = 1000000\n{networks}",
        peers.join(", ")
    )
}

fn directive(by: &Author, network: &str, version: &str, at_s: u64) -> Event {
    by.draft(33_321)
        .tag(&["d", "hyperqube"])
        .tag(&["version", version])
        .tag(&["hash", HASH])
        .tag(&["network", network])
        .tag(&["action", "upgrade"])
        .content("please upgrade")
        .at(at_s)
        .sign()
}

fn report(by: &Author, node: &str, developer: &Author, version: &str, at_s: u64) -> Event {
    by.draft(3_333)
        .tag(&["a", &format!("33321:{}:hyperqube", developer.pubkey())])
        .tag(&["version", version])
        .tag(&["network", "hqz"])
        .tag(&["action", "upgrade"])
        .tag(&["status", "success"])
        .tag(&["node_id", node])
        .tag(&["action_at", &at_s.to_string()])
        .content("done")
        .at(at_s)
        .sign()
}

async fn direct(relay: &Relay, by: &Author, event: &Event) {
    let mut client = Client::connect(relay).await;
    client.login(by).await;
    client.store_in_the_end(event).await;
}

/// What follows from events, without what differs between relays.
async fn state(relay: &Relay) -> Vec<Value> {
    let mut all = Vec::new();
    for network in NETWORKS {
        for list in ["quorum", "history", "signals", "fleet", "acks"] {
            let path = format!("/api/v1/qube/networks/{network}/{list}?limit=500");
            let answer = http::get(relay, &path, &[]).await;
            assert_eq!(answer.status, 200, "{path}: {}", answer.body);
            let body = answer.json();
            all.extend(body["items"].as_array().cloned().unwrap_or_default());
        }
    }
    all
}

async fn sync(of: &Relay, from: &Relay) {
    let config = of.setup().config_file().display().to_string();
    let filter = json!({"kinds": [33_321, 3_333]}).to_string();
    let url = from.ws_url();
    let words = ["sync", "-c", &config, &url, "--dir", "down", "-f", &filter];
    of.setup().run(&words).await.assert_success();
}

#[tokio::test]
async fn q17_sync_and_history_lead_to_the_same_state() {
    let developers = [Author::new(), Author::new(), Author::new()];
    let [alice, bob, carol] = &developers;
    let parted = table(&developers, &[]);
    let a = trellis!().config(&parted).start().await;
    let b = trellis!().config(&parted).start().await;

    // Parted: on either side votes are cast and replaced that the other never sees.
    let begun = now() - 1_000;
    direct(&a, alice, &directive(alice, "hqz", "v1.0.0", begun)).await;
    direct(&b, bob, &directive(bob, "hqz", "v1.0.0", begun + 10)).await;
    direct(
        &a,
        alice,
        &directive(alice, "testnet", "v3.0.0", begun + 20),
    )
    .await;
    direct(&b, alice, &directive(alice, "hqz", "v1.0.1", begun + 30)).await;
    direct(&b, bob, &directive(bob, "testnet", "v3.0.0", begun + 40)).await;
    direct(&a, carol, &directive(carol, "hqz", "v1.0.1", begun + 50)).await;
    let node = Author::new();
    Client::connect(&a)
        .await
        .store_in_the_end(&report(&node, "node-a", alice, "v1.0.0", begun + 15))
        .await;
    Client::connect(&b)
        .await
        .store_in_the_end(&report(&node, "node-b", bob, "v1.0.0", begun + 16))
        .await;
    assert_ne!(state(&a).await, state(&b).await);

    // Together again.
    sync(&a, &b).await;
    sync(&b, &a).await;
    a.write_config(&table(&developers, &[b.http_url()]));
    b.write_config(&table(&developers, &[a.http_url()]));
    a.hang_up();
    b.hang_up();
    let both = wait::until("the same state", async || {
        let (of_a, of_b) = (state(&a).await, state(&b).await);
        let is_whole = of_a.iter().filter(|it| it["stands"].is_boolean()).count() >= 10;
        (of_a == of_b && is_whole).then_some(of_a)
    })
    .await;
    // Votes that never stood on one relay at the same time count: on hqz Alice and Bob agreed, on testnet as well.
    let agreed = |network: &str, version: &str| {
        both.iter().any(|it| {
            it["network"] == network && it["version"] == version && it["quorum_at"].is_u64()
        })
    };
    assert!(agreed("hqz", "1.0.0"));
    assert!(agreed("hqz", "1.0.1"));
    assert!(agreed("testnet", "3.0.0"));
    // Both logs hold together, and the operator can see that they do.
    for relay in [&a, &b] {
        let config = relay.setup().config_file().display().to_string();
        let audit = relay.setup().run(&["qube-audit", "-c", &config]).await;
        audit.assert_success();
        let asked = ["qube-audit", "--help", "-c", &config];
        let help = relay.setup().run(&asked).await;
        let help = help.assert_success().text();
        assert!(help.contains("follow the hash chains"), "{help}");
        assert!(audit.stdout.contains("log: "), "{}", audit.text());
        assert!(
            audit.stdout.contains(" entries, the last is "),
            "{}",
            audit.text()
        );
    }
}

/// The events of one section of a relay's export, and the numbers of their entries.
async fn exported(relay: &Relay, section: &str) -> Vec<(u64, Value)> {
    let path = format!("/api/v1/qube/audit/export?section={section}&limit=1000");
    let body = http::get(relay, &path, &[]).await.json();
    assert!(body["next"].is_null(), "one page");
    let items = body["items"].as_array().cloned().unwrap_or_default();
    let of = |item: &Value| {
        let event = item["event"].as_str().expect("a text");
        let event: Value = serde_json::from_str(event).expect("an event");
        (item["seq"].as_u64().expect("a number"), event["id"].clone())
    };
    items.iter().map(of).collect()
}

#[tokio::test]
async fn q17_a_reload_beside_a_visit_to_a_peer_takes_each_entry_once() {
    const DIRECTIVES: u64 = 500;
    let developers = [Author::new(), Author::new(), Author::new()];
    let alice = &developers[0];
    let often = |table: String| {
        let more = "directives_per_hour = 1000000\npeer_interval";
        table.replacen("peer_interval", more, 1)
    };
    let a = trellis!()
        .config(&often(table(&developers, &[])))
        .start()
        .await;
    let mut client = Client::connect(&a).await;
    client.login(alice).await;
    let begun = now() - 2 * DIRECTIVES;
    for number in 0..DIRECTIVES {
        let version = format!("v1.0.{number}");
        let directive = directive(alice, "hqz", &version, begun + number);
        client.store_in_the_end(&directive).await;
    }
    let replaced = exported(&a, "log").await;
    assert_eq!(replaced.len() as u64, DIRECTIVES - 1);

    let b = trellis!().config(&table(&developers, &[])).start().await;
    let peered = table(&developers, &[a.http_url()]);
    // Each reload ends the visit that is under way, wherever it is, and begins another.
    let mut reloads = 0;
    let mut reload = async || {
        reloads += 1;
        let name = format!("reload {reloads}");
        let interval = format!("peer_interval = '{reloads}s'");
        let peered = peered.replacen("peer_interval = '1s'", &interval, 1);
        b.write_config(&format!("information.name = '{name}'\n{peered}"));
        b.hang_up();
        wait::until("the reload", async || {
            (http::relay_information(&b).await["name"] == name).then_some(())
        })
        .await;
    };
    for _ in 0..5 {
        reload().await;
    }
    wait::until("all that was replaced", async || {
        reload().await;
        (exported(&b, "adopted").await.len() >= replaced.len()).then_some(())
    })
    .await;
    reload().await;
    let adopted = exported(&b, "adopted").await;
    let ids = |entries: &[(u64, Value)]| {
        let ids = entries.iter().map(|(_, id)| id.to_string());
        ids.collect::<std::collections::BTreeSet<String>>()
    };
    let (adopted_ids, replaced_ids) = (ids(&adopted), ids(&replaced));
    assert_eq!(adopted.len(), adopted_ids.len(), "each once");
    let missing = replaced_ids.difference(&adopted_ids).count();
    let besides = adopted_ids.difference(&replaced_ids).count();
    assert_eq!((missing, besides), (0, 0));
    let numbers = adopted.iter().map(|(seq, _)| *seq);
    assert!(numbers.eq(1..DIRECTIVES), "without gaps");
    let config = b.setup().config_file().display().to_string();
    let audit = b.setup().run(&["qube-audit", "-c", &config]).await;
    audit.assert_success();
}

#[tokio::test]
async fn q15_what_is_refused_as_it_is_stored_is_counted() {
    let developers = [Author::new(), Author::new(), Author::new()];
    let a = trellis!().config(&table(&developers, &[])).start().await;
    let tofu = "node_identity = 'tofu'\npeer_interval";
    let tofu = table(&developers, &[]).replacen("peer_interval", tofu, 1);
    let b = trellis!().config(&tofu).start().await;
    let mut client = Client::connect(&a).await;
    for seconds_ago in [20, 10] {
        let node = Author::new();
        let report = report(
            &node,
            "one-name",
            &developers[0],
            "v1.0.0",
            now() - seconds_ago,
        );
        client.store_in_the_end(&report).await;
    }
    sync(&b, &a).await;
    let page = http::get(&b, "/metrics", &[]).await.body;
    let counted = r#"qube_coordination_refused_commits_total{kind="ack",result="restricted"} 1"#;
    assert!(page.contains(counted), "{page}");
}
