//! Two relays, one of which asks the other.

use super::peers::peer;
use super::{assert_says, exported, ids, serving, stopped, stored, sync};
use std::collections::BTreeSet;
use trellis_test_support::management::call;
use trellis_test_support::{Author, Client, Event, json, process, trellis};

#[tokio::test]
async fn c21_sync_moves_both_ways_what_one_side_lacks() {
    let events = Author::new().notes(400);
    let there = serving(&events[..300]).await;
    let here = stopped(&events[50..]).await;
    let output = sync(&here, &there.ws_url(), &[]).await;
    assert_says(
        &output,
        &[
            "350 compared: 100 only here, 50 only there",
            "down: 50 stored, 0 known, 0 not sent, 0 refused",
            "up: 100 taken, 0 not taken, 0 kept back",
        ],
    );
    assert_eq!(stored(&there, json!({"kinds": [1]})).await, ids(&events));
    assert_eq!(exported(&here).await, ids(&events));
    let again = sync(&here, &there.ws_url(), &[]).await;
    assert_says(&again, &["400 compared: 0 only here, 0 only there"]);
}

#[tokio::test]
async fn c10_vanish_travels_with_a_sync() {
    let author = Author::new();
    let note = author.note("before");
    let request = author.draft(62).tag(&["relay", "ALL_RELAYS"]).sign();
    let peer = serving(std::slice::from_ref(&request)).await;
    let setup = stopped(std::slice::from_ref(&note)).await;
    sync(&setup, &peer.ws_url(), &[]).await.assert_success();
    let relay = setup.start().await;
    let everything = stored(&relay, json!({"authors": [author.pubkey()]})).await;
    assert_eq!(everything, ids([&request]));
    let mut client = Client::connect(&relay).await;
    client
        .publish(&note)
        .await
        .assert_refused("blocked:", "NIP-62");
}

#[tokio::test]
async fn c21_sync_works_through_the_relay_that_has_the_database_open() {
    let events = Author::new().notes(40);
    let there = serving(&events[..30]).await;
    let here = serving(&events[20..]).await;
    let mut reader = Client::connect(&here).await;
    reader.subscribe("s", &[json!({"limit": 0})]).await;
    assert_eq!(reader.stored("s").await, Ok(vec![]));
    let output = sync(here.setup(), &there.ws_url(), &[]).await;
    assert_says(&output, &["down: 20 stored", "up: 10 taken"]);
    let mut live = BTreeSet::new();
    while live.len() < 20 {
        live.insert(reader.next_event("s").await.id.to_hex());
    }
    assert_eq!(live, ids(&events[..20]), "subscribers get what comes in");
    assert_eq!(stored(&there, json!({})).await, ids(&events));
    let url = peer(|_| vec![json!(["NEG-MSG", "sync", "6100000209"])]).await;
    let output = sync(here.setup(), &url, &[]).await;
    output.assert_failure(&["breaks the protocol"]);
}

#[tokio::test]
async fn c21_sync_moves_one_way_where_it_is_told_to() {
    let events = Author::new().notes(30);
    for (way, moved_there, moved_here) in [("up", 30, 20), ("down", 20, 30)] {
        let there = serving(&events[..20]).await;
        let here = stopped(&events[10..]).await;
        let output = sync(&here, &there.ws_url(), &["--dir", way]).await;
        assert_says(&output, &["20 compared: 10 only here, 10 only there"]);
        assert_eq!(stored(&there, json!({})).await.len(), moved_there, "{way}");
        assert_eq!(exported(&here).await.len(), moved_here, "{way}");
    }
}

#[tokio::test]
async fn c21_sync_keeps_to_its_filter() {
    let author = Author::new();
    let notes = author.notes(20);
    let others: Vec<Event> = (0..5)
        .map(|i| author.draft(7).content(&i.to_string()).sign())
        .collect();
    let there = serving(&[&notes[..], &others[..]].concat()).await;
    let here = stopped(&[]).await;
    let since = notes[9].created_at.as_secs();
    let filter = json!({"kinds": [1], "since": since}).to_string();
    sync(&here, &there.ws_url(), &["-f", &filter])
        .await
        .assert_success();
    assert_eq!(exported(&here).await, ids(&notes[..10]));
    for (filter, words) in [
        (r#"{"limit":5}"#, "limit"),
        (r#"{"search":"x"}"#, "search"),
        (r#"{"kinds":5}"#, "kinds"),
    ] {
        let output = sync(&here, &there.ws_url(), &["-f", filter]).await;
        output.assert_failure(&[words]);
    }
}

#[tokio::test]
async fn c21_sync_sends_nothing_that_is_for_some_readers_alone() {
    let (author, recipient) = (Author::new(), Author::new());
    let note = author.note("for all");
    let wrap = author.draft(1059).tag(&["p", &recipient.pubkey()]).sign();
    let protected = author.draft(1).tag(&["-"]).content("mine").sign();
    let here = trellis!().start().await;
    let mut client = Client::connect(&here).await;
    client.store_all(&[note.clone(), wrap.clone()]).await;
    client.login(&author).await;
    client.store(&protected).await;
    let (_, here) = here.stop().await;
    // Even where the other relay would show and take them.
    let there = trellis!()
        .config("[protection]\nread_protected_kinds = []")
        .start()
        .await;
    let output = sync(&here, &there.ws_url(), &[]).await;
    assert_says(&output, &["up: 1 taken, 0 not taken, 1 kept back"]);
    assert_eq!(stored(&there, json!({})).await, ids([&note]));
    let wraps = json!({"kinds": [1059]}).to_string();
    let output = sync(&here, &there.ws_url(), &["-f", &wraps]).await;
    assert_says(&output, &["0 compared: 0 only here"]);
    assert_eq!(stored(&there, json!({"kinds": [1059]})).await, ids([]));
}

#[tokio::test]
async fn c21_sync_brings_in_nothing_that_is_banned() {
    let (operator, banned) = (Author::new(), Author::new());
    let good = Author::new().note("welcome");
    let there = serving(&[good.clone(), banned.note("unwelcome")]).await;
    let toml = format!("[information]\npubkey = \"{}\"", operator.pubkey());
    let here = trellis!().config(&toml).start().await;
    call(&here, &operator, "banpubkey", json!([banned.pubkey()])).await;
    let output = sync(here.setup(), &there.ws_url(), &["--dir", "down"]).await;
    assert_says(
        &output,
        &[
            "down: 1 stored",
            "1 times: blocked: the author's public key is not allowed",
        ],
    );
    assert_eq!(stored(&here, json!({})).await, ids([&good]));
}

#[tokio::test]
async fn c21_sync_says_what_the_other_relay_does_not_take_and_why() {
    let events = Author::new().notes(3);
    let here = stopped(&events).await;
    let other = Author::new().pubkey();
    let toml = format!("[auth.event]\nevent_pubkey_whitelist = [\"{other}\"]");
    let there = trellis!().config(&toml).start().await;
    let output = sync(&here, &there.ws_url(), &[]).await;
    assert_says(&output, &["up: 0 taken, 3 not taken", "3 times: blocked: "]);
}

#[tokio::test]
async fn c21_sync_authenticates_as_the_relay_where_it_is_asked_to() {
    let member = Author::new();
    let events = member.notes(5);
    let there = trellis!()
        .env("TRELLIS_AUTH__REQUIRED", "true")
        .start()
        .await;
    let mut client = Client::connect(&there).await;
    client.login(&member).await;
    client.store_all(&events).await;
    let here = stopped(&[]).await;
    let output = sync(&here, &there.ws_url(), &[]).await;
    assert_says(&output, &["down: 5 stored"]);
    assert_eq!(exported(&here).await, ids(&events));
}

#[tokio::test]
async fn c21_sync_splits_what_is_too_much_at_once() {
    let author = Author::new();
    let events = author.notes(60);
    let there = trellis!()
        .config("[negentropy]\nmax_items = 10")
        .start()
        .await;
    let mut client = Client::connect(&there).await;
    client.store_all(&events[..50]).await;
    let here = stopped(&events[10..]).await;
    let output = sync(&here, &there.ws_url(), &[]).await;
    assert_says(&output, &["down: 10 stored", "up: 10 taken"]);
    assert_eq!(exported(&here).await, ids(&events));
    assert_eq!(stored(&there, json!({})).await, ids(&events));
}

#[tokio::test]
async fn c21_sync_leaves_out_a_second_that_is_too_much_and_goes_on() {
    let author = Author::new();
    let events = author.notes(30);
    let crowded = events[15].created_at.as_secs();
    let crowd: Vec<Event> = (0..12)
        .map(|i| author.draft(7).at(crowded).content(&i.to_string()).sign())
        .collect();
    let there = trellis!()
        .config("[negentropy]\nmax_items = 10")
        .start()
        .await;
    let mut client = Client::connect(&there).await;
    client.store_all(&[&events[..20], &crowd].concat()).await;
    let here = stopped(&events[10..15]).await;
    let output = sync(&here, &there.ws_url(), &[]).await;
    output.assert_failure(&["one second was left out"]);
    let line = format!("left out the second {crowded}: the peer says: blocked:");
    for line in ["down: 14 stored", &line] {
        assert!(output.stdout.contains(line), "{line}: {}", output.text());
    }
    let all_but_that: Vec<&Event> = (0..20).filter(|i| *i != 15).map(|i| &events[i]).collect();
    assert_eq!(exported(&here).await, ids(all_but_that));
}

/// The figures of a large exchange, for people:
/// `cargo test --release --test c21_sync -- --ignored --nocapture`
#[tokio::test]
#[ignore = "takes a minute and is for reading"]
#[allow(clippy::print_stdout, reason = "that is what it is for")]
async fn c21_sync_of_a_hundred_thousand_events_that_differ_in_a_thousand() {
    let author = Author::new();
    let events: Vec<String> = (0..100_500_u64)
        .map(|i| {
            let draft = author.draft(1).at(1_700_000_000 + i / 3);
            draft.content(&format!("note {i}")).sign().as_json()
        })
        .collect();
    let (here, there) = (trellis!(), trellis!());
    for (setup, part) in [(&here, &events[..100_000]), (&there, &events[500..])] {
        let config = setup.config_file().display().to_string();
        let input = setup.home().join("events.jsonl");
        std::fs::write(&input, part.join("\n")).expect("write");
        let file = input.display().to_string();
        let arguments = ["import", "-c", &config, "--no-verify", &file];
        setup.run(&arguments).await.assert_success();
    }
    let here = here.start().await;
    let there = there.start().await;
    let memory = || [&here, &there].map(|relay| process::own_memory_bytes(relay.pid()) >> 10);
    println!("own memory in KiB before: {:?}", memory());
    for round in ["500 each way", "nothing to do"] {
        let since = std::time::Instant::now();
        let output = sync(here.setup(), &there.ws_url(), &[]).await;
        output.assert_success();
        println!("{round}: {:?}\n{}", since.elapsed(), output.stdout);
        println!("own memory in KiB after: {:?}", memory());
    }
    let mut client = Client::connect(&there).await;
    let body = client.count(&[json!({})]).await.expect("a count");
    assert_eq!(body["count"], events.len());
}
