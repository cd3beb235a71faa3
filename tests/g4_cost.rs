//! What groups cost: CPU time of the relay for a message of a group of ten thousand members, with groups on and off.
//!
//! Not part of a normal run, since it measures: `TRELLIS_BIN=target/release/trellis cargo test --test g4_cost -- --ignored
//! --nocapture` on a machine with nothing else to do.

#![cfg(feature = "groups")]

use serde_json::json;
use trellis_test_support::{Author, Client, Event, Relay, process, trellis};

const MEMBERS: usize = 10_000;
/// Users that one put-user names.
const AT_A_TIME: usize = 500;
const PUBLISHERS: usize = 4;
const SUBSCRIBERS: usize = 10;
const MESSAGES: usize = 4_000;
const ROUNDS: usize = 3;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures"]
async fn g4_cpu_of_a_message_in_a_group_of_ten_thousand_with_groups_and_without() {
    let members: Vec<Author> = std::iter::repeat_with(Author::new).take(MEMBERS).collect();
    let (moderation, messages) = (moderation(&members), messages(&members));
    let rounds = (0..ROUNDS).flat_map(|round| [(round, false), (round, true)]);
    for (round, is_on) in rounds {
        let table = match is_on {
            true => "[extensions.groups]\n",
            false => "",
        };
        let relay = trellis!().config(table).start().await;
        let mut admin = Client::connect(&relay).await;
        // Without groups these are events like others.
        for event in &moderation {
            admin.store(event).await;
        }
        let cpu_us = run(&relay, &members, &messages).await;
        let what = if is_on { "on" } else { "off" };
        eprintln!("round {round}: groups {what}: {cpu_us:.1} us of CPU a message");
    }
}

/// What makes the group.
fn moderation(members: &[Author]) -> Vec<Event> {
    let draft = |kind| members[0].draft(kind).tag(&["h", "crowd"]);
    let edit = draft(9002).tag(&["private"]).tag(&["restricted"]);
    let puts = members[1..].chunks(AT_A_TIME).map(|some| {
        let put = some
            .iter()
            .fold(draft(9000), |put, member| put.tag(&["p", &member.pubkey()]));
        put.sign()
    });
    [draft(9007).sign(), edit.sign()]
        .into_iter()
        .chain(puts)
        .collect()
}

/// Messages of as many members.
fn messages(members: &[Author]) -> Vec<Event> {
    let content = "x".repeat(200);
    let message = |number: usize| {
        let draft = members[number % MEMBERS].draft(9).tag(&["h", "crowd"]);
        let draft = draft.tag(&["n", &number.to_string()]);
        draft.content(&content).sign()
    };
    (0..MESSAGES).map(message).collect()
}

/// CPU time of the relay for each message, in microseconds.
async fn run(relay: &Relay, members: &[Author], messages: &[Event]) -> f64 {
    let mut listening = Vec::new();
    for member in &members[..SUBSCRIBERS] {
        let mut client = Client::connect(relay).await;
        client.login(member).await;
        let filter = json!({"kinds": [9], "#h": ["crowd"], "since": 1});
        client.subscribe("crowd", &[filter]).await;
        client.stored("crowd").await.expect("open");
        listening.push(tokio::spawn(async move {
            for _ in 0..MESSAGES {
                client.next_event("crowd").await;
            }
        }));
    }
    let mut publishers = Vec::new();
    for _ in 0..PUBLISHERS {
        publishers.push(Client::connect(relay).await);
    }
    let before = process::cpu_us(relay.pid());
    let shares = messages
        .chunks(MESSAGES / PUBLISHERS)
        .map(<[Event]>::to_vec);
    let sending = publishers
        .into_iter()
        .zip(shares)
        .map(|(mut client, share)| tokio::spawn(async move { client.store_all(&share).await }));
    let sending: Vec<_> = sending.collect();
    for task in sending.into_iter().chain(listening) {
        task.await.expect("done");
    }
    let spent_us = process::cpu_us(relay.pid()) - before;
    spent_us as f64 / MESSAGES as f64
}
