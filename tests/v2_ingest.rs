//! V2 and V3: events that come together share a commit, and one that comes alone has its own at once.

use std::cell::Cell;
use std::collections::VecDeque;
use trellis_test_support::{Author, Client, Relay, http, trellis};

/// How many commits there were, and how many writes in them.
async fn commits(relay: &Relay) -> (u64, u64) {
    let page = http::get(relay, "/metrics", &[]).await;
    let value = |series: &str| {
        let line = page.body.lines().find(|line| line.starts_with(series));
        let value = line.and_then(|line| line.rsplit(' ').next());
        value.and_then(|value| value.parse().ok()).unwrap_or(0)
    };
    (
        value("trellis_commit_events_count "),
        value("trellis_commit_events_sum "),
    )
}

#[tokio::test]
async fn v3_each_event_of_a_lone_publisher_is_committed_by_itself() {
    let relay = trellis!().start().await;
    let mut client = Client::connect(&relay).await;
    let before = commits(&relay).await;
    for note in Author::new().notes(20) {
        client.store(&note).await;
    }
    let after = commits(&relay).await;
    assert_eq!((after.0 - before.0, after.1 - before.1), (20, 20));
}

#[tokio::test]
async fn v2_events_that_come_together_share_commits() {
    let relay = trellis!().start().await;
    let mut client = Client::connect(&relay).await;
    let before = commits(&relay).await;
    client.store_all(&Author::new().notes(400)).await;
    let after = commits(&relay).await;
    assert_eq!(after.1 - before.1, 400);
    let commits = after.0 - before.0;
    assert!(commits <= 100, "{commits} commits");
}

#[tokio::test]
async fn v2_who_publishes_beside_a_flood_is_answered_while_it_lasts() {
    /// Events of the flood that wait for their answers, nearly always.
    const UNDER_WAY: usize = 200;
    let relay = trellis!().start().await;
    let mut flood = Client::connect(&relay).await;
    let mut lone = Client::connect(&relay).await;
    let (author, mut sent, mut unanswered) = (Author::new(), 0, VecDeque::new());
    let lone_is_done = Cell::new(false);
    // It ends with the other's last answer, so that who is answered after the flood alone waits in vain.
    let flooding = async {
        while !lone_is_done.get() {
            while unanswered.len() < UNDER_WAY {
                let note = author.draft(1).content(&format!("note {sent}")).sign();
                sent += 1;
                flood.send_event(&note).await;
                unanswered.push_back(note.id.to_hex());
            }
            for id in unanswered.drain(..UNDER_WAY / 4) {
                flood.verdict(&id).await.assert_accepted();
            }
        }
        for id in unanswered.drain(..) {
            flood.verdict(&id).await.assert_accepted();
        }
    };
    let publishing = async {
        for note in Author::new().notes(5) {
            lone.store(&note).await;
        }
        lone_is_done.set(true);
    };
    tokio::join!(flooding, publishing);
    assert_eq!(commits(&relay).await.1, sent + 5);
}
