//! E7 and C14 under load: reloading again and again drops no client, loses no event and keeps no memory.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use trellis_test_support::http::relay_information;
use trellis_test_support::{
    Author, Client, Relay, Reply, json, probe, process, trellis_probe, wait,
};

/// A configuration of its own for every round; in every other one the extension is off.
fn config(round: usize) -> String {
    let name = format!("[information]\nname = \"round {round}\"\n");
    let hooks = ["admit", "commit", "stored", "request", "deliver", "session"];
    match round % 2 {
        0 => name + &probe::table(&hooks, ""),
        _ => name,
    }
}

async fn reload(relay: &Relay, round: usize) {
    relay.write_config(&config(round));
    relay.hang_up();
    let name = format!("round {round}");
    wait::until(&name, async || {
        (relay_information(relay).await["name"] == name).then_some(())
    })
    .await;
}

/// Publishes until it is told to stop; says which events were accepted.
async fn publish(mut client: Client, stop: Arc<AtomicBool>) -> Vec<String> {
    let author = Author::new();
    let mut accepted = Vec::new();
    while !stop.load(Ordering::Acquire) {
        let event = author
            .draft(7000)
            .content(&accepted.len().to_string())
            .sign();
        client.store(&event).await;
        accepted.push(event.id.to_hex());
    }
    accepted
}

/// `TRELLIS_ROUNDS` sets how often; each round is one reload.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e7_reloading_under_load_drops_nobody_loses_nothing_and_keeps_no_memory() {
    const GROWTH_BYTES: u64 = 24 << 20;
    let rounds =
        std::env::var("TRELLIS_ROUNDS").map_or(40, |rounds| rounds.parse().expect("a number"));
    let relay = trellis_probe!().config(&config(0)).start().await;
    let mut reader = Client::connect(&relay).await;
    reader
        .subscribe("s", &[json!({"kinds": [7000], "limit": 0})])
        .await;
    assert_eq!(reader.stored("s").await, Ok(vec![]));
    let stop = Arc::new(AtomicBool::new(false));
    let mut publishers = Vec::new();
    for _ in 0..2 {
        let client = Client::connect(&relay).await;
        publishers.push(tokio::spawn(publish(client, stop.clone())));
    }
    let reading = tokio::spawn(async move {
        let mut seen = HashSet::new();
        loop {
            match reader.next().await {
                Some(Reply::Event(_, event)) if event.content == "the end" => return seen,
                Some(Reply::Event(_, event)) => {
                    assert!(seen.insert(event.id.to_hex()), "twice: {}", event.as_json());
                }
                other => panic!("{other:?}"),
            }
        }
    });
    let mut memory_bytes = 0;
    for round in 1..=rounds {
        reload(&relay, round).await;
        if round == rounds / 10 {
            memory_bytes = process::own_memory_bytes(relay.pid());
        }
    }
    let grown_bytes = process::own_memory_bytes(relay.pid()).saturating_sub(memory_bytes);
    stop.store(true, Ordering::Release);
    let mut accepted = HashSet::new();
    for publisher in publishers {
        accepted.extend(publisher.await.expect("a publisher that was never dropped"));
    }
    let mut last = Client::connect(&relay).await;
    last.store(&Author::new().draft(7000).content("the end").sign())
        .await;
    let seen = reading.await.expect("a reader that was never dropped");
    assert_eq!(seen, accepted, "every accepted event, live, once");
    assert!(
        accepted.len() > rounds,
        "{} events are no load",
        accepted.len()
    );
    assert!(
        grown_bytes < GROWTH_BYTES,
        "{grown_bytes} bytes more after {rounds} reloads"
    );
}
