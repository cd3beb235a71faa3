//! C19: the data directory: opened without configuration, by one process at a time, and still there after a restart.

use trellis_test_support::client::ids;
use trellis_test_support::{Author, Client, Event, json, trellis};

#[tokio::test]
async fn c19_a_second_process_is_refused() {
    let relay = trellis!().start().await;
    let refused = relay.setup().serve_to_end().await;
    let data = relay.setup().home().join("data").display().to_string();
    refused.assert_failure(&["in use", &data]);
    let mut client = Client::connect(&relay).await;
    client.store(&Author::new().note("the first goes on")).await;
    // The refusal left no lock behind.
    let (_, setup) = relay.stop().await;
    let relay = setup.start().await;
    Client::connect(&relay).await.assert_alive().await;
}

#[tokio::test]
async fn c19_events_survive_a_restart_with_all_their_indexes() {
    let relay = trellis!().start().await;
    let mut client = Client::connect(&relay).await;
    let author = Author::new();
    let mut events: Vec<Event> = (0..500_u64)
        .map(|i| {
            author
                .draft([1, 2, 4][i as usize % 3])
                .at(1_700_000_000 + i / 7)
                .tag(&["t", &format!("topic {}", i % 10)])
                .content(&format!("event {i}"))
                .sign()
        })
        .collect();
    events.push(
        author
            .draft(30_023)
            .at(1_700_000_500)
            .tag(&["d", "post"])
            .sign(),
    );
    client.store_all(&events).await;
    let (status, setup) = relay.stop().await;
    assert!(status.success(), "{status}");
    let relay = setup.start().await;
    let mut client = Client::connect(&relay).await;
    events.sort_by_key(|event| (std::cmp::Reverse(event.created_at), event.id));
    for (filter, keep) in [
        (json!({}), (|_| true) as fn(&Event) -> bool),
        (json!({"authors": [author.pubkey()]}), |_| true),
        (json!({"kinds": [2]}), |event| event.kind.as_u16() == 2),
        (json!({"#t": ["topic 3"]}), |event| {
            event.as_json().contains("topic 3")
        }),
        (json!({"#d": ["post"]}), |event| {
            event.kind.as_u16() == 30_023
        }),
    ] {
        let expected: Vec<Event> = events.iter().filter(|event| keep(event)).cloned().collect();
        let found = client.query(filter.clone()).await;
        assert_eq!(ids(&found), ids(&expected), "{filter}");
    }
    for event in &events[..20] {
        let again = client.publish(event).await;
        assert!(again.message.starts_with("duplicate:"), "{}", again.message);
    }
}

#[tokio::test]
async fn c19_the_default_directory_is_data_below_the_working_directory() {
    let relay = trellis!().without_env("TRELLIS_DATA__PATH").start().await;
    let mut client = Client::connect(&relay).await;
    client.store(&Author::new().note("hello")).await;
    assert!(relay.setup().home().join("data").is_dir());
}

#[tokio::test]
async fn c19_a_directory_that_cannot_be_used_stops_the_start() {
    let setup = trellis!().env("TRELLIS_DATA__PATH", "/proc/no/such/place");
    setup
        .serve_to_end()
        .await
        .assert_failure(&["/proc/no/such/place"]);
    let setup = trellis!().without_env("TRELLIS_DATA__PATH");
    std::fs::write(setup.home().join("data"), "a file").expect("write");
    setup.serve_to_end().await.assert_failure(&["data"]);
}

#[tokio::test]
async fn c19_a_full_store_refuses_writes_and_goes_on_reading_and_deleting() {
    let relay = trellis!()
        .config("[data]\nmap_size = \"160MiB\"")
        .start()
        .await;
    let mut client = Client::connect(&relay).await;
    let author = Author::new();
    let content = "x".repeat(200_000);
    let mut stored: Vec<Event> = Vec::new();
    let refused = loop {
        assert!(stored.len() < 2_000, "160 MiB took 400 MB of events");
        let event = author
            .draft(1)
            .tag(&["n", &stored.len().to_string()])
            .content(&content)
            .sign();
        let verdict = client.publish(&event).await;
        if !verdict.accepted {
            break verdict;
        }
        stored.push(event);
    };
    refused.assert_refused("error:", "");
    let newest = stored.last().cloned().expect("some events fit");
    let found = client.query(json!({"ids": [newest.id.to_hex()]})).await;
    assert_eq!(found, [newest], "reads go on");
    // Deletions fit into the reserve, and make room.
    for some in stored.chunks(50) {
        let deletion = some.iter().fold(author.draft(5), |draft, event| {
            draft.tag(&["e", &event.id.to_hex()])
        });
        client.store(&deletion.sign()).await;
    }
    client.store(&author.note("room again")).await;
}
