//! E3: what an extension writes with an event is stored with it or not at all, whenever the power goes.

use trellis_test_support::client::ids;
use trellis_test_support::probe::{self, rows};
use trellis_test_support::{Author, Client, Event, Reply, Setup, json, trellis_probe};

const ROUNDS: usize = 12;
const EVENTS_A_ROUND: usize = 300;

/// Publishes without waiting until the relay is killed, which is after so many OKs.
async fn publish_and_kill(setup: Setup, events: &[Event], oks: usize) -> Setup {
    let relay = setup.start().await;
    let mut client = Client::connect(&relay).await;
    for event in events {
        client.send_event(event).await;
    }
    let mut seen = 0;
    while seen < oks {
        match client.next().await.expect("an open connection") {
            Reply::Ok(..) => seen += 1,
            other => panic!("{other:?}"),
        }
    }
    relay.kill()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e3_rows_and_events_agree_after_kill_9() {
    let config = format!(
        "[limitation]\nmax_limit = 20000\n{}",
        probe::table(&["commit"], "")
    );
    let mut setup = trellis_probe!().config(&config);
    let author = Author::new();
    for round in 0..ROUNDS {
        let mut events: Vec<Event> = Vec::new();
        for i in 0..EVENTS_A_ROUND {
            let at = 1_700_000_000 + (round * EVENTS_A_ROUND + i) as u64;
            // Plain ones, vetoed ones, versions that replace each other, and deletions of what came before.
            let event = match i % 6 {
                0 => author.draft(10_000).at(at).sign(),
                1 => author.draft(7000).at(at).probe("commit", "no").sign(),
                2 if i > 6 => author.deletion([["e", &events[i - 5].id.to_hex()]]),
                _ => author.draft(7001).at(at).content(&"x".repeat(i)).sign(),
            };
            events.push(event);
        }
        let moment = 1 + round * (EVENTS_A_ROUND - 60) / ROUNDS;
        setup = publish_and_kill(setup, &events, moment).await;

        let relay = setup.start().await;
        let mut client = Client::connect(&relay).await;
        let mut stored = ids(&client.query(json!({})).await);
        stored.sort();
        assert!(
            stored.len() >= moment / 4,
            "round {round}: {} events",
            stored.len()
        );
        assert_eq!(rows(&relay).await, stored, "round {round}");
        setup = relay.kill();
    }
}

#[tokio::test]
async fn e3_a_refused_event_harms_no_neighbour_in_its_batch() {
    let relay = trellis_probe!()
        .config(&probe::table(&["commit"], ""))
        .start()
        .await;
    let mut client = Client::connect(&relay).await;
    let author = Author::new();
    let events: Vec<Event> = (0..60_u64)
        .map(|i| {
            let draft = author.draft(7000).at(1_700_000_000 + i);
            // Never so many faults in a row that the hook is skipped.
            let draft = match i % 10 {
                3 => draft.probe("commit", "no"),
                5 => draft.probe("commit", "panic"),
                7 => draft.probe("commit", "error"),
                _ => draft,
            };
            draft.sign()
        })
        .collect();
    let verdicts = client.publish_all(&events).await;
    let mut accepted = Vec::new();
    for (i, (event, verdict)) in events.iter().zip(&verdicts).enumerate() {
        match i % 10 {
            3 => verdict.assert_refused("blocked:", "vetoed"),
            5 | 7 => verdict.assert_refused("error:", ""),
            _ => {
                verdict.assert_accepted();
                accepted.push(event.id.to_hex());
            }
        };
    }
    accepted.sort();
    let mut stored = client.query_ids(json!({"kinds": [7000]})).await;
    stored.sort();
    assert_eq!(stored, accepted);
    assert_eq!(rows(&relay).await, accepted);
}

#[tokio::test]
async fn e4_stored_skips_no_event_after_kill_9() {
    let config = format!(
        "[limitation]\nmax_limit = 5000\n{}",
        probe::table(&["stored"], "")
    );
    let mut setup = trellis_probe!().config(&config);
    let author = Author::new();
    for round in 0..6_u64 {
        let events: Vec<Event> = (0..100)
            .map(|i| {
                author
                    .draft(7000)
                    .at(1_700_000_000 + round * 100 + i)
                    .sign()
            })
            .collect();
        // Killed anywhere between the commits and what the extension makes of them.
        setup = publish_and_kill(setup, &events, 10 * (1 + round as usize)).await;
    }
    // What was not told before the last kill is told after it; a last event marks the end.
    let relay = setup.start().await;
    let mut client = Client::connect(&relay).await;
    let last = author.draft(7001).sign();
    client.store(&last).await;
    probe::wait_for_change(&relay, &format!("stored {}", last.id)).await;
    let mut stored = ids(&client.query(json!({"limit": 5_000})).await);
    stored.sort();
    assert!(stored.len() > 210, "{}", stored.len());
    assert_eq!(probe::told(&relay).await, stored);
}
