//! Peers that are no relay, or behave as none should; and what a sync that was interrupted leaves behind.

use super::{assert_says, exported, ids, serving, stopped, sync};
use futures_util::{SinkExt as _, StreamExt as _};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use trellis_test_support::{Author, Event, Value, json, now, trellis};

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
    let nobody = "ws://127.0.0.1:1";
    let output = sync(&here, nobody, &[]).await;
    output.assert_failure(&["cannot connect", nobody]);
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
pub(super) async fn peer(answers: impl Fn(&Value) -> Vec<Value> + Send + 'static) -> String {
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
