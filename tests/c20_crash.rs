//! C20: `kill -9` at any moment loses nothing that was answered OK and leaves every index whole.

use trellis_test_support::client::ids;
use trellis_test_support::{Author, Client, Event, Reply, Setup, json, trellis};

const ROUNDS: usize = 20;
const EVENTS_A_ROUND: usize = 400;

/// Publishes without waiting for answers until the relay is killed, which is after so many OKs; what was answered OK.
async fn publish_and_kill(
    setup: Setup,
    events: &[Event],
    oks_before_the_end: usize,
) -> (Setup, Vec<String>) {
    let relay = setup.start().await;
    let mut client = Client::connect(&relay).await;
    let mut acknowledged = Vec::new();
    for event in events {
        client.send_event(event).await;
    }
    while acknowledged.len() < oks_before_the_end {
        note_ok(
            client.next().await.expect("an open connection"),
            &mut acknowledged,
        );
    }
    let setup = relay.kill();
    // What the kernel still has for us was sent before the end, so it counts.
    while let Some(reply) = client.next().await {
        note_ok(reply, &mut acknowledged);
    }
    (setup, acknowledged)
}

fn note_ok(reply: Reply, acknowledged: &mut Vec<String>) {
    if let Reply::Ok(id, verdict) = reply {
        verdict.assert_accepted();
        acknowledged.push(id);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c20_nothing_that_was_answered_ok_is_lost_by_kill_9() {
    let mut setup = trellis!().config("[limitation]\nmax_limit = 20000");
    let author = Author::new();
    let mut acknowledged: Vec<String> = Vec::new();
    for round in 0..ROUNDS {
        let events: Vec<Event> = (0..EVENTS_A_ROUND)
            .map(|i| {
                author
                    .draft(1)
                    .at(1_700_000_000 + i as u64)
                    .tag(&["t", "crash"])
                    .tag(&["n", &format!("{round}/{i}")])
                    .sign()
            })
            .collect();
        // A different moment each round, from the very first OK on.
        let moment = 1 + round * (EVENTS_A_ROUND - 100) / ROUNDS;
        let (after, oks) = publish_and_kill(setup, &events, moment).await;
        setup = after;
        acknowledged.extend(oks);
    }

    let relay = setup.start().await;
    let mut client = Client::connect(&relay).await;
    for some in acknowledged.chunks(500) {
        let mut found = client.query_ids(json!({"ids": some})).await;
        let mut expected = some.to_vec();
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "answered OK and lost");
    }
    // Each index names the same events, and each name resolves to an event that is whole.
    let everything = client.query(json!({})).await;
    for filter in [
        json!({"authors": [author.pubkey()]}),
        json!({"authors": [author.pubkey()], "kinds": [1]}),
        json!({"kinds": [1]}),
        json!({"#t": ["crash"]}),
        json!({"since": 1, "until": 1_800_000_000}),
    ] {
        let found = client.query(filter.clone()).await;
        assert_eq!(ids(&found), ids(&everything), "{filter}");
    }
    for some in ids(&everything).chunks(500) {
        assert_eq!(client.query(json!({"ids": some})).await.len(), some.len());
    }
    // And it takes events as before.
    let next = author.note("after all that");
    client.store(&next).await;
    assert_eq!(client.query(json!({"limit": 1})).await, [next]);
}

#[tokio::test]
async fn c20_versions_and_tombstones_are_whole_after_kill_9() {
    let mut setup = trellis!();
    let author = Author::new();
    for round in 0..5_u64 {
        let relay = setup.start().await;
        let mut client = Client::connect(&relay).await;
        let base = 1_700_000_000 + round * 1_000;
        let versions: Vec<Event> = (0..300)
            .map(|i| author.draft(30_023).at(base + i).tag(&["d", "x"]).sign())
            .collect();
        for version in &versions {
            client.send_event(version).await;
        }
        for version in &versions[..100] {
            client.verdict(&version.id.to_hex()).await;
        }
        setup = relay.kill();
        let relay = setup.start().await;
        let mut client = Client::connect(&relay).await;
        let found = client.query(json!({"kinds": [30_023]})).await;
        let [kept] = &found[..] else {
            panic!("{} versions of one address", found.len());
        };
        assert!(
            kept.created_at.as_secs() >= base + 99,
            "an older version than one answered OK"
        );
        let note = author.note(&format!("deleted in round {round}"));
        client.store(&note).await;
        client
            .store(&author.deletion([["e", &note.id.to_hex()]]))
            .await;
        setup = relay.kill();
        let relay = setup.start().await;
        let mut client = Client::connect(&relay).await;
        client
            .publish(&note)
            .await
            .assert_refused("blocked:", "deleted");
        setup = relay.kill();
    }
}
