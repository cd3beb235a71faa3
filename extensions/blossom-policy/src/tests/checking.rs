//! Block lists, the service that is asked by a prefix, and types, as uploaders meet them.

use super::ground::*;
use crate::BlossomPolicy;
use std::time::Duration;
use trellis_relay::testing::{Author, HttpsServer, Response, TestRelay};

/// A service that knows the PDF 1 and many others.
fn service(answer: impl Fn(&str) -> (u16, String) + Send + Sync + 'static) -> HttpsServer {
    HttpsServer::start(move |asked| {
        let path = asked.head.split(' ').nth(1).unwrap();
        let (status, body) = answer(path.trim_start_matches("/range/"));
        Response {
            status,
            headers: vec![("content-type".to_owned(), "text/plain".to_owned())],
            body: body.into_bytes(),
        }
    })
}

fn range(prefix: &str) -> (u16, String) {
    let known = hash(&pdf(1)).to_string();
    let mut lines: Vec<String> = (0..150_u64)
        .map(|it| format!("{:059X}:{}", it * 977, it % 2))
        .collect();
    if let Some(rest) = known.strip_prefix(prefix) {
        lines.push(format!("{}:4", rest.to_uppercase()));
    }
    (200, lines.join("\r\n"))
}

async fn asking(server: &HttpsServer, keys: &str) -> TestRelay {
    let (outbound, url) = (server.outbound(), server.url("/range"));
    let config = format!(
        "{outbound}\n[extensions.blossom_policy]\nprefix_check = {{ url = '{url}', {keys} }}\n"
    );
    TestRelay::of::<BlossomPolicy>()
        .config(&config)
        .start()
        .await
}

async fn send(relay: &TestRelay, number: u64) -> Response {
    upload(relay, &Author::new(1), "application/pdf", &pdf(number)).await
}

#[tokio::test]
async fn b8_the_service_never_sees_more_than_a_prefix() {
    let server = service(range);
    let relay = asking(&server, "on_failure = 'closed'").await;
    assert_refused(&send(&relay, 1).await, 403, "not stored here");
    for number in 2..6 {
        assert_eq!(send(&relay, number).await.status, 201);
    }
    let asked = server.asked();
    assert_eq!(asked.len(), 5);
    let host = format!("host: localhost:{}", server.address().port());
    for (number, asked) in (1..).zip(&asked) {
        let prefix = &hash(&pdf(number)).to_string()[..5];
        let mut lines: Vec<String> = asked.head.lines().map(str::to_lowercase).collect();
        assert_eq!(lines.remove(0), format!("get /range/{prefix} http/1.1"));
        lines.retain(|line| !line.starts_with("user-agent: trellis/"));
        lines.sort();
        // All that is sent: no key, no address, no length, no time, and nothing of the rest of the hash.
        assert_eq!(lines, ["accept: */*", "add-padding: true", host.as_str()]);
        assert!(asked.body.is_empty());
    }
}

#[tokio::test]
async fn b8_answers_are_remembered_for_their_time() {
    let server = service(range);
    let relay = asking(&server, "cache_ttl = '10m'").await;
    for status in [201, 200, 200] {
        assert_eq!(send(&relay, 2).await.status, status);
    }
    assert_refused(&send(&relay, 1).await, 403, "not stored here");
    assert_refused(&send(&relay, 1).await, 403, "not stored here");
    assert_eq!(server.asked().len(), 2);
    relay.clock().advance(Duration::from_secs(601));
    let answer = upload_now(&relay, 2).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(server.asked().len(), 3);
}

/// The clock has moved on, but a token is good for an hour.
async fn upload_now(relay: &TestRelay, number: u64) -> Response {
    send(relay, number).await
}

#[tokio::test]
async fn b8_without_an_answer_to_go_by_the_operator_has_decided() {
    for (what, answer) in [
        ("too few to hide among", (200, "0".repeat(59))),
        ("nothing", (200, String::new())),
        ("a page", (200, "<html></html>\n".repeat(200))),
        ("a failure", (503, String::new())),
        ("a redirect", (302, String::new())),
    ] {
        let server = service(move |_| answer.clone());
        let closed = asking(&server, "on_failure = 'closed'").await;
        assert_refused(&send(&closed, 2).await, 503, "cannot be checked");
        let open = asking(&server, "on_failure = 'open'").await;
        assert_eq!(send(&open, 2).await.status, 201, "{what}");
    }
    // What is known is known, among however few.
    let known = hash(&pdf(1)).to_string();
    let server = service(move |_| (200, known.clone()));
    let open = asking(&server, "on_failure = 'open'").await;
    assert_refused(&send(&open, 1).await, 403, "not stored here");
}

#[tokio::test]
async fn b7_listed_blobs_are_refused_by_any_of_their_hashes() {
    use md5::Md5;
    use sha1::{Digest as _, Sha1};
    let folder = tempfile::TempDir::new().unwrap();
    let list = folder.path().join("list.csv");
    let lines = [
        hash(&pdf(1)).to_string(),
        const_hex::encode(Md5::digest(pdf(2))),
        const_hex::encode(Sha1::digest(pdf(3))),
    ];
    std::fs::write(&list, format!("hash,source\n{},x\n", lines.join(",x\n"))).unwrap();
    let relay = relay(&format!(
        "block_lists = {{ files = ['{}'] }}",
        list.display()
    ))
    .await;
    for number in 1..=3 {
        assert_refused(&send(&relay, number).await, 403, "not stored here");
    }
    assert_eq!(send(&relay, 4).await.status, 201);
    // Before anything is sent, where the hash is told.
    let token = token(&Author::new(1), "upload", &[hash(&pdf(1))]);
    let head = relay
        .request("HEAD", "/upload")
        .header("Authorization", &token);
    let head = head.header("X-SHA-256", &hash(&pdf(1)).to_string());
    let head = head.header("X-Content-Type", "application/pdf");
    assert_eq!(head.header("X-Content-Length", "100").await.status, 403);
}

#[tokio::test]
async fn b7_a_list_that_cannot_be_read_stops_the_start() {
    let config = "[extensions.blossom_policy]\nblock_lists = { files = ['/nowhere/list.txt'] }";
    let started = TestRelay::of::<BlossomPolicy>()
        .config(config)
        .try_start()
        .await;
    let said = started.err().unwrap().to_string();
    assert!(
        said.contains("block_lists.files") && said.contains("/nowhere/list.txt"),
        "{said}"
    );
}

#[tokio::test]
async fn b4_what_is_declared_and_what_is_sent_must_agree() {
    let relay = relay("rates = { uploads_per_minute = 1000 }").await;
    let alice = Author::new(1);
    let send = |mime_type: &'static str, bytes: Vec<u8>| {
        let (relay, alice) = (&relay, &alice);
        async move { upload(relay, alice, mime_type, &bytes).await }
    };
    assert_refused(&send("image/png", pdf(1)).await, 415, "application/pdf");
    assert_refused(
        &send("image/png", b"#!/bin/sh\nid\n".to_vec()).await,
        415,
        "a script",
    );
    assert_refused(&send("text/html", pdf(1)).await, 415, "text/html");
    assert_refused(
        &send("application/octet-stream", pdf(1)).await,
        415,
        "octet-stream",
    );
    assert_eq!(
        send("Application/PDF; charset=binary", pdf(1)).await.status,
        201
    );
    // An archive in the middle of a file, where neither its head nor its tail shows it.
    let noise = [b'%'; 200_000];
    let hidden = [&pdf(1)[..], &noise, b"Rar!\x1a\x07\x01\0", &noise].concat();
    assert_refused(&send("application/pdf", hidden).await, 415, "archive");
    // Nothing declared.
    let bytes = pdf(2);
    let token = token(&alice, "upload", &[hash(&bytes)]);
    let call = relay
        .put("/upload")
        .header("Authorization", &token)
        .body(&bytes[..]);
    let answer = call.await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    assert!(answer.text().contains("application/pdf"));
}
