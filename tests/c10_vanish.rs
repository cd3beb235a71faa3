//! C10: whoever asks to vanish (NIP-62) is gone at once, stays gone, and takes nobody along.

use trellis_relay::store::Store as _;
use trellis_relay::store::lmdb::{LmdbOptions, LmdbStore};
use trellis_test_support::client::ids;
use trellis_test_support::management::call;
use trellis_test_support::{
    Author, Client, Event, Front, Relay, Setup, http, json, now, trellis, wait,
};

async fn relay() -> (Relay, Client) {
    let relay = trellis!().start().await;
    let client = Client::connect(&relay).await;
    (relay, client)
}

fn request(author: &Author, relays: &[&str], created_at: u64) -> Event {
    let draft = author.draft(62).at(created_at).content("please");
    relays
        .iter()
        .fold(draft, |draft, relay| draft.tag(&["relay", relay]))
        .sign()
}

/// A gift wrap from a key made for it.
fn wrap_to(recipient: &Author) -> Event {
    let wrap = Author::new();
    wrap.draft(1059).tag(&["p", &recipient.pubkey()]).sign()
}

/// How many events the sweep has removed since the relay started.
async fn swept(relay: &Relay) -> u64 {
    let metrics = http::get(relay, "/metrics", &[]).await.body;
    metrics
        .lines()
        .filter_map(|line| line.strip_prefix("trellis_removals_total{cause=\"vanish\"} "))
        .map(|count| count.parse::<u64>().expect("a number"))
        .sum()
}

async fn wait_until_swept(relay: &Relay, events: u64) {
    wait::until(&format!("{events} removals"), async || {
        (swept(relay).await >= events).then_some(())
    })
    .await;
    assert_eq!(swept(relay).await, events);
}

/// What a relay left on its disk.
fn store_of(setup: &Setup) -> LmdbStore {
    let store = LmdbStore::open(setup.home().join("data"), LmdbOptions::default());
    let store = store.expect("the relay's store");
    let report = store.check().expect("a check");
    assert!(report.is_sound(), "{report:?}");
    store
}

/// Events of these kinds, deletions and lists among them.
fn life_of(author: &Author) -> Vec<Event> {
    let note = author.note("soon deleted");
    vec![
        author.draft(0).content("{}").sign(),
        author.draft(3).sign(),
        author.draft(10_002).sign(),
        author.draft(30_023).tag(&["d", "x"]).sign(),
        author.draft(7).sign(),
        author.note("hello"),
        author.deletion([["e", &note.id.to_hex()]]),
    ]
}

#[tokio::test]
async fn c10_vanish_removes_everything_up_to_the_request_and_nothing_of_others() {
    let (relay, mut client) = relay().await;
    let (ann, bob) = (Author::new(), Author::new());
    let (hers, his) = (life_of(&ann), life_of(&bob));
    let (wrap_to_ann, wrap_to_bob) = (wrap_to(&ann), wrap_to(&bob));
    client.store_all(&hers).await;
    client.store_all(&his).await;
    client
        .store_all(&[wrap_to_ann.clone(), wrap_to_bob.clone()])
        .await;
    let later = ann.draft(1).at(now() + 60).content("later").sign();
    client.store(&later).await;

    let request = request(&ann, &["ALL_RELAYS"], now());
    client.store(&request).await;
    // From the OK on, whether the sweep has come by or not.
    let mut left = client.query_ids(json!({"authors": [ann.pubkey()]})).await;
    let mut expected = ids(&[request, later]);
    left.sort();
    expected.sort();
    assert_eq!(left, expected);
    assert_eq!(client.query(json!({"ids": ids(&hers)})).await, []);
    for (filter, expected) in [
        (json!({"authors": [ann.pubkey()]}), 2),
        (json!({"kinds": [0, 3, 5, 7, 10_002, 30_023]}), 6),
        (json!({"authors": [bob.pubkey()]}), his.len()),
    ] {
        let count = client.count(std::slice::from_ref(&filter)).await;
        assert_eq!(count.expect("a count")["count"], expected, "{filter}");
    }
    wait_until_swept(&relay, hers.len() as u64 + 1).await;
    assert_eq!(
        client.query(json!({"ids": ids(&his)})).await.len(),
        his.len()
    );
    client.login(&bob).await;
    assert_eq!(client.query(json!({"kinds": [1059]})).await, [wrap_to_bob]);
}

#[tokio::test]
async fn c10_vanish_keeps_away_what_is_sent_again_after_a_restart_and_an_import_too() {
    let (relay, mut client) = relay().await;
    let ann = Author::new();
    let mut gone = life_of(&ann);
    gone.push(wrap_to(&ann));
    client.store_all(&gone).await;
    let (_, setup) = relay.stop().await;
    let file = setup.config_file().display().to_string();
    let export = setup.run(&["export", "-c", &file]).await;
    let before = export.assert_success().stdout.clone();
    assert_eq!(before.lines().count(), gone.len());

    let relay = setup.start().await;
    let mut client = Client::connect(&relay).await;
    let unseen = ann.note("never sent before");
    gone.push(unseen);
    let request = request(&ann, &["ALL_RELAYS"], now());
    client.store(&request).await;
    let refuse_all = async |client: &mut Client| {
        for event in &gone {
            client
                .publish(event)
                .await
                .assert_refused("blocked:", "NIP-62");
        }
        client.store(&ann.draft(1).at(now() + 600).sign()).await;
    };
    refuse_all(&mut client).await;
    wait_until_swept(&relay, 8).await;
    refuse_all(&mut client).await;

    let (_, setup) = relay.stop().await;
    let dump = setup.home().join("before.jsonl");
    std::fs::write(&dump, &before).expect("write the export");
    let dump = dump.display().to_string();
    setup
        .run(&["import", "-c", &file, &dump])
        .await
        .assert_success();
    let relay = setup.start().await;
    let mut client = Client::connect(&relay).await;
    refuse_all(&mut client).await;
    let left = client.query(json!({"authors": [ann.pubkey()], "until": now()}));
    assert_eq!(left.await, [request]);
}

#[tokio::test]
async fn c10_vanish_travels_with_an_export() {
    let (relay, mut client) = relay().await;
    let ann = Author::new();
    let note = ann.note("before");
    client.store(&request(&ann, &["ALL_RELAYS"], now())).await;
    let (_, setup) = relay.stop().await;
    let file = setup.config_file().display().to_string();
    let export = setup.run(&["export", "-c", &file]).await;
    let lines = export.assert_success().stdout.clone();
    let other = trellis!();
    let relay = other.start().await;
    let mut client = Client::connect(&relay).await;
    client.store(&note).await;
    let (_, other) = relay.stop().await;
    let file = other.config_file().display().to_string();
    other
        .run_with_input(&["import", "-c", &file, "-"], &lines)
        .await
        .assert_success();
    let relay = other.start().await;
    let mut client = Client::connect(&relay).await;
    assert_eq!(client.query(json!({"kinds": [1]})).await, []);
    client
        .publish(&note)
        .await
        .assert_refused("blocked:", "NIP-62");
    wait_until_swept(&relay, 1).await;
}

#[tokio::test]
async fn c10_vanish_by_an_address_that_is_not_configured_travels_where_it_is_named() {
    let address = "wss://before.example";
    let config = format!("[network]\nrelay_url = {address:?}");
    let relay = trellis!().config(&config).start().await;
    let mut client = Client::connect(&relay).await;
    let ann = Author::new();
    let note = ann.note("before");
    client.store(&request(&ann, &[address], now())).await;
    let (_, setup) = relay.stop().await;
    let file = setup.config_file().display().to_string();
    let export = setup.run(&["export", "-c", &file]).await;
    let lines = export.assert_success().stdout.clone();
    for is_running in [false, true] {
        // Jobs reach a running relay through its admin socket, which an embedded one does not have.
        let other = trellis!().front(Front::Server);
        let running = match is_running {
            true => Some(other.clone().start().await),
            false => None,
        };
        let file = other.config_file().display().to_string();
        let import = ["import", "-c", &file, "-"];
        let rejected = other.run_with_input(&import, &lines).await;
        assert!(rejected.stderr.contains("--known-as"), "{rejected:?}");
        let named = ["--known-as", "wss://old.example", "--known-as", address];
        let import = [&import[..], &named].concat();
        let imported = other.run_with_input(&import, &lines).await;
        assert!(imported.assert_success().stdout.contains("1 stored"));
        let relay = match running {
            Some(relay) => relay,
            None => other.start().await,
        };
        let mut client = Client::connect(&relay).await;
        client
            .publish(&note)
            .await
            .assert_refused("blocked:", "NIP-62");
    }
}

#[tokio::test]
async fn c10_vanish_for_another_relay_is_refused_and_does_nothing() {
    let config = "[network]\nrelay_url = \"wss://relay.example.com\"";
    let relay = trellis!().config(config).start().await;
    let mut client = Client::connect(&relay).await;
    let ann = Author::new();
    let note = ann.note("stays");
    client.store(&note).await;
    for (relays, words) in [
        (&["wss://other.example.com"][..], "other relays only"),
        (&["all_relays"][..], "other relays only"),
        (&[][..], "relay tag"),
    ] {
        client
            .publish(&request(&ann, relays, now()))
            .await
            .assert_refused("invalid:", words);
    }
    assert_eq!(client.query(json!({"kinds": [1, 62]})).await, [note]);
    client.store(&ann.note("and more")).await;
    drop(relay);
}

#[tokio::test]
async fn c10_vanish_knows_the_relay_by_its_configured_url() {
    let ann = Author::new();
    // What the client calls the relay is no address of it, here or with a URL.
    let (relay, mut client) = relay().await;
    client
        .publish(&request(&ann, &[&relay.ws_url()], now()))
        .await
        .assert_refused("invalid:", "network.relay_url");
    let config = "[network]\nrelay_url = \"wss://relay.example.com\"";
    let relay = trellis!().config(config).start().await;
    let mut client = Client::connect(&relay).await;
    client
        .publish(&request(&ann, &[&relay.ws_url()], now()))
        .await
        .assert_refused("invalid:", "wss://relay.example.com");
    let other = "wss://other.example.com";
    let both = request(&ann, &[other, "wss://RELAY.example.com:443/"], now());
    client.store(&both).await;
}

#[tokio::test]
async fn c10_vanish_is_the_right_of_those_who_may_not_publish() {
    let (ann, bob) = (Author::new(), Author::new());
    let config = format!(
        "[auth]\nrequired = true\n[auth.event]\nevent_pubkey_blacklist = [{:?}]\npubkey_whitelist = [{:?}]",
        ann.pubkey(),
        bob.pubkey()
    );
    let relay = trellis!().config(&config).start().await;
    let mut client = Client::connect(&relay).await;
    client
        .publish(&ann.note("not allowed"))
        .await
        .assert_refused("auth-required:", "");
    client.store(&request(&ann, &["ALL_RELAYS"], now())).await;
    // An address that is shut out is shut out for this too.
    let config = "[auth.event]\nip_blacklist = [\"127.0.0.1\"]";
    let relay = trellis!().config(config).start().await;
    let mut client = Client::connect(&relay).await;
    client
        .publish(&request(&bob, &["ALL_RELAYS"], now()))
        .await
        .assert_refused("restricted:", "address");
}

#[tokio::test]
async fn c10_vanish_is_the_right_of_those_whom_the_operator_banned() {
    let (operator, ann) = (Author::new(), Author::new());
    let config = format!("[information]\npubkey = {:?}", operator.pubkey());
    let relay = trellis!().config(&config).start().await;
    let mut client = Client::connect(&relay).await;
    call(&relay, &operator, "banpubkey", json!([ann.pubkey()])).await;
    call(&relay, &operator, "disallowkind", json!([62])).await;
    client
        .publish(&ann.note("banned"))
        .await
        .assert_refused("blocked:", "");
    client.store(&wrap_to(&ann)).await;
    client.store(&request(&ann, &["ALL_RELAYS"], now())).await;
    wait_until_swept(&relay, 1).await;
}

#[tokio::test]
async fn c10_vanish_cannot_be_taken_back_or_forged() {
    let (relay, mut client) = relay().await;
    let ann = Author::new();
    let note = ann.note("gone");
    client.store(&note).await;
    let request = request(&ann, &["ALL_RELAYS"], now());
    let mut forged = serde_json_of(&request);
    forged["sig"] = json!("0".repeat(128));
    client.send(json!(["EVENT", forged])).await;
    client
        .verdict(&request.id.to_hex())
        .await
        .assert_refused("invalid:", "");
    let left = client.query(json!({"kinds": [1]})).await;
    assert_eq!(left, std::slice::from_ref(&note));

    client.store(&request).await;
    let deletion = ann.draft(5).at(now() + 5);
    let deletion = deletion.tag(&["e", &request.id.to_hex()]).sign();
    client.store(&deletion).await;
    client
        .publish(&note)
        .await
        .assert_refused("blocked:", "NIP-62");
    let again = client.publish(&request).await;
    assert!(again.accepted && again.message.starts_with("duplicate:"));
    assert_eq!(client.query(json!({"kinds": [62]})).await, [request]);
    drop(relay);
}

fn serde_json_of(event: &Event) -> trellis_test_support::Value {
    event.as_json().parse().expect("JSON")
}

#[tokio::test]
async fn c10_vanish_is_in_the_information_document() {
    let (relay, _client) = relay().await;
    let information = http::relay_information(&relay).await;
    let nips = information["supported_nips"].as_array().expect("a list");
    assert!(nips.contains(&json!(62)), "{nips:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c10_vanish_goes_on_after_kill_9_in_the_middle() {
    // A sweep may be done before this process sees that it has begun; then there was too little to do.
    for notes in [3_000, 6_000, 12_000, 24_000] {
        if killed_in_the_middle(notes).await {
            return;
        }
    }
    panic!("the sweep was done each time");
}

/// Whether the relay was killed twice before everything was gone.
async fn killed_in_the_middle(notes: usize) -> bool {
    let (mut relay, mut client) = relay().await;
    let (ann, bob) = (Author::new(), Author::new());
    client.store_all(&ann.notes(notes)).await;
    let his = bob.notes(5);
    client.store_all(&his).await;
    let request = request(&ann, &["wss://relay.example.com", "ALL_RELAYS"], now());
    client.store(&request).await;
    let kept = his.len() as u64 + 1;
    let mut left = notes as u64 + kept;
    for _ in 0..2 {
        // Killed as soon as some of it is gone.
        wait::until("a first chunk to be gone", async || {
            (swept(&relay).await > 0).then_some(())
        })
        .await;
        let setup = relay.kill();
        let store = store_of(&setup);
        let now_left = store.stats().expect("sizes").events;
        assert!(now_left < left && now_left >= kept, "{now_left}");
        if now_left == kept {
            return false;
        }
        left = now_left;
        assert_eq!(store.vanishings(10).expect("requests").len(), 1);
        drop(store);
        relay = setup.start().await;
        let mut client = Client::connect(&relay).await;
        let of_ann = json!({"authors": [ann.pubkey()]});
        let found = client.query(of_ann.clone()).await;
        assert_eq!(found, std::slice::from_ref(&request));
        let count = client.count(&[of_ann]).await.expect("a count");
        assert_eq!(count["count"], 1);
    }
    wait_until_swept(&relay, left - kept).await;
    let mut client = Client::connect(&relay).await;
    assert_eq!(
        client.query(json!({"kinds": [1]})).await.len(),
        his.len(),
        "others stay"
    );
    let (_, setup) = relay.stop().await;
    assert_eq!(store_of(&setup).stats().expect("sizes").events, kept);
    true
}
