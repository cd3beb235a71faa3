//! The way out with all own events.

use std::collections::BTreeSet;
use std::process::Command;
use trellis_test_support::http::{self, Response};
use trellis_test_support::management::call;
use trellis_test_support::raw::RawSocket;
use trellis_test_support::{Author, Client, Event, Relay, command, json, now, trellis, wait};

const PATH: &str = "/own/events";

fn url(relay: &Relay, path: &str) -> String {
    format!("{}{path}", relay.http_url().trim_end_matches('/'))
}

fn header(relay: &Relay, author: &Author, method: &str, path: &str) -> String {
    author.authorization_without_payload(method, &url(relay, path))
}

async fn ask(relay: &Relay, author: &Author, path: &str) -> Response {
    let header = header(relay, author, "GET", path);
    http::get(relay, path, &[("Authorization", &header)]).await
}

/// The events of an answer, each as it was signed.
fn events(answer: &Response) -> Vec<Event> {
    assert_eq!(answer.status, 200, "{}", answer.body);
    let lines = answer.body.lines();
    let events = lines.map(|line| Event::from_json(line).expect("an event"));
    events.inspect(|it| it.verify().expect("signed")).collect()
}

fn ids(events: &[Event]) -> BTreeSet<String> {
    events.iter().map(|event| event.id.to_hex()).collect()
}

#[tokio::test]
async fn c29_a_user_takes_all_own_events_along_in_every_mode() {
    let operator = Author::new();
    let config = format!("[information]\npubkey = \"{}\"\n", operator.pubkey());
    let relay = trellis!().config(&config).start().await;
    let (alice, bob) = (Author::new(), Author::new());
    let mut client = Client::connect(&relay).await;
    // More than a page, and than limitation.max_limit.
    let notes = alice.notes(1_300);
    client.store_all(&notes).await;
    client.store_all(&bob.notes(3)).await;
    // To her, and not hers.
    let wrap = bob.draft(1059).tag(&["p", &alice.pubkey()]).sign();
    client.store(&wrap).await;
    let gone = alice.note("gone");
    client.store(&gone).await;
    let deletion = alice.deletion([["e", &gone.id.to_hex()]]);
    client.store(&deletion).await;

    let answer = ask(&relay, &alice, PATH).await;
    let kind = answer.header("content-type").unwrap_or_default();
    assert_eq!(kind, "application/x-ndjson");
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let taken = events(&answer);
    let mut wanted = ids(&notes);
    wanted.insert(deletion.id.to_hex());
    assert_eq!(ids(&taken), wanted);
    assert_eq!(taken.len(), wanted.len(), "each once");
    assert!(taken.is_sorted_by_key(|event| event.created_at));
    for mode in ["read_only", "maintenance"] {
        call(&relay, &operator, "changerelaymode", json!([mode])).await;
        let taken = events(&ask(&relay, &bob, PATH).await);
        assert_eq!(taken.len(), 3, "{mode}");
    }
    let since = now() + 3_600;
    let later = ask(&relay, &alice, &format!("{PATH}?since={since}")).await;
    assert_eq!(events(&later), []);
    let nobody = ask(&relay, &Author::new(), PATH).await;
    assert_eq!(events(&nobody), []);
}

#[tokio::test]
async fn c29_own_events_are_for_whoever_signs_each_request() {
    let operator = Author::new();
    let config = format!("[information]\npubkey = \"{}\"\n", operator.pubkey());
    let relay = trellis!().config(&config).start().await;
    let alice = Author::new();
    let get = async |value: &str| http::get(&relay, PATH, &[("Authorization", value)]).await;
    let unsigned = http::get(&relay, PATH, &[]).await;
    assert_eq!(unsigned.status, 401);
    assert_eq!(unsigned.header("www-authenticate"), Some("Nostr"));
    assert_eq!(unsigned.json()["code"], 401);
    for wrong in [
        header(&relay, &alice, "POST", PATH),
        header(&relay, &alice, "GET", "/"),
        header(&relay, &alice, "GET", "/own/events?since=1"),
        alice.authorization_without_payload("GET", "https://other.example/own/events"),
        "Nostr bm90aGluZw==".to_owned(),
    ] {
        assert_eq!(get(&wrong).await.status, 401, "{wrong}");
    }
    let good = header(&relay, &alice, "GET", PATH);
    assert_eq!(get(&good).await.status, 200);
    assert_eq!(get(&good).await.status, 401, "used before");
    let head = header(&relay, &alice, "HEAD", PATH);
    let head = http::send(&relay, "HEAD", PATH, &[("Authorization", &head)]).await;
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    let options = http::send(&relay, "OPTIONS", PATH, &[]).await;
    assert_eq!(options.status, 204);
    assert_eq!(http::post(&relay, PATH, &[], "{}").await.status, 405);
    let signed = header(&relay, &alice, "GET", PATH);
    let with_body = [("Authorization", &*signed)];
    let answer = http::send_body(&relay, "GET", PATH, &with_body, "{}").await;
    assert_eq!(answer.status, 400, "{}", answer.body);
    let asked = ask(&relay, &alice, "/own/events?kinds=1").await;
    assert_eq!(asked.status, 400, "{}", asked.body);
    call(&relay, &operator, "banpubkey", json!([alice.pubkey()])).await;
    assert_eq!(ask(&relay, &alice, PATH).await.status, 403);
}

#[tokio::test]
async fn c29_who_may_not_read_takes_own_events_along_all_the_same() {
    let alice = Author::new();
    let relay = trellis!().start().await;
    let mut client = Client::connect(&relay).await;
    client.store(&alice.note("mine")).await;
    let (_, setup) = relay.stop().await;
    let members = format!(
        "[auth.req]\npubkey_whitelist = [\"{}\"]\n",
        Author::new().pubkey()
    );
    let relay = setup.config(&members).start().await;
    let mut client = Client::connect(&relay).await;
    client.login(&alice).await;
    assert!(client.ask(&[json!({"kinds": [1]})]).await.is_err());
    assert_eq!(events(&ask(&relay, &alice, PATH).await).len(), 1);
    let (_, setup) = relay.stop().await;
    let nobody = "[auth.req]\nip_blacklist = [\"127.0.0.1\"]\n";
    let relay = setup.config(nobody).start().await;
    assert_eq!(ask(&relay, &alice, PATH).await.status, 403);
    let (_, setup) = relay.stop().await;
    let relay = setup
        .config("[own_events]\nenabled = false\n")
        .start()
        .await;
    assert_eq!(ask(&relay, &alice, PATH).await.status, 404);
}

#[tokio::test]
async fn c29_what_its_author_may_not_see_is_not_streamed() {
    let alice = Author::new();
    let config = "[protection]\nread_protected_kinds = [1059, 4444]\n";
    let relay = trellis!().config(config).start().await;
    let mut client = Client::connect(&relay).await;
    let to_bob = alice.draft(4444).tag(&["p", &Author::new().pubkey()]);
    let to_self = alice.draft(4444).tag(&["p", &alice.pubkey()]).sign();
    client.store_all(&[to_bob.sign(), to_self.clone()]).await;
    let taken = events(&ask(&relay, &alice, PATH).await);
    assert_eq!(ids(&taken), ids(&[to_self]));
}

/// Begins a stream and reads nothing of it.
async fn stall(relay: &Relay, author: &Author) -> RawSocket {
    let mut socket = RawSocket::open(relay).await;
    let (host, signed) = (relay.address(), header(relay, author, "GET", PATH));
    let request = format!("GET {PATH} HTTP/1.1\r\nHost: {host}\r\nAuthorization: {signed}\r\n\r\n");
    assert!(socket.send(request.as_bytes()).await);
    let head = socket.read_head().await.expect("an answer");
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    socket
}

#[tokio::test]
async fn c29_a_key_has_one_stream_and_who_reads_nothing_loses_it() {
    let config = "[network]\nwrite_timeout = \"5s\"\n[own_events]\nmax_per_hour = 100000\n";
    let relay = trellis!().config(config).start().await;
    let alice = Author::new();
    let mut client = Client::connect(&relay).await;
    // More than sockets hold on their way.
    let text = "x".repeat(100_000);
    for number in 0..300 {
        client.store(&alice.note(&format!("{number}{text}"))).await;
    }
    let mut stalled = stall(&relay, &alice).await;
    let second = ask(&relay, &alice, PATH).await;
    assert_eq!(second.status, 409, "{}", second.body);
    // The place is free again, and what was begun never comes to its end.
    let whole = wait::until("the place is free", async || {
        let answer = ask(&relay, &alice, PATH).await;
        (answer.status == 200).then_some(answer)
    })
    .await;
    assert_eq!(events(&whole).len(), 300);
    let rest = stalled.rest().await;
    assert!(!rest.ends_with(b"0\r\n\r\n"), "it broke off");
}

#[tokio::test]
async fn c29_who_has_had_a_place_for_its_time_gives_way() {
    let config = "[own_events]\nmax_at_a_time = 1\nmin_time = \"1s\"\nmax_per_hour = 100000\n";
    let relay = trellis!().config(config).start().await;
    let (alice, bob) = (Author::new(), Author::new());
    let mut client = Client::connect(&relay).await;
    let text = "x".repeat(100_000);
    for number in 0..300 {
        client.store(&alice.note(&format!("{number}{text}"))).await;
    }
    client.store(&bob.note("his")).await;
    let mut stalled = stall(&relay, &alice).await;
    // She takes nothing, and would be waited for by network.write_timeout.
    let his = wait::until("a place", async || {
        let answer = ask(&relay, &bob, PATH).await;
        if answer.status == 503 {
            let after = answer.header("retry-after").expect("Retry-After");
            assert!(after.parse::<u64>().is_ok_and(|seconds| seconds <= 60));
        }
        (answer.status == 200).then_some(answer)
    })
    .await;
    assert_eq!(events(&his).len(), 1);
    let rest = stalled.rest().await;
    assert!(!rest.ends_with(b"0\r\n\r\n"), "it broke off");
}

#[tokio::test]
async fn c29_own_events_are_rate_limited() {
    let config = "[own_events]\nmax_per_hour = 2\nmax_per_hour_per_ip = 5\n\
                  [network]\nreal_ip_header = \"X-Real-IP\"\ntrusted_proxies = [\"127.0.0.1\"]\n";
    let relay = trellis!().config(config).start().await;
    let alice = Author::new();
    for _ in 0..2 {
        let begun = wait::until("a stream", async || {
            let answer = ask(&relay, &alice, PATH).await;
            (answer.status != 409).then_some(answer)
        });
        assert_eq!(begun.await.status, 200);
    }
    let limited = wait::until("a refusal", async || {
        let answer = ask(&relay, &alice, PATH).await;
        (answer.status != 409).then_some(answer)
    });
    let limited = limited.await;
    assert_eq!(limited.status, 429, "{}", limited.body);
    let after = limited.header("retry-after").expect("Retry-After");
    assert!(after.parse::<u64>().is_ok_and(|seconds| seconds <= 3_600));
    let from = async |ip: &str| {
        let headers = [("X-Real-IP", ip)];
        http::get(&relay, PATH, &headers).await.status
    };
    for _ in 0..5 {
        assert_eq!(from("203.0.113.9").await, 401);
    }
    assert_eq!(from("203.0.113.9").await, 429);
    assert_eq!(from("203.0.113.10").await, 401);
}

#[tokio::test]
async fn c29_curl_takes_own_events_along() {
    let relay = trellis!().start().await;
    let alice = Author::new();
    let mut client = Client::connect(&relay).await;
    client.store_all(&alice.notes(5)).await;
    let mut curl = Command::new("curl");
    let signed = format!("Authorization: {}", header(&relay, &alice, "GET", PATH));
    curl.args(["-sS", "--fail", "-H", &signed, &url(&relay, PATH)]);
    let output = command::run(curl, "").await;
    output.assert_success();
    assert_eq!(output.stdout.lines().count(), 5, "{}", output.stdout);
}
