//! A member who was away, and a relay that has lost its events meanwhile.

use crate::managed::{SERVICE_TOKEN, relay, two};
use crate::person::{Login, Person, messages_of};
use serde_json::json;
use std::fs;
use trellis_test_support::{Relay, http, wait};

#[tokio::test]
async fn m30_a_member_who_was_away_gets_everything_after_the_events_were_lost() {
    let relay = relay().await;
    let (alice, mut bob, group, on_relay) = two(&relay).await;
    bob.client.shutdown().await;
    let lines: Vec<String> = (0..20).map(|number| format!("line {number}")).collect();
    for line in &lines {
        alice.publish(&alice.says(&group, line)).await;
    }
    // The archive follows commits, so it may be a moment behind.
    let archived = wait::until("everything is archived", async || {
        let archived = archived(&relay, &alice, &on_relay).await;
        (archived >= lines.len()).then_some(archived)
    });
    assert_eq!(archived.await, lines.len());

    // As when a container is started anew with the gateway's database alone.
    let setup = relay.kill();
    for file in ["data.mdb", "lock.mdb"] {
        let lost = setup.home().join("data").join(file);
        if lost.exists() {
            fs::remove_file(lost).expect("removed");
        }
    }
    let relay = setup.start().await;
    bob.reconnect(&relay, Login::Authenticates).await;
    let read = wait::until("everything is there again", async || {
        let events = bob.fetch(messages_of(&on_relay)).await;
        (events.len() == lines.len()).then_some(events)
    });
    let mut read = bob.reads(&read.await);
    read.sort();
    let mut wanted = lines;
    wanted.sort();
    assert_eq!(read, wanted);
}

/// How many messages of a group the archive has for a member.
async fn archived(relay: &Relay, member: &Person, group_id: &str) -> usize {
    let body = json!({ "group_id": group_id, "pubkey": member.pubkey().to_hex(), "limit": 500 });
    let token = format!("Bearer {SERVICE_TOKEN}");
    let headers = [
        ("Authorization", token.as_str()),
        ("Content-Type", "application/json"),
    ];
    let answer = http::post(
        relay,
        "/api/v1/mls/messages/group",
        &headers,
        &body.to_string(),
    )
    .await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()["events"].as_array().expect("events").len()
}
