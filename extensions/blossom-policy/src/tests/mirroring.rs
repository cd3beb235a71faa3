//! `PUT /mirror`, from a server that speaks TLS.

use super::ground::*;
use crate::BlossomPolicy;
use crate::blob::BlobHash;
use futures_util::future::join;
use serde_json::{Value, json};
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::Duration;
use trellis_relay::testing::{Author, HttpsRequest, HttpsServer, Response, TestRelay, until};

fn told(status: u16, headers: &[(&str, &str)], body: &[u8]) -> Response {
    let headers = headers
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Response {
        status,
        headers: headers.collect(),
        body: body.to_vec(),
    }
}

/// What the other server has.
fn answer(asked: &HttpsRequest) -> Response {
    let path = asked.head.split(' ').nth(1).unwrap();
    let pdf_type = ("content-type", "application/pdf");
    match path {
        "/untold" => told(200, &[], &pdf(1)),
        "/octets" => told(
            200,
            &[("content-type", "application/octet-stream")],
            &pdf(1),
        ),
        "/as-png" => told(200, &[("content-type", "image/png")], &pdf(1)),
        "/page" => told(
            200,
            &[("content-type", "application/pdf")],
            b"<html><body>no</body></html>",
        ),
        "/long" => told(200, &[pdf_type], &[pdf(1), vec![b' '; 70_000]].concat()),
        "/packed" => told(200, &[pdf_type, ("content-encoding", "gzip")], &pdf(1)),
        "/sent-on" => told(302, &[("location", "/1.pdf")], b""),
        "/sent-to-http" => told(302, &[("location", "http://127.0.0.1/")], b""),
        "/sent-inside" => told(302, &[("location", "https://10.0.0.1/")], b""),
        "/in-a-circle" => told(302, &[("location", "/in-a-circle")], b""),
        "/gone" => told(404, &[], b""),
        "/failing" => told(500, &[], b""),
        path => {
            let number = path.trim_matches('/').split('.').next().unwrap();
            told(200, &[pdf_type], &pdf(number.parse().unwrap_or(1)))
        }
    }
}

/// A server that answers when it may, and how often it was asked.
fn slow() -> (HttpsServer, Arc<AtomicUsize>, Arc<AtomicBool>) {
    let (asked, may_answer) = (Arc::<AtomicUsize>::default(), Arc::<AtomicBool>::default());
    let (count, gate) = (asked.clone(), may_answer.clone());
    let server = HttpsServer::start(move |request| {
        count.fetch_add(1, SeqCst);
        while !gate.load(SeqCst) {
            thread::park_timeout(Duration::from_millis(1));
        }
        answer(request)
    });
    (server, asked, may_answer)
}

#[tokio::test]
async fn b12_servers_that_are_slow_leave_places_for_uploads() {
    let (server, asked, may_answer) = slow();
    let outbound = server.outbound();
    let relay = TestRelay::of::<BlossomPolicy>();
    let relay = relay.config(&format!(
        "{outbound}\n[extensions.blossom_policy]\nmirror.allow_private = ['127.0.0.1', '::1']\nmax_uploads = 2"
    ));
    let relay = relay.start().await;
    let url = server.url("/1.pdf");
    let bytes = pdf(1);
    let mirrored = mirror(&relay, &url, &bytes);
    let meanwhile = async {
        until("it is asked", async || asked.load(SeqCst) == 1).await;
        let second = mirror(&relay, &url, &pdf(1)).await;
        assert_refused(&second, 503, "as many transfers");
        store(&relay, &Author::new(2), 2).await;
        may_answer.store(true, SeqCst);
    };
    let (mirrored, ()) = join(mirrored, meanwhile).await;
    assert_eq!(mirrored.status, 201, "{}", mirrored.text());
    assert_eq!(mirror(&relay, &url, &pdf(1)).await.status, 200);
}

async fn ground(table: &str) -> (TestRelay, HttpsServer) {
    let server = HttpsServer::start(answer);
    let outbound = server.outbound();
    let config = format!(
        "{outbound}\n[extensions.blossom_policy]\nmirror.allow_private = ['127.0.0.1', '::1']\n{table}"
    );
    let relay = TestRelay::of::<BlossomPolicy>()
        .config(&config)
        .start()
        .await;
    (relay, server)
}

async fn mirror(relay: &TestRelay, url: &str, signed_for: &[u8]) -> Response {
    mirror_hash(relay, url, hash(signed_for)).await
}

async fn mirror_hash(relay: &TestRelay, url: &str, signed_for: BlobHash) -> Response {
    let token = token(&Author::new(1), "upload", &[signed_for]);
    let call = relay.put("/mirror").header("Authorization", &token);
    call.json(&json!({ "url": url })).await
}

#[tokio::test]
async fn b12_a_blob_is_fetched_and_stored_as_an_upload_is() {
    let (relay, server) = ground("").await;
    let first = mirror(&relay, &server.url("/1.pdf"), &pdf(1)).await;
    assert_eq!(first.status, 201, "{}", first.text());
    let told: Value = first.json();
    assert_eq!(told["sha256"], hash(&pdf(1)).to_string());
    assert_eq!(
        (&told["type"], &told["size"]),
        (&json!("application/pdf"), &json!(pdf(1).len()))
    );
    let uploaded = upload(&relay, &Author::new(2), "application/pdf", &pdf(1)).await;
    assert_eq!(uploaded.status, 200);
    let again = mirror(&relay, &server.url("/1.pdf"), &pdf(1)).await;
    assert_eq!(again.status, 200, "{}", again.text());
    // What the other server does not tell, or cannot, the bytes do.
    for (path, status) in [
        ("/untold", 200),
        ("/octets", 200),
        ("/sent-on", 200),
        ("/2.pdf?a=b#c", 201),
    ] {
        let number = if path.starts_with("/2") { 2 } else { 1 };
        let answer = mirror(&relay, &server.url(path), &pdf(number)).await;
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
    }
    // Nothing of the client went along.
    for asked in server.asked() {
        let head = asked.head.to_lowercase();
        assert!(head.starts_with("get /") && asked.body.is_empty(), "{head}");
        for secret in [
            "authorization",
            "nostr",
            "cookie",
            "referer",
            "origin:",
            "forwarded",
            "#c",
        ] {
            assert!(!head.contains(secret), "{secret}: {head}");
        }
    }
}

#[tokio::test]
async fn b12_what_the_other_server_does_wrong_is_told_as_its_failure() {
    let (relay, server) =
        ground("mirror.max_bytes = '64KiB'\nrates = { uploads_per_minute = 1000 }").await;
    for (path, status, words) in [
        ("/3.pdf", 409, "x tag"),
        ("/gone", 502, "no such blob"),
        ("/failing", 502, "status 500"),
        ("/packed", 502, "compressed"),
        ("/sent-to-http", 502, "sends on"),
        ("/sent-inside", 400, "not public"),
        ("/in-a-circle", 502, "again and again"),
        ("/as-png", 415, "application/pdf"),
        ("/page", 415, "HTML"),
        ("/long", 413, "65536"),
    ] {
        let signed_for = match path {
            "/page" => b"<html><body>no</body></html>".to_vec(),
            _ => pdf(1),
        };
        let answer = mirror(&relay, &server.url(path), &signed_for).await;
        assert_refused(&answer, status, words);
    }
    let held = relay.get("/list").await.json::<serde_json::Value>();
    assert_eq!(held["blobs"], 0);
}

#[tokio::test]
async fn b12_nobody_is_asked_for_what_may_not_be_fetched() {
    let folder = tempfile::TempDir::new().unwrap();
    let list = folder.path().join("list.txt");
    std::fs::write(&list, hash(&pdf(7)).to_string()).unwrap();
    let (relay, server) = ground(&format!(
        "block_lists = {{ files = ['{}'] }}",
        list.display()
    ))
    .await;
    let listed = server.url(&format!("/{}.pdf", hash(&pdf(7))));
    assert_refused(
        &mirror(&relay, &listed, &pdf(7)).await,
        403,
        "not stored here",
    );
    for url in [
        "http://cdn.example/a",
        "file:///etc/passwd",
        "a",
        "https://10.0.0.1/a",
        "https://169.254.169.254/latest/meta-data",
        "https://[::ffff:10.0.0.1]/a",
        "https://user:pass@cdn.example/a",
    ] {
        assert_refused(&mirror(&relay, url, &pdf(1)).await, 400, "URL");
    }
    let token = token(&Author::new(1), "upload", &[hash(&pdf(1))]);
    let call = |body: &str| {
        relay
            .put("/mirror")
            .header("Authorization", &token)
            .body(body)
    };
    for body in ["", "{}", "[]", "{\"url\": 1}", "not json"] {
        assert_refused(&call(body).await, 400, "JSON");
    }
    let unsigned = relay
        .put("/mirror")
        .json(&json!({ "url": server.url("/1.pdf") }));
    assert_refused(&unsigned.await, 401, "24242");
    assert_eq!(server.asked().len(), 0);
}

#[tokio::test]
async fn b12_mirrors_are_counted_with_uploads_and_can_be_switched_off() {
    let (relay, server) = ground("rates = { uploads_per_minute = 2 }").await;
    assert_eq!(
        upload(&relay, &Author::new(1), "application/pdf", &pdf(1))
            .await
            .status,
        201
    );
    assert_eq!(
        mirror(&relay, &server.url("/2.pdf"), &pdf(2)).await.status,
        201
    );
    let third = mirror(&relay, &server.url("/3.pdf"), &pdf(3)).await;
    assert_refused(&third, 429, "too many");
    assert!(third.header("retry-after").is_some());
    assert_eq!(server.asked().len(), 1);

    let (relay, server) = ground("mirror.enabled = false").await;
    assert_refused(
        &mirror(&relay, &server.url("/2.pdf"), &pdf(2)).await,
        404,
        "does not offer",
    );
    assert_eq!(server.asked().len(), 0);
}

#[tokio::test]
async fn b12_a_server_that_breaks_off_leaves_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 4096]);
            let head = "HTTP/1.1 200 OK\r\ncontent-type: application/pdf\r\ncontent-length: 500\r\n\r\n%PDF-1.7";
            let _ = stream.write_all(head.as_bytes());
        }
    });
    let config = "[outbound]\nallow_private = ['127.0.0.1']\n\
         [extensions.blossom_policy]\nmirror = { https_only = false, allow_private = ['127.0.0.0/8'] }\nquota = { bytes_per_pubkey = 600 }";
    let relay = TestRelay::of::<BlossomPolicy>()
        .config(config)
        .start()
        .await;
    for _ in 0..3 {
        let answer = mirror(&relay, &format!("http://{address}/a"), &pdf(1)).await;
        assert_refused(&answer, 502, "broke off");
    }
    // The room that was reserved is free again.
    assert_eq!(
        upload(&relay, &Author::new(1), "application/pdf", &pdf(1))
            .await
            .status,
        201
    );
}

#[tokio::test]
async fn b12_what_is_open_for_other_services_is_not_open_to_strangers() {
    let server = HttpsServer::start(answer);
    let outbound = server.outbound();
    for table in ["", "mirror = { https_only = false }"] {
        let config = format!("{outbound}\n[extensions.blossom_policy]\n{table}");
        let relay = TestRelay::of::<BlossomPolicy>().config(&config).start();
        let relay = relay.await;
        let by_address = format!("https://{}/1.pdf", server.address());
        for url in [server.url("/1.pdf"), by_address] {
            assert_refused(&mirror(&relay, &url, &pdf(1)).await, 400, "not public");
        }
    }
    assert_eq!(server.asked().len(), 0);
}
