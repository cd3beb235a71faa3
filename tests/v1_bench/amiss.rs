//! What goes amiss: relays that forge, that say nothing, and what cannot be measured at all.

use super::{relay_and_corpus, report};
use futures_util::{SinkExt, StreamExt};
use std::fs;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;

/// A proxy before a relay that changes the first letter of every content on its way to the client, and no length.
async fn tampering_proxy(relay: &str) -> String {
    let address = relay.trim_start_matches("ws://").trim_end_matches('/');
    let address = address.to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("ws://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let relay = TcpStream::connect(&address).await.expect("the relay");
            let (mut from_client, mut to_client) = client.into_split();
            let (mut from_relay, mut to_relay) = relay.into_split();
            tokio::spawn(async move { tokio::io::copy(&mut from_client, &mut to_relay).await });
            tokio::spawn(async move {
                let mut bytes = vec![0; 64 << 10];
                while let Ok(count @ 1..) = from_relay.read(&mut bytes).await {
                    forge(&mut bytes[..count]);
                    if to_client.write_all(&bytes[..count]).await.is_err() {
                        break;
                    }
                }
            });
        }
    });
    url
}

fn forge(bytes: &mut [u8]) {
    const KEY: &[u8] = b"\"content\":\"";
    for at in KEY.len()..bytes.len() {
        if bytes[..at].ends_with(KEY) && bytes[at].is_ascii_alphanumeric() {
            bytes[at] = if bytes[at] == b'x' { b'y' } else { b'x' };
        }
    }
}

#[tokio::test]
async fn v1_forged_events_are_noticed() {
    let relay = relay_and_corpus().await;
    report(&relay, &["ingest", "-e", "corpus.jsonl"]).await;
    let url = tampering_proxy(&relay.ws_url()).await;
    let arguments = |what| ["bench", what, "-u", &url, "--patience", "10"];
    let query = [
        &arguments("query")[..],
        &["-e", "corpus.jsonl", "--per-class", "3"],
    ]
    .concat();
    let forged = relay.setup().run(&query).await;
    forged.assert_failure(&["answers were wrong", "is not right"]);
    assert_eq!(forged.code, Some(1));

    let fanout = ["--subscribers", "2", "--events", "20"];
    let fanout = [&arguments("fanout")[..], &fanout].concat();
    let forged = relay.setup().run(&fanout).await;
    forged.assert_failure(&["with other fields than were sent"]);
}

#[tokio::test]
async fn v1_a_relay_that_only_pings_is_not_waited_for() {
    let relay = relay_and_corpus().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("ws://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut socket = tokio_tungstenite::accept_async(stream)
                    .await
                    .expect("a client");
                let notice = Message::text(r#"["NOTICE","closed on Sundays"]"#);
                socket.send(notice).await.expect("a notice");
                socket
                    .send(Message::Ping("1".into()))
                    .await
                    .expect("a ping");
                while let Some(Ok(message)) = socket.next().await {
                    if message.is_pong() && socket.send(Message::Ping("2".into())).await.is_err() {
                        break;
                    }
                }
            });
        }
    });
    for what in ["ingest", "query"] {
        let arguments = [
            "bench",
            what,
            "-u",
            &url,
            "-e",
            "corpus.jsonl",
            "--patience",
            "1",
        ];
        let given_up = relay.setup().run(&arguments).await;
        given_up.assert_failure(&[
            "the relay said nothing for 1 s",
            "notice",
            "closed on Sundays",
        ]);
        assert!(!given_up.stderr.contains("elapsed"), "{}", given_up.stderr);
    }
}

#[tokio::test]
async fn v1_what_cannot_be_measured_is_said() {
    let relay = relay_and_corpus().await;
    let (setup, url) = (relay.setup(), relay.ws_url());
    let ingest = |more: &[&str]| {
        let arguments: Vec<String> = ["bench", "ingest"]
            .iter()
            .chain(more)
            .map(|word| (*word).to_owned())
            .collect();
        async move {
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            setup.run(&arguments).await
        }
    };
    let nobody = ["-u", "ws://127.0.0.1:1", "-e", "corpus.jsonl"];
    ingest(&nobody)
        .await
        .assert_failure(&["ws://127.0.0.1:1", "cannot be reached"]);
    let secure = ingest(&["-u", "wss://127.0.0.1:1", "-e", "corpus.jsonl"]).await;
    assert_eq!(secure.assert_failure(&["without TLS"]).code, Some(2));
    let gone = ["-u", &url, "-e", "corpus.jsonl", "-p", "2147483647"];
    ingest(&gone)
        .await
        .assert_failure(&["the process 2147483647 is not there"]);
    let health = format!("{url}/health");
    ingest(&["-u", &health, "-e", "corpus.jsonl"])
        .await
        .assert_failure(&["opened no WebSocket"]);

    let whole = fs::read_to_string(setup.home().join("corpus.jsonl")).expect("a corpus");
    let first = whole.lines().next().unwrap_or_default();
    fs::write(
        setup.home().join("broken.jsonl"),
        format!("{first}\n\n{{\"id\":7}}\n"),
    )
    .expect("written");
    let broken = ["-u", &url, "-e", "broken.jsonl"];
    ingest(&broken)
        .await
        .assert_failure(&["broken.jsonl, line 3"]);
    let query = setup
        .run(&["bench", "query", "-u", &url, "-e", "broken.jsonl"])
        .await;
    query.assert_failure(&["broken.jsonl, line 3", "id must be 64"]);
    ingest(&["-u", &url, "-e", "nowhere.jsonl"])
        .await
        .assert_failure(&["nowhere.jsonl"]);
    let own_pid = std::process::id().to_string();
    for (more, code, words) in [
        (&["--lone", "600"][..], 1, "there are 600 events"),
        (&["-n", "601"], 1, "holds 600 events, fewer than the 601"),
        (&["-n", "0"], 2, "0 is not in 1.."),
        (&["--patience", "0"], 2, "0 is not in 1.."),
        (
            &["--pin", "1000"],
            1,
            "there is no core 1000; this process may use ",
        ),
        (&["-p", &own_pid], 1, "it has started this program too"),
        (&["--connections", "100000000"], 1, "ulimit -n 100000050"),
    ] {
        let arguments = [&["-u", &url, "-e", "corpus.jsonl"], more].concat();
        let refused = ingest(&arguments).await;
        assert_eq!(
            refused.assert_failure(&[words]).code,
            Some(code),
            "{more:?}"
        );
    }
    let bare = ingest(&["-u", "127.0.0.1:8391", "-e", "corpus.jsonl"]).await;
    bare.assert_failure(&["is as ws://127.0.0.1:8080"]);
    let nowhere = ["bench", "micro", "--directory", "typo/deeper"];
    setup.run(&nowhere).await.assert_failure(&["typo/deeper"]);
    assert!(!setup.home().join("typo").exists());
    let piped = setup.run(&["bench", "gen", "-n", "1", "-o", "-"]).await;
    piped.assert_failure(&["name a file with --out"]);
    let idle = setup.run(&["bench", "idle", "-u", &url]).await;
    idle.assert_failure(&["--pid"]);
}
