//! What is refused by what is told of a blob, before anything is sent.

use super::ground::*;
use crate::BlossomPolicy;
use crate::blob::BlobHash;
use serde_json::json;
use std::time::Duration;
use trellis_relay::testing::{Author, HttpsServer, Response, TestRelay};

/// A relay with an operator, and another server that it may mirror from.
async fn ground() -> (TestRelay, HttpsServer) {
    let server = HttpsServer::start(|_| Response {
        status: 200,
        headers: vec![("content-type".to_owned(), "application/pdf".to_owned())],
        body: pdf(1),
    });
    let (outbound, admin) = (server.outbound(), Author::new(9).pubkey().to_hex());
    let config = format!(
        "{outbound}\n[extensions.blossom_policy]\nadmins = ['{admin}']\n\
         mirror.allow_private = ['127.0.0.1', '::1']"
    );
    let relay = TestRelay::of::<BlossomPolicy>().config(&config);
    (relay.start().await, server)
}

/// `HEAD` that tells the length alone, or `PUT /mirror`.
async fn offer(relay: &TestRelay, way: &str, url: &str, signed_for: &[BlobHash]) -> Response {
    let token = token(&Author::new(1), "upload", signed_for);
    let call = match way {
        "mirror" => relay.put("/mirror").json(&json!({ "url": url })),
        _ => relay
            .request("HEAD", "/upload")
            .header("X-Content-Length", &pdf(1).len().to_string()),
    };
    call.header("Authorization", &token).await
}

#[tokio::test]
async fn b3_a_token_that_names_no_blob_is_refused_before_anything_is_sent() {
    let (relay, server) = ground().await;
    let url = server.url("/any.pdf");
    for way in ["upload", "mirror"] {
        let refused = offer(&relay, way, &url, &[]).await;
        assert_refused(&refused, 401, "no x tag");
    }
    assert_eq!(server.asked().len(), 0);
    let right = offer(&relay, "upload", &url, &[hash(&pdf(1))]).await;
    assert_eq!(right.status, 200);
    let right = offer(&relay, "mirror", &url, &[hash(&pdf(1))]).await;
    assert_eq!(right.status, 201, "{}", right.text());
}

#[tokio::test]
async fn b7_what_is_banned_is_known_by_the_one_blob_that_was_signed_for() {
    let (relay, server) = ground().await;
    let (banned, url) = (hash(&pdf(1)), server.url("/any.pdf"));
    let order = json!({ "sha256": banned, "reason": "malware" });
    let order = relay.post("/admin/ban").json(&order);
    assert_eq!(order.nip98(&Author::new(9)).await.status, 200);
    for way in ["upload", "mirror"] {
        let refused = offer(&relay, way, &url, &[banned]).await;
        assert_refused(&refused, 403, "not stored here");
    }
    assert_eq!(server.asked().len(), 0);
    // Of two it is not known which will come.
    let both = [banned, hash(b"other")];
    assert_eq!(offer(&relay, "upload", &url, &both).await.status, 200);
    let refused = offer(&relay, "mirror", &url, &both).await;
    assert_refused(&refused, 403, "not stored here");
}

#[tokio::test]
async fn b14_an_order_about_a_blob_that_is_not_there_does_not_look_carried_out() {
    let (relay, _server) = ground().await;
    let order = async |action: &str, reason: &str| {
        // A signature is good for one request.
        relay.clock().advance(Duration::from_secs(1));
        let body = json!({ "sha256": hash(&pdf(1)), "reason": reason });
        let call = relay.post(&format!("/admin/{action}")).json(&body);
        call.nip98(&Author::new(9)).await
    };
    for action in ["quarantine", "unquarantine", "remove"] {
        assert_refused(&order(action, "why").await, 404, "no such blob");
    }
    for (reason, has_changed) in [("malware", true), ("malware", false), ("spam", true)] {
        let banned = order("ban", reason).await;
        assert_eq!(banned.json::<serde_json::Value>()["changed"], has_changed);
    }
    assert_eq!(order("unban", "fine").await.status, 200);
}
