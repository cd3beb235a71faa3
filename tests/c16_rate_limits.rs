//! C16: how often clients may publish, ask and connect, and how much they may send; whose address counts.

use trellis_test_support::client::request;
use trellis_test_support::http;
use trellis_test_support::reply::assert_reason;
use trellis_test_support::{Author, Client, RawSocket, Relay, Reply, Setup, json, trellis, wait};

/// Rules for a window that no test outlives.
fn rule(what: &str, limit: &str, more: &str) -> String {
    format!(
        "[[rate_limiter.{what}]]\nname = \"{what}s\"\nperiod = \"1h\"\nlimit = {limit}\n{more}\n"
    )
}

fn setup(rules: &[String]) -> Setup {
    trellis!().config(&rules.concat())
}

/// Clients from a proxy that is believed.
const PROXIED: &str = "[network]\nreal_ip_header = \"X-Forwarded-For\"\ntrusted_proxies = [\"127.0.0.0/8\", \"10.0.0.0/8\"]\n";

async fn connect_as(relay: &Relay, forwarded_for: &str) -> Client {
    let headers = [("X-Forwarded-For", forwarded_for)];
    let client = Client::connect_with(relay, &headers).await;
    client.expect("the handshake")
}

#[tokio::test]
async fn c16_events_over_the_limit_are_refused_with_the_time_to_wait() {
    let relay = setup(&[rule("event", "2", "kinds = [1]")]).start().await;
    let mut client = Client::connect(&relay).await;
    let author = Author::new();
    client.store_all(&author.notes(2)).await;
    let verdict = client.publish(&author.note("one more")).await;
    verdict.assert_refused("rate-limited:", "try again in");
    client.store(&author.draft(7).sign()).await;
    let mut other = Client::connect(&relay).await;
    let verdict = other.publish(&Author::new().note("same address")).await;
    verdict.assert_refused("rate-limited:", "events");
}

#[tokio::test]
async fn c16_requests_and_counts_have_limits_of_their_own() {
    let relay = setup(&[rule("req", "2", ""), rule("count", "1", "")])
        .start()
        .await;
    let mut client = Client::connect(&relay).await;
    let filter = [json!({"kinds": [1]})];
    assert!(client.ask(&filter).await.is_ok());
    // One that is not understood counts as well.
    let refused = client.ask(&[json!({"kinds": "x"})]).await;
    assert!(refused.is_err_and(|reason| reason.starts_with("invalid:")));
    let refused = client.ask(&filter).await.expect_err("the third request");
    assert_reason(&refused, "rate-limited:", "try again in");
    assert!(client.count(&filter).await.is_ok());
    let refused = client.count(&filter).await.expect_err("the second count");
    assert_reason(&refused, "rate-limited:", "counts");
    client.store(&Author::new().note("writing goes on")).await;
}

#[tokio::test]
async fn c16_reconciliations_have_a_limit_of_their_own() {
    let relay = setup(&[rule("neg", "1", "")]).start().await;
    let mut client = Client::connect(&relay).await;
    for refused in [false, true] {
        client
            .send(json!(["NEG-OPEN", "n", {"kinds": [1]}, "61"]))
            .await;
        let answer = client
            .wait_for("an answer", |reply| match reply {
                Reply::Negentropy(items) => Some(items.clone()),
                _ => None,
            })
            .await;
        let text = answer[2].as_str().expect("text");
        assert_eq!(text.starts_with("rate-limited:"), refused, "{answer:?}");
    }
}

#[tokio::test]
async fn c16_a_rule_with_kinds_is_about_requests_for_them_or_for_all() {
    let relay = setup(&[rule("req", "2", "kinds = [[1000, 1010]]")])
        .start()
        .await;
    let mut client = Client::connect(&relay).await;
    for _ in 0..5 {
        assert!(client.ask(&[json!({"kinds": [1]})]).await.is_ok());
    }
    assert!(client.ask(&[json!({"kinds": [1, 1009]})]).await.is_ok());
    assert!(
        client
            .ask(&[json!({"kinds": [1]}), json!({"limit": 1})])
            .await
            .is_ok()
    );
    for filter in [json!({"kinds": [1000]}), json!({})] {
        let refused = client.ask(&[filter]).await.expect_err("the third of those");
        assert_reason(&refused, "rate-limited:", "requests");
    }
    assert!(client.ask(&[json!({"kinds": [1010]})]).await.is_ok());
}

#[tokio::test]
async fn c16_a_rule_per_pubkey_follows_the_key_and_leaves_others_alone() {
    let relay = setup(&[rule("req", "1", "per = \"pubkey\"")]).start().await;
    let (alice, bob) = (Author::new(), Author::new());
    let filter = [json!({"kinds": [1]})];
    let mut first = Client::connect(&relay).await;
    first.login(&alice).await;
    assert!(first.ask(&filter).await.is_ok());
    let mut second = Client::connect(&relay).await;
    second.login(&alice).await;
    assert!(second.ask(&filter).await.is_err(), "the same person");
    let mut third = Client::connect(&relay).await;
    third.login(&bob).await;
    assert!(third.ask(&filter).await.is_ok(), "another one");
}

#[tokio::test]
async fn c16_bytes_over_the_limit_wait_until_there_is_room() {
    let rule = "[[rate_limiter.bytes]]\nname = \"bytes\"\nperiod = \"1s\"\nlimit = \"4KiB\"";
    let relay = trellis!().config(rule).start().await;
    let mut client = Client::connect(&relay).await;
    let content = "x".repeat(3_000);
    let events: Vec<_> = (0..4)
        .map(|_| Author::new().draft(1).content(&content).sign())
        .collect();
    // Each is read and answered in the end; none is lost and the connection lives.
    client.store_all(&events).await;
    client.assert_alive().await;
    let metrics = http::get(&relay, "/metrics", &[]).await.body;
    let waited = "trellis_rate_limited_total{rule=\"bytes\"}";
    assert!(metrics.contains(waited), "nothing had to wait: {metrics}");
}

#[tokio::test]
async fn c16_whoever_would_wait_too_long_for_bytes_is_told_and_closed() {
    let relay = setup(&[rule("bytes", "\"1KiB\"", "")]).start().await;
    let mut client = Client::connect(&relay).await;
    let event = Author::new().draft(1).content(&"x".repeat(2_000)).sign();
    client.store(&event).await;
    client.send(json!(["CLOSE", "x"])).await;
    assert_reason(&client.notice().await, "rate-limited:", "bytes");
    assert_eq!(client.closed_by_relay().await, Some(1008));
}

#[tokio::test]
async fn c16_connections_over_the_limit_are_answered_429_with_retry_after() {
    let relay = setup(&[PROXIED.to_owned(), rule("connection", "2", "")])
        .start()
        .await;
    let mut clients = Vec::new();
    for _ in 0..2 {
        clients.push(connect_as(&relay, "192.0.2.1").await);
    }
    let handshake = [
        ("X-Forwarded-For", "192.0.2.1"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    let mut head = format!(
        "GET / HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\n",
        relay.address()
    );
    for (name, value) in handshake {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    let mut socket = RawSocket::open(&relay).await;
    assert!(socket.send(format!("{head}\r\n").as_bytes()).await);
    let answer = socket.read_head().await.expect("an answer").to_lowercase();
    assert!(answer.starts_with("http/1.1 429"), "{answer}");
    let seconds: Option<u64> = answer
        .lines()
        .find_map(|line| line.strip_prefix("retry-after: ")?.trim().parse().ok());
    assert!(
        seconds.is_some_and(|seconds| (1..=7_200).contains(&seconds)),
        "{answer}"
    );
    // Pages and other addresses are not concerned.
    let page = http::get(&relay, "/health", &[("X-Forwarded-For", "192.0.2.1")]).await;
    assert_eq!(page.status, 200);
    connect_as(&relay, "192.0.2.2").await.assert_alive().await;
}

#[tokio::test]
async fn c16_allowed_addresses_are_under_no_rule() {
    let config = format!(
        "{PROXIED}[rate_limiter]\nip_whitelist = [\"192.0.2.0/24\"]\n{}{}{}{}",
        rule("event", "1", ""),
        rule("req", "1", ""),
        rule("connection", "1", ""),
        rule("bytes", "1", ""),
    );
    let relay = trellis!().config(&config).start().await;
    for _ in 0..3 {
        let mut client = connect_as(&relay, "192.0.2.77").await;
        client.store_all(&Author::new().notes(3)).await;
        client.assert_alive().await;
        client.assert_alive().await;
    }
}

#[tokio::test]
async fn c16_a_header_is_believed_from_trusted_proxies_alone() {
    // Believed: two clients behind the proxy have counts of their own.
    let rules = [PROXIED.to_owned(), rule("req", "1", "")];
    let relay = setup(&rules).start().await;
    let filter = [json!({"kinds": [1]})];
    for forwarded_for in ["192.0.2.1", "192.0.2.2", "2001:db8::1"] {
        let mut client = connect_as(&relay, forwarded_for).await;
        assert!(client.ask(&filter).await.is_ok(), "{forwarded_for}");
    }
    assert!(
        connect_as(&relay, "192.0.2.1")
            .await
            .ask(&filter)
            .await
            .is_err()
    );

    // Not believed: whoever writes the header comes from where they come from.
    let strangers =
        "[network]\nreal_ip_header = \"X-Forwarded-For\"\ntrusted_proxies = [\"10.0.0.0/8\"]\n";
    let relay = setup(&[strangers.to_owned(), rule("req", "1", "")])
        .start()
        .await;
    assert!(
        connect_as(&relay, "192.0.2.1")
            .await
            .ask(&filter)
            .await
            .is_ok()
    );
    assert!(
        connect_as(&relay, "192.0.2.2")
            .await
            .ask(&filter)
            .await
            .is_err()
    );
}

#[tokio::test]
async fn c16_of_a_chain_the_last_address_that_is_no_proxy_counts() {
    let relay = setup(&[PROXIED.to_owned(), rule("req", "1", "")])
        .start()
        .await;
    let filter = [json!({"kinds": [1]})];
    let chain = "192.0.2.1, 10.0.0.5, 10.0.0.6";
    assert!(connect_as(&relay, chain).await.ask(&filter).await.is_ok());
    // What the client wrote in front of it frees nobody.
    for forged in [
        "203.0.113.9, 192.0.2.1",
        "nonsense, 192.0.2.1, 10.0.0.5",
        "10.0.0.9, 192.0.2.1",
    ] {
        let refused = connect_as(&relay, forged).await.ask(&filter).await;
        assert!(refused.is_err(), "{forged}");
    }
    assert!(
        connect_as(&relay, "192.0.2.1, 198.51.100.4")
            .await
            .ask(&filter)
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn c16_a_reload_keeps_the_counts_of_rules_that_stay() {
    let both = |events: &str, more: &str| {
        [
            rule("event", events, ""),
            rule("req", "1", ""),
            more.to_owned(),
        ]
        .concat()
    };
    let relay = trellis!()
        .front(trellis_test_support::Front::Server)
        .config(&both("1", ""))
        .start()
        .await;
    let mut client = Client::connect(&relay).await;
    let author = Author::new();
    client.store(&author.note("the first")).await;
    let filter = [json!({"kinds": [1]})];
    assert!(client.ask(&filter).await.is_ok());
    // The rule for events changes, that for requests stays, and one comes first in the list that was not there.
    let extra = "[[rate_limiter.event]]\nname = \"more\"\nperiod = \"1h\"\nlimit = 100\n[information]\nname = \"new\"";
    relay.write_config(&both("5", extra));
    relay.hang_up();
    wait::until("the new name", async || {
        let shown = http::relay_information(&relay).await;
        (shown["name"] == "new").then_some(())
    })
    .await;
    client
        .store(&author.note("a new rule counts from the start"))
        .await;
    client.send(request("REQ", "again", &filter)).await;
    assert_reason(&client.closed("again").await, "rate-limited:", "requests");
}
