//! Two relays and one place.

use crate::ground::{Place, health, run, until_snapshot};
use trellis_test_support::{Author, Client, Front, Reply, http, json, trellis};

#[tokio::test]
async fn d4_who_takes_over_loses_nothing_that_was_answered_ok() {
    let place = Place::directory();
    let old = place.relay("").start().await;
    until_snapshot(&old).await;
    let author = Author::new();
    let mut publisher = Client::connect(&old).await;
    let publishing = async {
        // Until it is refused, or sent away.
        let mut answered = Vec::new();
        let mut last = None;
        for n in 0..100_000 {
            let note = author.note(&format!("note {n}"));
            publisher.send_event(&note).await;
            match publisher.next().await {
                Some(Reply::Ok(_, verdict)) if verdict.accepted => {
                    answered.push(note.id.to_hex());
                }
                Some(Reply::Ok(_, verdict)) => {
                    last = Some(verdict);
                    break;
                }
                Some(_) => {}
                None => break,
            }
        }
        if let Some(verdict) = last {
            verdict.assert_refused("error:", "taken over");
            assert_eq!(publisher.closed_by_relay().await, Some(1001));
        }
        answered
    };
    let (new, answered) = tokio::join!(place.relay("").start(), publishing);
    let mut client = Client::connect(&new).await;
    for some in answered.chunks(500) {
        let found = client.query_ids(json!({"ids": some})).await;
        assert_eq!(found.len(), some.len(), "answered OK and lost");
    }
    assert_eq!(health(&old).await["status"], "superseded");
    assert_eq!(http::get(&old, "/ready", &[]).await.status, 503);
    let mut late = Client::connect(&old).await;
    late.publish(&author.note("late"))
        .await
        .assert_refused("error:", "taken over");
    client.store(&author.note("goes on")).await;
    // Its disk is of yesterday now.
    let (_, setup) = old.stop().await;
    setup
        .serve_to_end()
        .await
        .assert_failure(&["another relay has taken over"]);
}

#[tokio::test]
async fn d4_a_place_of_somebody_else_is_not_written_to() {
    let place = Place::directory();
    let relay = place.relay("").start().await;
    until_snapshot(&relay).await;
    relay.stop().await;
    let other = trellis!().front(Front::Server);
    let relay = other.start().await;
    let author = Author::new();
    let note = author.note("of the other");
    Client::connect(&relay).await.store(&note).await;
    let (_, setup) = relay.stop().await;
    let toml = format!("[backup]\nurl = {:?}\ninterval = \"200ms\"", place.url);
    let setup = setup.config(&toml);
    let refused = setup.clone().serve_to_end().await;
    refused.assert_failure(&["another database", "--take-over"]);
    let taken = run(&setup, &["now", "--take-over"]).await;
    taken.assert_success();
    let relay = setup.start().await;
    relay.kill();
    let relay = place.relay("").start().await;
    let mut client = Client::connect(&relay).await;
    assert_eq!(client.query(json!({"kinds": [1]})).await, [note]);
}
