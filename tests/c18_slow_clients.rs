//! C18: clients that are dead or do not read are dropped, what waited for them is freed, and nobody else notices.

use trellis_test_support::raw::{self, RawSocket};
use trellis_test_support::{Author, Client, Event, Relay, json, process, trellis, wait};

const MEBIBYTE: u64 = 1 << 20;

/// Subscribes to everything and never reads again.
async fn sleeper(relay: &Relay) -> RawSocket {
    let mut socket = RawSocket::upgraded(relay).await;
    let request = json!(["REQ", "all", {"kinds": [1], "limit": 0}]).to_string();
    socket.send_frame(true, raw::TEXT, request.as_bytes()).await;
    loop {
        let frame = socket.next_frame().await.expect("an open connection");
        if frame.payload.starts_with(b"[\"EOSE\"") {
            return socket;
        }
    }
}

fn large_events(author: &Author, count: usize) -> Vec<Event> {
    let content = "x".repeat(100_000);
    (0..count)
        .map(|i| {
            author
                .draft(1)
                .tag(&["n", &i.to_string()])
                .content(&content)
                .sign()
        })
        .collect()
}

/// Publishes until the relay has dropped so many of its connections.
async fn publish_until_dropped(relay: &Relay, publisher: &mut Client, staying: usize) {
    let author = Author::new();
    let port = relay.address().port();
    wait::until("the sleepers' end", async || {
        if process::connections_at(port) <= staying {
            return Some(());
        }
        publisher.store_all(&large_events(&author, 5)).await;
        None
    })
    .await;
}

#[tokio::test]
async fn c18_a_client_that_stops_reading_is_dropped_and_others_are_not() {
    let relay = trellis!()
        .config("[network]\noutbox_bytes = \"1MiB\"\nwrite_timeout = \"2s\"")
        .start()
        .await;
    let mut publisher = Client::connect(&relay).await;
    let mut reader = Client::connect(&relay).await;
    reader.subscribe("live", &[json!({"#t": ["end"]})]).await;
    assert_eq!(reader.stored("live").await, Ok(vec![]));
    let sleeper = sleeper(&relay).await;
    publish_until_dropped(&relay, &mut publisher, 2).await;
    let end = Author::new().draft(1).tag(&["t", "end"]).sign();
    publisher.store(&end).await;
    assert_eq!(reader.next_event("live").await, end);
    drop(sleeper);
}

#[tokio::test]
async fn c18_what_waited_for_slow_clients_is_freed() {
    const SLEEPERS: usize = 30;
    let relay = trellis!()
        .config("[network]\noutbox_bytes = \"1MiB\"\nwrite_timeout = \"2s\"")
        .start()
        .await;
    let mut publisher = Client::connect(&relay).await;
    let mut after_wave = Vec::new();
    for _ in 0..4 {
        let mut sleepers = Vec::new();
        for _ in 0..SLEEPERS {
            sleepers.push(sleeper(&relay).await);
        }
        publish_until_dropped(&relay, &mut publisher, 1).await;
        after_wave.push(process::own_memory_bytes(relay.pid()));
        drop(sleepers);
    }
    // The first wave fills the allocator's pools. Were anything kept for the dropped, each further wave would add to it.
    let grown = after_wave[3].saturating_sub(after_wave[0]);
    assert!(grown < SLEEPERS as u64 * MEBIBYTE, "{after_wave:?}");
}

#[tokio::test]
async fn c18_a_client_that_asks_much_and_reads_nothing_is_held_to_its_outbox() {
    let relay = trellis!()
        .config("[network]\noutbox_bytes = \"1MiB\"\nwrite_timeout = \"2s\"")
        .start()
        .await;
    let mut publisher = Client::connect(&relay).await;
    publisher
        .store_all(&large_events(&Author::new(), 200))
        .await;
    let before = process::own_memory_bytes(relay.pid());
    let mut greedy = RawSocket::upgraded(&relay).await;
    for i in 0..50 {
        let request = json!(["REQ", format!("s{i}"), {"kinds": [1]}]).to_string();
        greedy.send_frame(true, raw::TEXT, request.as_bytes()).await;
    }
    // 50 times 20 MB are asked for. The relay may wait or hang up, but not pile up.
    let port = relay.address().port();
    let mut peak = 0;
    wait::until("the greedy one's end", async || {
        publisher.assert_alive().await;
        peak = peak.max(process::own_memory_bytes(relay.pid()));
        (process::connections_at(port) <= 1).then_some(())
    })
    .await;
    assert!(
        peak < before + 64 * MEBIBYTE,
        "{before} grew to {peak} bytes"
    );
}

#[tokio::test]
async fn c18_a_client_that_answers_no_ping_is_dropped() {
    let relay = trellis!()
        .config("[network]\nping_interval = \"1s\"\nidle_timeout = \"3s\"")
        .start()
        .await;
    let mut dead = RawSocket::upgraded(&relay).await;
    let mut pings = 0;
    while let Some(frame) = dead.next_frame().await {
        if frame.opcode == raw::PING {
            pings += 1;
        }
    }
    assert!(pings > 0, "dropped without a ping");
}

#[tokio::test]
async fn c18_a_quiet_client_that_answers_pings_stays() {
    let relay = trellis!()
        .config("[network]\nping_interval = \"1s\"\nidle_timeout = \"5s\"")
        .start()
        .await;
    let mut quiet = Client::connect(&relay).await;
    for _ in 0..8 {
        quiet.next_ping().await;
    }
    quiet.assert_alive().await;
}

#[tokio::test]
async fn c18_pings_are_answered_with_their_payload() {
    let relay = trellis!().start().await;
    let mut socket = RawSocket::upgraded(&relay).await;
    assert!(socket.send_frame(true, raw::PING, b"are you there?").await);
    loop {
        let frame = socket.next_frame().await.expect("an open connection");
        if frame.opcode == raw::PONG {
            assert_eq!(frame.payload, b"are you there?");
            break;
        }
    }
}

#[tokio::test]
async fn c18_a_close_is_answered_with_a_close() {
    let relay = trellis!().start().await;
    let mut socket = RawSocket::upgraded(&relay).await;
    assert!(
        socket
            .send_frame(true, raw::CLOSE, &1000_u16.to_be_bytes())
            .await
    );
    let mut last = None;
    while let Some(frame) = socket.next_frame().await {
        last = Some(frame.opcode);
    }
    assert_eq!(last, Some(raw::CLOSE));
}

#[tokio::test]
async fn c18_a_client_that_reads_is_not_taken_for_a_slow_one() {
    // What is published at once is more than this outbox holds.
    let relay = trellis!()
        .config("[network]\noutbox_bytes = \"1MiB\"")
        .start()
        .await;
    let mut publisher = Client::connect(&relay).await;
    let mut reader = Client::connect(&relay).await;
    let filter = json!({"kinds": [1], "limit": 0});
    reader.subscribe("live", &[filter]).await;
    assert_eq!(reader.stored("live").await, Ok(vec![]));
    for _ in 0..10 {
        let events = large_events(&Author::new(), 15);
        publisher.store_all(&events).await;
        for _ in &events {
            reader.next_event("live").await;
        }
    }
    reader.assert_alive().await;
}
