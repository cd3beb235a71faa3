//! C21: `trellis sync` between two relays, and with peers that misbehave.

use futures_util::{SinkExt as _, StreamExt as _};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use trellis_test_support::management::call;
use trellis_test_support::{
    Author, Client, Event, Output, Relay, Setup, Value, json, now, process, trellis,
};

/// A relay with these events.
async fn serving(events: &[Event]) -> Relay {
    let relay = trellis!().start().await;
    let mut client = Client::connect(&relay).await;
    client.store_all(events).await;
    relay
}

/// A stopped relay with these events.
async fn stopped(events: &[Event]) -> Setup {
    serving(events).await.stop().await.1
}

async fn sync(setup: &Setup, url: &str, more: &[&str]) -> Output {
    let config = setup.config_file().display().to_string();
    let mut arguments = vec!["sync", "-c", &config, url];
    arguments.extend(more);
    setup.run(&arguments).await
}

fn ids<'e>(events: impl IntoIterator<Item = &'e Event>) -> BTreeSet<String> {
    events.into_iter().map(|event| event.id.to_hex()).collect()
}

async fn stored(relay: &Relay, filter: Value) -> BTreeSet<String> {
    let mut client = Client::connect(relay).await;
    ids(&client.query(filter).await)
}

/// What a stopped relay has.
async fn exported(setup: &Setup) -> BTreeSet<String> {
    let config = setup.config_file().display().to_string();
    let output = setup.run(&["export", "-c", &config]).await;
    output.assert_success();
    let id = |line: &str| {
        let event: Value = serde_json::from_str(line).expect("an event");
        event["id"].as_str().expect("an id").to_owned()
    };
    output.stdout.lines().map(id).collect()
}

#[track_caller]
fn assert_says(output: &Output, lines: &[&str]) {
    output.assert_success();
    for line in lines {
        assert!(output.stdout.contains(line), "{line:?}: {}", output.text());
    }
    assert_eq!(output.stderr, "", "quiet where nobody looks");
}

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
    assert_says(&output, &["down: 1 stored", "1 times: banned here"]);
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

#[tokio::test]
async fn c21_sync_gives_up_a_peer_that_always_says_too_much() {
    let here = stopped(&[]).await;
    let url = peer(|message| match message[0].as_str() {
        Some("NEG-OPEN") => vec![json!(["NEG-ERR", message[1], "blocked: not for you"])],
        _ => vec![],
    })
    .await;
    let output = sync(&here, &url, &[]).await;
    output.assert_failure(&["the peer refuses", "not for you"]);
}

#[tokio::test]
async fn c21_sync_asks_again_where_a_peer_sends_fewer_than_asked_for() {
    let events = Author::new().notes(150);
    let by_id: BTreeMap<String, String> = events
        .iter()
        .map(|event| (event.id.to_hex(), event.as_json()))
        .collect();
    let absent = "ab".repeat(32);
    let named: String = by_id.keys().map(String::as_str).collect();
    // Version 1, up to infinity, a list of 151 ids.
    let list = format!("610000028117{named}{absent}");
    let url = peer(move |message| match message[0].as_str() {
        Some("NEG-OPEN") => vec![json!(["NEG-MSG", message[1], list])],
        Some("REQ") => {
            let asked = message[2]["ids"].as_array().expect("ids");
            let known = asked
                .iter()
                .filter_map(|id| by_id.get(id.as_str().expect("an id")));
            let sent = known.take(7).map(|json| {
                let event: Value = serde_json::from_str(json).expect("JSON");
                json!(["EVENT", message[1], event])
            });
            sent.chain([json!(["EOSE", message[1]])]).collect()
        }
        _ => vec![],
    })
    .await;
    let here = stopped(&[]).await;
    let output = sync(&here, &url, &[]).await;
    assert_says(
        &output,
        &["down: 150 stored, 0 known, 1 not sent, 0 refused"],
    );
    assert_eq!(exported(&here).await, ids(&events));
}

#[tokio::test]
async fn c21_sync_is_begun_again_where_it_was_interrupted() {
    let events = Author::new().notes(250);
    let here = stopped(&[]).await;
    let by_id: BTreeMap<String, String> = events
        .iter()
        .map(|event| (event.id.to_hex(), event.as_json()))
        .collect();
    // Version 1, up to infinity, a list of 250 ids.
    let named: String = by_id.keys().map(String::as_str).collect();
    let list = format!("61000002817a{named}");
    // It sends what the first request asks for and then is gone.
    let url = peer(move |message| match message[0].as_str() {
        Some("NEG-OPEN") => vec![json!(["NEG-MSG", message[1], list])],
        Some("REQ") => {
            let asked = message[2]["ids"].as_array().expect("ids");
            let sent = asked.iter().map(|id| {
                let json = &by_id[id.as_str().expect("an id")];
                let event: Value = serde_json::from_str(json).expect("JSON");
                json!(["EVENT", message[1], event])
            });
            sent.chain([Value::Null]).collect()
        }
        _ => vec![],
    })
    .await;
    let output = sync(&here, &url, &["--dir", "down"]).await;
    output.assert_failure(&["run it again"]);
    let there = serving(&events).await;
    let output = sync(&here, &there.ws_url(), &[]).await;
    assert_says(
        &output,
        &["100 compared: 0 only here, 150 only there", "150 stored"],
    );
    assert_eq!(exported(&here).await, ids(&events));
}

#[tokio::test]
async fn c21_sync_says_clearly_that_a_peer_does_not_reconcile() {
    let here = stopped(&[]).await;
    let there = trellis!()
        .config("[negentropy]\nenabled = false")
        .start()
        .await;
    let output = sync(&here, &there.ws_url(), &[]).await;
    output.assert_failure(&["NIP-77", "unsupported"]);
    let url = peer(|_| vec![json!(["NOTICE", "unknown message type NEG-OPEN"])]).await;
    let output = sync(&here, &url, &[]).await;
    output.assert_failure(&["NIP-77", "unknown message type"]);
    let nobody = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("ws://{}", nobody.local_addr().expect("an address"));
    drop(nobody);
    let output = sync(&here, &url, &[]).await;
    output.assert_failure(&["cannot connect", &url]);
}

#[tokio::test]
async fn c21_sync_believes_nothing_that_a_peer_says() {
    let author = Author::new();
    let good = author.note("asked for");
    let unasked = author.note("not asked for");
    let other_kind = author.draft(7).at(now()).sign();
    let mut forged: Value = serde_json::from_str(&author.note("forged").as_json()).expect("JSON");
    forged["content"] = json!("something else");
    let named: Vec<String> = [&good, &other_kind]
        .iter()
        .map(|event| event.id.to_hex())
        .chain([forged["id"].as_str().expect("an id").to_owned()])
        .chain(["ab".repeat(32)])
        .collect();
    // Version 1, up to infinity, a list of four ids.
    let list = format!("6100000204{}", named.concat());
    let events: Vec<Value> = [&good, &good, &unasked, &other_kind]
        .iter()
        .map(|event| serde_json::from_str(&event.as_json()).expect("JSON"))
        .chain([forged])
        .collect();
    let url = peer(move |message| match message[0].as_str() {
        Some("NEG-OPEN") => vec![json!(["NEG-MSG", message[1], list])],
        Some("REQ") => {
            let mut answers = vec![json!(["EVENT", "never opened", events[2]])];
            answers.extend(
                events
                    .iter()
                    .map(|event| json!(["EVENT", message[1], event])),
            );
            answers.push(json!(["EVENT", message[1], "garbage"]));
            answers.push(json!(["EOSE", message[1]]));
            answers
        }
        _ => vec![],
    })
    .await;
    let here = stopped(&[]).await;
    let output = sync(&here, &url, &["-f", r#"{"kinds":[1]}"#]).await;
    assert_says(
        &output,
        &[
            "down: 1 stored, 0 known, 1 not sent, 2 refused",
            "1 times: does not match the filter",
            "1 times: the id or the signature is wrong",
        ],
    );
    assert_eq!(exported(&here).await, ids([&good]));
}

#[tokio::test]
async fn c21_sync_takes_no_answer_that_is_cut_off_for_the_whole() {
    let here = stopped(&Author::new().notes(3)).await;
    for cut_off in ["61ff", "610000", "61018000", "61000002", "6100000200ff"] {
        let url = peer(move |_| vec![json!(["NEG-MSG", "sync", cut_off])]).await;
        let output = sync(&here, &url, &[]).await;
        output.assert_failure(&["breaks the protocol", "cut off"]);
    }
}

/// Whether a connection asks for the information document (NIP-11) instead of a WebSocket.
async fn asks_for_information(tcp: &TcpStream) -> bool {
    let mut start = [0; 1_024];
    let length = tcp.peek(&mut start).await.expect("a request");
    String::from_utf8_lossy(&start[..length]).contains("application/nostr+json")
}

/// A peer that answers each message as it is told to, and ends the connection where it is told null. It has no
/// information document.
async fn peer(answers: impl Fn(&Value) -> Vec<Value> + Send + 'static) -> String {
    peer_with_information("HTTP/1.1 404 Not Found\r\n\r\n".to_owned(), answers).await
}

/// The same with a whole response for who asks for the document.
async fn peer_with_information(
    information: String,
    answers: impl Fn(&Value) -> Vec<Value> + Send + 'static,
) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("ws://{}", listener.local_addr().expect("an address"));
    let answers = Arc::new(Mutex::new(answers));
    tokio::spawn(async move {
        loop {
            let (mut tcp, _) = listener.accept().await.expect("a connection");
            if asks_for_information(&tcp).await {
                // Unread bytes would take the answer back, and a client that has read enough may be gone.
                let _ = tcp.read(&mut [0; 1_024]).await;
                let _ = tcp.write_all(information.as_bytes()).await;
                continue;
            }
            let answers = answers.clone();
            tokio::spawn(async move {
                let socket = tokio_tungstenite::accept_async(tcp).await;
                let mut socket = socket.expect("a handshake");
                while let Some(Ok(message)) = socket.next().await {
                    let Message::Text(text) = message else {
                        continue;
                    };
                    let message: Value = serde_json::from_str(&text).expect("JSON");
                    let answers = answers.lock().expect("no panic")(&message);
                    for answer in answers {
                        if answer.is_null() {
                            // Reads on, since a socket with unread bytes would take back what was sent.
                            let _ = socket.close(None).await;
                            while let Some(Ok(_)) = socket.next().await {}
                            return;
                        }
                        let sent = socket.send(Message::text(answer.to_string())).await;
                        sent.expect("sent");
                    }
                }
            });
        }
    });
    url
}

/// A peer that has nothing and answers each EVENT as it is told to: `Ok` takes it, `Err` refuses it with these words,
/// none ends the connection. Says what it took.
async fn taker(
    information: &str,
    answer: impl Fn(&Value) -> Option<Result<(), &'static str>> + Send + 'static,
) -> (String, Arc<Mutex<BTreeSet<String>>>) {
    let taken = Arc::new(Mutex::new(BTreeSet::new()));
    let response = format!("HTTP/1.1 200 OK\r\n\r\n{information}");
    let taking = taken.clone();
    let url = peer_with_information(response, move |message| match message[0].as_str() {
        // Version 1, up to infinity, a list of no ids.
        Some("NEG-OPEN") => vec![json!(["NEG-MSG", message[1], "6100000200"])],
        Some("EVENT") => {
            let id = message[1]["id"].as_str().expect("an id").to_owned();
            match answer(&message[1]) {
                None => vec![Value::Null],
                Some(Err(words)) => vec![json!(["OK", id, false, words])],
                Some(Ok(())) => {
                    taking.lock().expect("no panic").insert(id.clone());
                    vec![json!(["OK", id, true, ""])]
                }
            }
        }
        _ => vec![],
    })
    .await;
    (url, taken)
}

#[tokio::test]
async fn c21_sync_sends_nothing_longer_than_the_peer_says_it_takes() {
    let author = Author::new();
    let mut events = author.notes(40);
    let long = author.note(&"x".repeat(30_000));
    events.push(long.clone());
    let here = stopped(&events).await;
    let information = r#"{"limitation":{"max_message_length":20000}}"#;
    let (url, taken) = taker(information, |event| {
        (event.to_string().len() < 20_000).then_some(Ok(()))
    })
    .await;
    let output = sync(&here, &url, &[]).await;
    let line = format!("  1 too long for the peer: {}", long.id);
    assert_says(&output, &["up: 40 taken, 0 not taken", &line]);
    assert_eq!(*taken.lock().expect("no panic"), ids(&events[..40]));
}

#[tokio::test]
async fn c21_sync_goes_on_past_an_event_that_ends_the_connection() {
    let author = Author::new();
    let mut events = author.notes(90);
    let bad = author.note("bad");
    let mut long: Vec<Event> = (20..30)
        .map(|i| author.note(&"x".repeat(i * 1_000)))
        .collect();
    events.push(bad.clone());
    events.append(&mut long);
    let here = stopped(&events).await;
    // A document that is endless, or none at all, is nothing to wait for.
    for information in ["{}".to_owned(), "[".repeat(1 << 20)] {
        let (url, taken) = taker(&information, |event| {
            let content = event["content"].as_str().expect("a text");
            (content != "bad" && content.len() < 20_000).then_some(Ok(()))
        })
        .await;
        let output = sync(&here, &url, &[]).await;
        let what = "left out, since the peer ends the connection at it";
        assert_says(
            &output,
            &["up: 90 taken, 0 not taken", what, "too long for the peer"],
        );
        assert!(
            output.stdout.contains(&bad.id.to_hex()),
            "{}",
            output.text()
        );
        assert_eq!(*taken.lock().expect("no panic"), ids(&events[..90]));
    }
}

#[tokio::test]
async fn c21_sync_names_what_is_unanswered_where_every_event_ends_the_connection() {
    let events = Author::new().notes(20);
    let here = stopped(&events).await;
    let (url, _) = taker("{}", |_| None).await;
    let output = sync(&here, &url, &[]).await;
    output.assert_failure(&["the connection ended", "it left unanswered", "run it again"]);
    let named = |event: &&Event| output.stderr.contains(&event.id.to_hex());
    assert!(events.iter().filter(named).count() > 0, "{}", output.text());
}

#[tokio::test]
async fn c21_sync_sends_again_what_came_too_fast() {
    let events = Author::new().notes(100);
    let here = stopped(&events).await;
    let seen = Mutex::new(BTreeSet::new());
    let (url, taken) = taker("{}", move |event| {
        let mut seen = seen.lock().expect("no panic");
        let is_new = seen.insert(event["id"].to_string());
        match is_new && seen.len() <= 70 && seen.len() > 10 {
            true => Some(Err("rate-limited: too many; try again in 0 s")),
            false => Some(Ok(())),
        }
    })
    .await;
    let output = sync(&here, &url, &[]).await;
    assert_says(&output, &["up: 100 taken, 0 not taken"]);
    assert_eq!(*taken.lock().expect("no panic"), ids(&events));
    let (url, taken) = taker("{}", |_| Some(Err("rate-limited: never; in 0 s"))).await;
    let output = sync(&here, &url, &[]).await;
    assert_says(
        &output,
        &["up: 0 taken, 100 not taken", "rate-limited: never"],
    );
    assert!(taken.lock().expect("no panic").is_empty());
}

#[tokio::test]
async fn c21_sync_says_goodbye() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("ws://{}", listener.local_addr().expect("an address"));
    let here = stopped(&[]).await;
    let peer = async {
        loop {
            let (tcp, _) = listener.accept().await.expect("a connection");
            if asks_for_information(&tcp).await {
                continue;
            }
            let socket = tokio_tungstenite::accept_async(tcp).await;
            let mut socket = socket.expect("a handshake");
            // While it is asked for its document it has nothing to say.
            let (tcp, _) = listener.accept().await.expect("a connection");
            drop(tcp);
            while let Some(message) = socket.next().await {
                match message.expect("no end without a goodbye") {
                    Message::Text(text) if text.starts_with("[\"NEG-OPEN") => {
                        let answer = json!(["NEG-MSG", "sync", "6100000200"]).to_string();
                        socket.send(Message::text(answer)).await.expect("sent");
                    }
                    Message::Close(_) => return,
                    _ => {}
                }
            }
            panic!("no goodbye");
        }
    };
    let (output, ()) = tokio::join!(sync(&here, &url, &[]), peer);
    output.assert_success();
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
