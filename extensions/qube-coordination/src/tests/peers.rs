//! Relays that were parted come to the same state (Q17), and a peer that lies changes nothing.

use super::ground::{Ground, HASH, STRANGER, table, upgrade};
use actix_web::{App, HttpResponse, HttpServer, web};
use trellis_qube_protocol::Digest;
use trellis_qube_protocol::chain::{self, Entry, EntryKind};
use trellis_relay::testing::{Value, json, until};

fn with_peer(url: &str) -> String {
    format!(
        "outbound.allow_private = ['127.0.0.1/32']\n{}",
        table(&format!("peers = ['{url}']\npeer_interval = '1s'"))
    )
}

/// What follows from events, without what differs between relays.
async fn state(ground: &Ground) -> Vec<Value> {
    let mut all = ground.items("/networks/hqz/quorum").await;
    all.extend(ground.items("/networks/testnet/quorum").await);
    all.extend(ground.items("/networks/hqz/history").await);
    all.extend(ground.items("/networks/hqz/fleet").await);
    all
}

#[tokio::test]
async fn q17_relays_that_were_parted_come_to_the_same_state() {
    let (mut a, mut b) = (Ground::start("").await, Ground::start("").await);
    // Parted: each hears something else, and what it hears is replaced.
    a.direct(1, "hqz", "v1.0.0").await;
    b.pass(10);
    b.direct(2, "hqz", "v1.0.0").await;
    b.pass(10);
    b.direct(1, "hqz", "v1.1.0").await;
    a.pass(30);
    a.direct(2, "testnet", "v9.0.0").await;
    a.pass(10);
    a.direct(1, "testnet", "v9.0.0").await;
    b.pass(20);
    let report = b.ack(100, 2, "hqz", "v1.0.0").sign();
    for ground in [&a, &b] {
        ground.relay.connect().await.store(&report).await;
    }
    b.until_items("/networks/hqz/fleet", |it| it.len() == 1)
        .await;
    assert_ne!(state(&a).await, state(&b).await);

    // Together again.
    let address = |ground: &Ground| format!("{}/api/v1/qube", ground.relay.http_url());
    let (of_a, of_b) = (address(&a), address(&b));
    a.relay.reconfigure(&with_peer(&of_b)).await.unwrap();
    b.relay.reconfigure(&with_peer(&of_a)).await.unwrap();
    until("the same state", async || {
        let (of_a, of_b) = (state(&a).await, state(&b).await);
        of_a == of_b && of_a.iter().any(|it| it["status"] == "quorum")
    })
    .await;
    let standing = a.items("/networks/testnet/signals").await;
    assert_eq!(standing.len(), 2);
    assert_eq!(standing, b.items("/networks/testnet/signals").await);
    // What was adopted is bound by a chain of its own, and stays after a restart.
    let adopted = a.items("/audit/export?section=adopted").await;
    assert!(!adopted.is_empty());
    let entries: Vec<Entry> = adopted
        .iter()
        .map(|it| serde_json::from_value(it.clone()).unwrap())
        .collect();
    assert_eq!(chain::verify(&entries), Ok(()));
    let before = state(&a).await;
    let a = Ground {
        relay: a.relay.restart().await,
    };
    assert_eq!(state(&a).await, before);
}

/// A server that answers each request for the export with what a function makes of its query.
fn liar(answer: impl Fn(&str) -> String + Clone + Send + Sync + 'static) -> String {
    let app = move || {
        let answer = answer.clone();
        let serve = move |request: actix_web::HttpRequest| {
            let body = answer(request.query_string());
            async move {
                HttpResponse::Ok()
                    .content_type("application/json")
                    .body(body)
            }
        };
        App::new().default_service(web::to(serve))
    };
    let server = HttpServer::new(app).workers(1).disable_signals();
    let server = server.bind("127.0.0.1:0").unwrap();
    let address = server.addrs()[0];
    tokio::spawn(server.run());
    format!("http://{address}/api/v1/qube")
}

fn page(entries: &[Entry]) -> String {
    let last = entries.last().unwrap();
    json!({
        "items": entries,
        "heads": { "log": { "seq": last.seq, "hash": last.hash } },
    })
    .to_string()
}

async fn until_degraded(ground: &Ground, problem: &str) {
    until(problem, async || {
        let health: Value = ground.relay.get("/health").await.json();
        health.to_string().contains(problem)
    })
    .await;
}

#[tokio::test]
async fn q17_a_peer_that_lies_changes_nothing() {
    let ground = Ground::start("").await;
    let author = ground.author(1);
    let text =
        |event: &trellis_relay::event::Event| String::from_utf8_lossy(event.json()).into_owned();
    let good = text(&upgrade(&author, "hqz", "v1.0.0", HASH).sign());
    let forged = text(&upgrade(&author, "hqz", "v6.6.6", HASH).forge());
    let stranger = text(&upgrade(&ground.author(STRANGER), "hqz", "v6.6.6", HASH).sign());
    let note = text(&author.note("no directive"));
    let huge = "x".repeat(200_000);
    let mut last: Option<Entry> = None;
    let mut entries = Vec::new();
    for event in [&forged, &stranger, &note, &huge, &good, &good] {
        let entry = chain::append(last.as_ref(), 5, EntryKind::Replaced, event.clone());
        entries.push(entry.clone());
        last = Some(entry);
    }
    drop(ground);
    let body = page(&entries);
    let url = liar(move |query| match query.contains("section=log&after=0") {
        true => body.clone(),
        false => json!({ "items": [], "heads": { "log": { "seq": 6, "hash": "0".repeat(64) } } })
            .to_string(),
    });
    let ground = Ground::with(&with_peer(&url)).await;
    // What is genuine among it counts, once.
    let history = ground
        .until_items("/networks/hqz/history", |it| it.len() == 1)
        .await;
    assert_eq!(history[0]["version"], "1.0.0");
    assert_eq!(ground.items("/audit/export?section=adopted").await.len(), 1);
}

#[tokio::test]
async fn q17_a_log_that_does_not_hold_together_is_reported() {
    let author = trellis_relay::testing::Author::new(1);
    let text = |version: &str| {
        let event = upgrade(&author, "hqz", version, HASH).sign();
        String::from_utf8_lossy(event.json()).into_owned()
    };
    let first = chain::append(None, 5, EntryKind::Replaced, text("v1.0.0"));
    let mut second = chain::append(Some(&first), 6, EntryKind::Replaced, text("v1.0.1"));
    second.previous = Digest::of(b"another");
    let body = page(&[first, second]);
    let url = liar(move |_| body.clone());
    let ground = Ground::with(&with_peer(&url)).await;
    until_degraded(&ground, "its log does not hold together").await;
    // Up to there it was read.
    let history = ground
        .until_items("/networks/hqz/history", |it| it.len() == 1)
        .await;
    assert_eq!(history[0]["version"], "1.0.0");
}

#[tokio::test]
async fn q17_a_last_entry_that_was_rewritten_is_noticed() {
    let author = trellis_relay::testing::Author::new(1);
    let event = upgrade(&author, "hqz", "v1.0.0", HASH).sign();
    let text = String::from_utf8_lossy(event.json()).into_owned();
    let entry = chain::append(None, 5, EntryKind::Replaced, text);
    let body = page(&[entry]);
    let url = liar(move |query| match query.contains("section=log&after=0") {
        true => body.clone(),
        // Nothing new, and yet another log.
        false => json!({ "items": [], "heads": { "log": { "seq": 1, "hash": "0".repeat(64) } } })
            .to_string(),
    });
    let ground = Ground::with(&with_peer(&url)).await;
    until_degraded(&ground, "its log has another entry 1 than it had").await;
    let history = ground.items("/networks/hqz/history").await;
    assert_eq!(history.len(), 1, "what was genuine in it counts");
}

#[tokio::test]
async fn q17_a_history_of_the_longest_directives_comes_over() {
    let b = Ground::start("directives_per_hour = 1000").await;
    // Quotes have to be escaped, in the event and once more in the export.
    let quotes = "\"".repeat(7_000);
    let mut developer = b.client(1).await;
    for patch in 0..40 {
        let version = format!("v1.0.{patch}");
        let event = b.upgrade(1, "hqz", &version).tag(["x", &quotes]).sign();
        developer.store(&event).await;
        b.pass(1);
    }
    let url = format!("{}/api/v1/qube", b.relay.http_url());
    let a = Ground::with(&with_peer(&url)).await;
    a.until_items("/networks/hqz/history", |it| it.len() == 40)
        .await;
}

#[tokio::test]
async fn q17_a_peer_that_never_answers_keeps_none_waiting() {
    let b = Ground::start("").await;
    b.direct(1, "hqz", "v1.0.0").await;
    // Whoever connects is let in by the system, and hears nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let (silent, honest) = (silent.local_addr().unwrap(), b.relay.http_url());
    let peers = format!(
        "peers = ['http://{silent}/api/v1/qube', '{honest}/api/v1/qube']\npeer_interval = '1s'"
    );
    let private = "outbound.allow_private = ['127.0.0.1/32']";
    let a = Ground::with(&format!("{private}\n{}", table(&peers))).await;
    a.until_items("/networks/hqz/history", |it| it.len() == 1)
        .await;
}

#[tokio::test]
async fn q17_what_the_operator_removed_no_peer_brings_back() {
    let b = Ground::start("").await;
    let first = b.direct(1, "hqz", "v1.0.0").await;
    let url = format!("{}/api/v1/qube", b.relay.http_url());
    let a = Ground::operated_with(&with_peer(&url)).await;
    a.until_items("/networks/hqz/history", |it| it.len() == 1)
        .await;
    assert!(a.remove(&first, "admin").await);
    a.until_items("/networks/hqz/history", <[Value]>::is_empty)
        .await;
    // Another directive comes over, and with it would the one that still stands there.
    b.pass(1);
    b.direct(2, "hqz", "v1.0.0").await;
    a.until_items("/networks/hqz/history", |it| it.len() == 1)
        .await;
    // Now it is in the peer's log.
    b.pass(1);
    b.direct(1, "hqz", "v1.1.0").await;
    let is_there = |it: &[Value]| it.iter().any(|it| it["version"] == "1.1.0");
    let found = a.until_items("/networks/hqz/history", is_there).await;
    assert_eq!(found.len(), 2);
    let a = Ground {
        relay: a.relay.restart().await,
    };
    let found = a.until_items("/networks/hqz/history", is_there).await;
    assert_eq!(found.len(), 2);
    let first = first.id().to_hex();
    assert!(found.iter().all(|it| it["id"] != first.as_str()));
    assert!(a.items("/audit/export?section=adopted").await.is_empty());
}

#[tokio::test]
async fn q17_answers_without_end_are_cut_off() {
    // Sound, but for its length.
    let url = liar(|_| format!("{{\"items\": [], \"more\": [0{}]}}", ",0".repeat(1 << 20)));
    let ground = Ground::with(&with_peer(&url)).await;
    until_degraded(&ground, "outbound.max_body_bytes").await;
    assert!(ground.items("/networks/hqz/history").await.is_empty());
    // The relay goes on.
    ground.direct(1, "hqz", "v1.0.0").await;
}
