//! E11: what routes share: signers, services, pages, bodies, addresses and rates.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, TcpStream, UdpSocket};
use trellis_test_support::http::{self, Response};
use trellis_test_support::{Author, Relay, json, probe, trellis_probe};

const TOKEN: &str = "hR3kq0ZbT1mYw8vXo5Nc7LdJf2GsPa4E";
const OTHER_TOKEN: &str = "9uVx2BnM6QeKz1Wt5YrC8oAf3HiLd7Jg";

async fn relay() -> Relay {
    let config = probe::table(&[], "");
    trellis_probe!().config(&config).start().await
}

fn url(relay: &Relay, path: &str) -> String {
    format!("{}{path}", relay.http_url())
}

/// A request with this `Authorization`.
async fn send(relay: &Relay, method: &str, path: &str, header: &str, body: &str) -> Response {
    let headers = [("Authorization", header)];
    http::send_body(relay, method, path, &headers, body).await
}

/// 401 as JSON, with a challenge.
#[track_caller]
fn assert_unauthorized(answer: &Response, scheme: &str, says: &str) {
    assert_eq!(
        (answer.status, &answer.json()["code"]),
        (401, &json!(401)),
        "{}",
        answer.body
    );
    assert_eq!(answer.header("www-authenticate"), Some(scheme));
    assert!(answer.body.contains(says), "{says}: {}", answer.body);
}

#[tokio::test]
async fn e11_a_signed_request_names_its_signer_once() {
    let (relay, author) = (relay().await, Author::new());
    let path = "/probe/api/whoami";
    let header = author.authorization("GET", &url(&relay, path), "");
    let answer = send(&relay, "GET", path, &header, "").await;
    assert_eq!((answer.status, answer.body), (200, author.pubkey()));
    let again = send(&relay, "GET", path, &header, "").await;
    assert_unauthorized(&again, "Nostr", "used before");
    let unsigned = http::get(&relay, path, &[]).await;
    assert_unauthorized(&unsigned, "Nostr", "Authorization");
}

#[tokio::test]
async fn e11_a_signature_for_another_request_is_refused() {
    let (relay, author) = (relay().await, Author::new());
    let path = "/probe/api/whoami";
    let right = url(&relay, path);
    for (method, signed_url, says) in [
        ("POST", right.clone(), "method tag"),
        ("GET", url(&relay, "/probe/api/ip"), "u tag"),
        ("GET", format!("{right}?admin=1"), "u tag"),
        ("GET", format!("{right}/"), "u tag"),
        ("GET", format!("https://evil.example{path}"), "u tag"),
        ("GET", path.to_owned(), "u tag"),
    ] {
        let header = author.authorization(method, &signed_url, "");
        let answer = send(&relay, "GET", path, &header, "").await;
        assert_unauthorized(&answer, "Nostr", says);
    }
    for header in ["Nostr", "Nostr x", "Bearer x", "Nostr e30="] {
        let answer = send(&relay, "GET", path, header, "").await;
        assert_unauthorized(&answer, "Nostr", "uthorization");
    }
    // The Host that a client writes is believed no more than it is for logins.
    let header = author.authorization("GET", &format!("http://evil.example{path}"), "");
    let headers = [("Host", "evil.example"), ("Authorization", &header)];
    let answer = http::get(&relay, path, &headers).await;
    assert_unauthorized(&answer, "Nostr", "network.relay_url");
    let query = format!("{path}?a=1&b=2");
    let header = author.authorization("GET", &url(&relay, &query), "");
    assert_eq!(send(&relay, "GET", &query, &header, "").await.status, 200);
}

/// The address of this machine at which others find it, where it has one.
fn own_ip() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    // Sends nothing: only the way there is looked up.
    socket.connect("198.51.100.1:9").ok()?;
    let ip = socket.local_addr().ok()?.ip();
    (!ip.is_loopback() && !ip.is_unspecified()).then_some(ip)
}

#[tokio::test]
async fn e11_a_request_may_be_signed_for_the_address_at_which_it_came_in() {
    let Some(ip) = own_ip() else {
        eprintln!("SKIPPED: this machine has no address but the loopback one");
        return;
    };
    let config = format!("[network]\nhost = '0.0.0.0'\n{}", probe::table(&[], ""));
    let relay = trellis_probe!().config(&config).start().await;
    let (address, path) = ((ip, relay.address().port()), "/probe/api/whoami");
    let (host, author) = (format!("{ip}:{}", address.1), Author::new());
    let header = author.authorization("GET", &format!("http://{host}{path}"), "");
    let mut socket = TcpStream::connect(address).expect("a connection");
    write!(
        socket,
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nAuthorization: {header}\r\n\r\n"
    )
    .expect("send a request");
    let mut answer = String::new();
    socket.read_to_string(&mut answer).expect("an answer");
    assert!(answer.ends_with(&author.pubkey()), "{answer}");
}

#[tokio::test]
async fn e11_a_signature_covers_the_body() {
    let (relay, author) = (relay().await, Author::new());
    let body = r#"{"text":"hello"}"#;
    for (method, path, status, answers) in [
        (
            "POST",
            "/probe/api/notes",
            201,
            r#"{"text":"hello","answers":[]}"#,
        ),
        ("POST", "/probe/api/bytes", 200, "16"),
        ("PUT", "/probe/api/stream", 200, "16"),
    ] {
        let sign = |body: &str| author.authorization(method, &url(&relay, path), body);
        let answer = send(&relay, method, path, &sign(body), body).await;
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (status, answers),
            "{path}"
        );
        let other = send(&relay, method, path, &sign("another"), body).await;
        assert_unauthorized(&other, "Nostr", "payload tag");
        let taken_away = send(&relay, method, path, &sign(body), "").await;
        assert_unauthorized(&taken_away, "Nostr", "payload tag");
        let uncovered = author.authorization_without_payload(method, &url(&relay, path));
        let uncovered = send(&relay, method, path, &uncovered, body).await;
        assert_unauthorized(&uncovered, "Nostr", "payload tag");
    }
    // Where no body is wanted none can slip in.
    let path = "/probe/api/whoami";
    let header = author.authorization("GET", &url(&relay, path), body);
    let answer = send(&relay, "GET", path, &header, body).await;
    assert_eq!(answer.status, 400, "{}", answer.body);
}

#[tokio::test]
async fn e11_a_banned_key_signs_nothing() {
    let (operator, banned) = (Author::new(), Author::new());
    let config = format!(
        "[information]\npubkey = '{}'\n{}",
        operator.pubkey(),
        probe::table(&[], "")
    );
    let relay = trellis_probe!().config(&config).start().await;
    let call = json!({"method": "banpubkey", "params": [banned.pubkey()]}).to_string();
    let header = operator.authorization("POST", &relay.http_url(), &call);
    let headers = [
        ("Content-Type", "application/nostr+json+rpc"),
        ("Authorization", header.as_str()),
    ];
    assert_eq!(http::post(&relay, "/", &headers, &call).await.status, 200);
    let path = "/probe/api/whoami";
    let header = banned.authorization("GET", &url(&relay, path), "");
    let answer = send(&relay, "GET", path, &header, "").await;
    assert_eq!((answer.status, &answer.json()["code"]), (403, &json!(403)));
}

#[tokio::test]
async fn e11_services_are_known_by_their_tokens() {
    let tokens = format!(
        "service_tokens = {{ backend = '{TOKEN}', far = {{ token = '{OTHER_TOKEN}', allowed_ips = ['192.0.2.0/24'] }} }}"
    );
    let config = format!(
        "[network]\nreal_ip_header = 'X-Real-IP'\ntrusted_proxies = ['127.0.0.0/8']\n{}",
        probe::table(&[], &tokens)
    );
    let setup = trellis_probe!().config(&config);
    let file = setup.config_file().display().to_string();
    let explained = setup.run(&["config", "explain", "-c", &file]).await;
    let shown = explained.assert_success().stdout.clone();
    assert!(
        shown.contains("service_tokens") && !shown.contains(TOKEN),
        "{shown}"
    );

    let relay = setup.start().await;
    let path = "/probe/api/service";
    let good = send(&relay, "GET", path, &format!("Bearer {TOKEN}"), "").await;
    assert_eq!((good.status, good.body.as_str()), (200, "backend"));
    for wrong in [
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
        format!("Bearer {}", &TOKEN[1..]),
        format!("Bearer {TOKEN}x"),
        format!("Basic {TOKEN}"),
        TOKEN.to_owned(),
    ] {
        let answer = send(&relay, "GET", path, &wrong, "").await;
        assert_unauthorized(&answer, "Bearer", "token");
        assert!(!answer.body.contains(TOKEN));
    }
    let bearer = format!("Bearer {OTHER_TOKEN}");
    for (ip, status) in [("192.0.2.7", 200), ("198.51.100.7", 403)] {
        let headers = [("Authorization", bearer.as_str()), ("X-Real-IP", ip)];
        let answer = http::get(&relay, path, &headers).await;
        assert_eq!(answer.status, status, "{ip}: {}", answer.body);
    }
    assert!(!relay.log().contains(TOKEN));
}

#[tokio::test]
async fn e11_a_route_may_be_for_people_and_for_services() {
    let config = probe::table(&[], &format!("service_tokens = {{ backend = '{TOKEN}' }}"));
    let relay = trellis_probe!().config(&config).start().await;
    let (author, path) = (Author::new(), "/probe/api/caller");
    let bearer = format!("Bearer {TOKEN}");
    let by_key = author.authorization("GET", &url(&relay, path), "");
    for (header, answers) in [
        (&by_key, format!("key {}", author.pubkey())),
        (&bearer, "service backend".to_owned()),
    ] {
        let answer = send(&relay, "GET", path, header, "").await;
        assert_eq!((answer.status, answer.body), (200, answers));
    }
    let body = r#"{"text":"hello"}"#;
    let by_key = author.authorization("POST", &url(&relay, path), body);
    for (header, answers) in [
        (&by_key, format!("key {}: hello", author.pubkey())),
        (&bearer, "service backend: hello".to_owned()),
    ] {
        let answer = send(&relay, "POST", path, header, body).await;
        assert_eq!((answer.status, answer.body), (200, answers));
    }
    let other = author.authorization("POST", &url(&relay, path), "another");
    assert_unauthorized(
        &send(&relay, "POST", path, &other, body).await,
        "Nostr",
        "payload tag",
    );
    for method in ["GET", "POST"] {
        let wrong = format!("Bearer {OTHER_TOKEN}");
        let answer = send(&relay, method, path, &wrong, body).await;
        assert_unauthorized(&answer, "Bearer", "token");
    }
    assert_unauthorized(
        &http::get(&relay, path, &[]).await,
        "Nostr",
        "Authorization",
    );
}

#[tokio::test]
async fn e11_a_token_that_can_be_guessed_stops_the_start() {
    let config = probe::table(&[], "service_tokens = { backend = 'too short' }");
    let as_text = probe::table(&[], &format!("service_tokens = '{TOKEN}'"));
    let output = trellis_probe!().config(&as_text).serve_to_end().await;
    output.assert_failure(&["[extensions.probe]", "service_tokens"]);
    assert!(!output.stderr.contains(TOKEN), "{}", output.stderr);
    let output = trellis_probe!().config(&config).serve_to_end().await;
    output.assert_failure(&[
        "[extensions.probe]",
        "backend",
        "at least 32",
        "openssl rand",
    ]);
    assert!(!output.stderr.contains("too short"), "{}", output.stderr);
}

#[tokio::test]
async fn e11_lists_come_in_pages() {
    let relay = relay().await;
    let (mut numbers, mut pages) = (Vec::new(), 0);
    let mut query = String::new();
    loop {
        let page = http::get(&relay, &format!("/probe/api/numbers{query}"), &[]).await;
        assert_eq!(page.status, 200, "{}", page.body);
        let page = page.json();
        let items = page["items"].as_array().expect("items").clone();
        numbers.extend(items.iter().filter_map(|item| item.as_u64()));
        pages += 1;
        match page["next"].as_str() {
            Some(next) => query = format!("?cursor={next}"),
            None => break,
        }
    }
    assert_eq!((pages, numbers), (3, (1..=25).collect::<Vec<u64>>()));
    let most = http::get(&relay, "/probe/api/numbers?limit=1000", &[]).await;
    assert_eq!(most.json()["items"].as_array().map(Vec::len), Some(20));
    for wrong in [
        "limit=0",
        "limit=x",
        "cursor=%3F",
        "cursor=AA",
        "cursor=bm8",
    ] {
        let answer = http::get(&relay, &format!("/probe/api/numbers?{wrong}"), &[]).await;
        assert_eq!(
            (answer.status, &answer.json()["code"]),
            (400, &json!(400)),
            "{wrong}"
        );
        let name = wrong.split('=').next().unwrap_or_default();
        assert!(answer.body.contains(name), "{}", answer.body);
    }
}

#[tokio::test]
async fn e11_what_is_wrong_with_a_body_a_query_or_a_path_is_said() {
    let relay = relay().await;
    let json_type = [("Content-Type", "application/json")];
    for (path, body, status, says) in [
        ("/probe/api/short", "{", 400, "EOF"),
        ("/probe/api/short", "{}", 400, "missing field `text`"),
        (
            "/probe/api/short",
            r#"{"text":"a","other":1}"#,
            400,
            "unknown field `other`",
        ),
        (
            "/probe/api/short",
            &format!("{{\"text\":{:?}}}", "a".repeat(200)),
            413,
            "100 bytes",
        ),
        ("/probe/api/webhook", &"a".repeat(10_001), 413, "too large"),
    ] {
        let answer = http::post(&relay, path, &json_type, body).await;
        assert_eq!(
            (answer.status, &answer.json()["code"]),
            (status, &json!(status))
        );
        assert!(answer.body.contains(says), "{says}: {}", answer.body);
    }
    let no_type = http::post(&relay, "/probe/api/short", &[], "{}").await;
    assert_eq!(
        (no_type.status, &no_type.json()["code"]),
        (415, &json!(415))
    );
    let author = Author::new();
    let body = "a".repeat(10_001);
    let header = author.authorization("POST", &url(&relay, "/probe/api/bytes"), &body);
    let long = send(&relay, "POST", "/probe/api/bytes", &header, &body).await;
    assert_eq!(
        (long.status, &long.json()["code"]),
        (413, &json!(413)),
        "{}",
        long.body
    );
    assert!(long.body.contains("10000 bytes"), "{}", long.body);
    let header = author.authorization("PUT", &url(&relay, "/probe/api/stream"), &body);
    let streamed = send(&relay, "PUT", "/probe/api/stream", &header, &body).await;
    assert_eq!((streamed.status, streamed.body.as_str()), (200, "10001"));
    for (path, says) in [
        ("/probe/api/items/7", "missing field `times`"),
        ("/probe/api/items/7?times=x", "the query"),
        ("/probe/api/items/x?times=1", "the path"),
    ] {
        let answer = http::get(&relay, path, &[]).await;
        assert_eq!(
            (answer.status, &answer.json()["code"]),
            (400, &json!(400)),
            "{path}"
        );
        assert!(answer.body.contains(says), "{}", answer.body);
    }
    let item = http::get(&relay, "/probe/api/items/7?times=2&before=x", &[]).await;
    assert_eq!(item.body, "x7x7");
    let first = http::get(&relay, "/probe/api/items/first", &[]).await;
    assert_eq!(
        first.body, "the first",
        "a path without parameters comes first"
    );
}

#[tokio::test]
async fn e11_a_body_comes_in_time_and_only_after_a_signature() {
    let config = format!(
        "[network]\nbody_timeout = '100ms'\n{}",
        probe::table(&[], "")
    );
    let relay = trellis_probe!().config(&config).start().await;
    let path = "/probe/api/bytes";
    // Ten bytes are promised and none comes.
    let promised = [("Content-Length", "10")];
    let unsigned = http::send(&relay, "POST", path, &promised).await;
    assert_unauthorized(&unsigned, "Nostr", "Authorization");
    let good = Author::new().authorization("POST", &url(&relay, path), "0123456789");
    let headers = [promised[0], ("Authorization", good.as_str())];
    let late = http::send(&relay, "POST", path, &headers).await;
    assert_eq!(late.status, 408, "{}", late.body);
}

#[tokio::test]
async fn e11_reasons_have_a_status() {
    let (relay, author) = (relay().await, Author::new());
    let path = "/probe/api/notes";
    for (text, status) in [("twice", 409), ("blocked", 403)] {
        let body = json!({ "text": text }).to_string();
        let header = author.authorization("POST", &url(&relay, path), &body);
        let answer = send(&relay, "POST", path, &header, &body).await;
        assert_eq!(
            (answer.status, &answer.json()["code"]),
            (status, &json!(status))
        );
    }
}

#[tokio::test]
async fn e11_too_many_requests_are_told_when_to_come_again() {
    let config = format!(
        "[network]\nreal_ip_header = 'X-Real-IP'\ntrusted_proxies = ['127.0.0.0/8']\n{}",
        probe::table(&[], "")
    );
    let relay = trellis_probe!().config(&config).start().await;
    let ask = async |path, ip| http::get(&relay, path, &[("X-Real-IP", ip)]).await;
    let ip = ask("/probe/api/ip", "2001:db8::1").await;
    assert_eq!(ip.body, "2001:db8::1");
    for (ip, status) in [
        ("2001:db8::1", 200),
        // Of the same subscriber.
        ("2001:db8::2", 200),
        ("2001:db8::3", 429),
        ("2001:db8:0:1::1", 200),
    ] {
        let answer = ask("/probe/api/limited", ip).await;
        assert_eq!(answer.status, status, "{ip}: {}", answer.body);
        if status == 429 {
            let seconds = answer
                .header("retry-after")
                .and_then(|it| it.parse::<u64>().ok());
            assert!(seconds.is_some_and(|seconds| (1..=3600).contains(&seconds)));
            assert_eq!(answer.json()["code"], 429);
        }
    }
}
