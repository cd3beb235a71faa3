//! C24: the HTTP routes beside the WebSocket.

use trellis_test_support::http;
use trellis_test_support::{Author, Client, json, trellis};

#[tokio::test]
async fn c24_people_get_a_page_and_programs_get_the_document() {
    let relay = trellis!()
        .config("[information]\nname = \"Relay <of> tests\"\ndescription = \"A & B\"")
        .start()
        .await;
    let page = http::get(
        &relay,
        "/",
        &[("Accept", "text/html,application/xhtml+xml;q=0.9")],
    )
    .await;
    assert_eq!(page.status, 200);
    let kind = page.header("content-type").unwrap_or_default();
    assert!(kind.starts_with("text/html"), "{kind}");
    assert!(
        page.body.contains("Relay &lt;of&gt; tests"),
        "{}",
        page.body
    );
    assert!(page.body.contains("A &amp; B"), "{}", page.body);
    let document = http::get(&relay, "/", &[("Accept", "application/nostr+json")]).await;
    assert_eq!(document.json()["name"], "Relay <of> tests");
}

#[tokio::test]
async fn c24_health_says_status_version_and_uptime() {
    let relay = trellis!().start().await;
    let response = http::get(&relay, "/health", &[]).await;
    assert_eq!(response.status, 200);
    let health = response.json();
    assert_eq!(health["status"], "healthy");
    assert_eq!(health["version"], env!("CARGO_PKG_VERSION"));
    assert!(health["uptime_seconds"].is_u64(), "{health}");
}

#[tokio::test]
async fn c24_probes_answer() {
    let relay = trellis!().start().await;
    for path in ["/livez", "/ready"] {
        assert_eq!(http::get(&relay, path, &[]).await.status, 200, "{path}");
        assert_eq!(
            http::send(&relay, "HEAD", path, &[]).await.status,
            200,
            "{path}"
        );
    }
}

#[tokio::test]
async fn c24_metrics_without_a_key_are_for_this_machine() {
    let relay = trellis!().start().await;
    let mut client = Client::connect(&relay).await;
    client.store(&Author::new().note("counted")).await;
    let metrics = http::get(&relay, "/metrics", &[]).await;
    assert_eq!(metrics.status, 200);
    assert!(metrics.body.contains("trellis_"), "{}", metrics.body);

    // Whoever comes through a proxy is not on this machine.
    let relay = trellis!()
        .config("[network]\nreal_ip_header = \"X-Real-IP\"\ntrusted_proxies = [\"127.0.0.1/32\"]")
        .start()
        .await;
    let from_outside = http::get(&relay, "/metrics", &[("X-Real-IP", "203.0.113.9")]).await;
    assert!(
        [401, 403].contains(&from_outside.status),
        "{}",
        from_outside.status
    );
    assert!(!from_outside.body.contains("trellis_"));
}

#[tokio::test]
async fn c24_metrics_that_are_off_are_not_there() {
    let relay = trellis!()
        .config("[metrics]\nenabled = false")
        .start()
        .await;
    assert_eq!(http::get(&relay, "/metrics", &[]).await.status, 404);
}

#[tokio::test]
async fn c24_errors_are_json_with_error_and_code() {
    let relay = trellis!().start().await;
    for (method, path, status) in [("GET", "/no-such-route", 404), ("GET", "/health/x", 404)] {
        let response = http::send(&relay, method, path, &[]).await;
        assert_eq!(response.status, status, "{method} {path}");
        let body = response.json();
        assert!(
            body["error"].is_string() && !body["code"].is_null(),
            "{body}"
        );
    }
    let response = http::send(&relay, "POST", "/health", &[("Content-Length", "0")]).await;
    assert!([404, 405].contains(&response.status), "{}", response.status);
    assert!(response.json()["error"].is_string());
}

#[tokio::test]
async fn c24_a_request_that_is_no_http_harms_nobody() {
    use trellis_test_support::RawSocket;
    let relay = trellis!().start().await;
    for bytes in [
        &b"\x16\x03\x01\x02\x00\x01\x00"[..],
        b"\r\n\r\n\r\n",
        b"GET\r\n\r\n",
        &[0xff; 4096],
    ] {
        let mut socket = RawSocket::open(&relay).await;
        socket.send(bytes).await;
        drop(socket);
    }
    let upgrade_of_a_sort = [("Upgrade", "websocket"), ("Connection", "Upgrade")];
    let response = http::get(&relay, "/", &upgrade_of_a_sort).await;
    assert!((400..500).contains(&response.status) || response.status == 200);
    let mut client = Client::connect(&relay).await;
    assert_eq!(client.query(json!({})).await, []);
}
