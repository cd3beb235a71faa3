//! D4: what the continuous backup costs: ingest with it and without, a snapshot, and a restoration of a database.
//!
//! Not part of a normal run, since it measures: `TRELLIS_BIN=target/release/trellis cargo test --test d4_cost -- --ignored
//! --nocapture --test-threads 1` on a machine with nothing else to do. `D4_EVENTS` names another number of events.

#![cfg(feature = "backup")]

use std::time::Instant;
use tempfile::TempDir;
use trellis_test_support::{
    Author, Client, Event, Front, Output, Relay, Setup, http, process, trellis, wait,
};

/// Events of one round of ingest, and of a database that is restored, where nobody names another number.
const INGESTED: usize = 50_000;
const RESTORED: usize = 1_000_000;
/// Events that one author signs before they are sent.
const SENT_AT_ONCE: usize = 5_000;
const ROUNDS: usize = 5;

fn events(otherwise: usize) -> usize {
    std::env::var("D4_EVENTS").map_or(otherwise, |number| number.parse().expect("a number"))
}

fn notes(author: &Author, from: usize, count: usize) -> Vec<Event> {
    let note = |number: usize| {
        let content = format!("note {number} {}", "word ".repeat(40));
        author.draft(1).content(&content).sign()
    };
    (from..from + count).map(note).collect()
}

fn backed_up(place: &TempDir, interval: &str) -> Setup {
    let url = format!("file://{}", place.path().display());
    let table = format!("[backup]\nurl = {url:?}\ninterval = {interval:?}");
    trellis!().front(Front::Server).config(&table)
}

fn place() -> TempDir {
    TempDir::with_prefix("trellis-copies-").expect("a directory")
}

/// So that the snapshot with which a history begins is no part of what is measured.
async fn until_snapshot(relay: &Relay) {
    wait::until("a snapshot", async || {
        let health = http::get(relay, "/health", &[]).await.json();
        health["backup"]["last_snapshot_at_ms"].as_u64()
    })
    .await;
}

async fn backup(setup: &Setup, arguments: &[&str]) -> Output {
    let config = setup.config_file().display().to_string();
    let all = [&["backup"], arguments, &["-c", &config]].concat();
    setup.run(&all).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures"]
async fn d4_what_ingest_costs_with_and_without() {
    let notes = notes(&Author::new(), 0, events(INGESTED));
    let (mut lost, mut more) = (Vec::new(), Vec::new());
    // One round after the other, since what else the machine does changes more slowly than that.
    for round in 0..ROUNDS {
        let place = place();
        let without = ingest(trellis!().front(Front::Server), &notes, false).await;
        let with = ingest(backed_up(&place, "5s"), &notes, true).await;
        eprintln!(
            "round {round}: {:.0} events a second and {:.1} us of CPU an event without a backup, {:.0} and {:.1} us with it",
            without.per_second, without.cpu_us, with.per_second, with.cpu_us
        );
        lost.push(100.0 - 100.0 * with.per_second / without.per_second);
        more.push(100.0 * with.cpu_us / without.cpu_us - 100.0);
    }
    eprintln!(
        "medians: {:.1} % fewer events a second, {:.1} % more CPU an event with the last segment",
        median(lost),
        median(more)
    );
}

struct Ingested {
    per_second: f64,
    /// Of the relay, until everything is in the backup.
    cpu_us: f64,
}

async fn ingest(setup: Setup, notes: &[Event], has_backup: bool) -> Ingested {
    let relay = setup.start().await;
    if has_backup {
        until_snapshot(&relay).await;
    }
    let mut client = Client::connect(&relay).await;
    let cpu_us = process::cpu_us(relay.pid());
    let began = Instant::now();
    client.store_all(notes).await;
    let took = began.elapsed();
    if has_backup {
        backup(relay.setup(), &["now"]).await.assert_success();
    }
    let cpu_us = process::cpu_us(relay.pid()) - cpu_us;
    Ingested {
        per_second: notes.len() as f64 / took.as_secs_f64(),
        cpu_us: cpu_us as f64 / notes.len() as f64,
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures"]
async fn d4_a_million_events_are_restored() {
    let all = events(RESTORED);
    let place = place();
    let relay = backed_up(&place, "1s").start().await;
    let author = Author::new();
    let mut client = Client::connect(&relay).await;
    let mut sent = 0;
    while sent < all {
        let some = notes(&author, sent, SENT_AT_ONCE.min(all - sent));
        client.store_all(&some).await;
        sent += some.len();
    }
    let began = Instant::now();
    let written = backup(relay.setup(), &["now", "--snapshot"]).await;
    written.assert_success();
    eprintln!("a snapshot of {all} events: {:?}", began.elapsed());
    relay.kill();
    let began = Instant::now();
    let restored = backup(&backed_up(&place, "1s"), &["restore"]).await;
    eprintln!("restored in {:?}: {}", began.elapsed(), restored.text());
    restored.assert_success();
    // A relay that finds nothing does the same at its start, once the one before counts as gone.
    let began = Instant::now();
    let relay = backed_up(&place, "1s").start().await;
    eprintln!(
        "restored at a start, with the wait, in {:?}",
        began.elapsed()
    );
    let log = relay.log();
    assert!(log.contains("restored"), "{log}");
}
