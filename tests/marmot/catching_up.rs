//! A member who was away, and a relay that has lost its events meanwhile.

use crate::managed::{relay, two};
use crate::person::Login;
use std::fs;
use trellis_test_support::wait;

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
    wait::until_true("everything is archived", || relay_has_archived(&relay, 21)).await;

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
        let events = bob.fetch(crate::person::messages_of(&on_relay)).await;
        (events.len() == lines.len()).then_some(events)
    });
    let mut read = bob.reads(&read.await);
    read.sort();
    let mut wanted = lines;
    wanted.sort();
    assert_eq!(read, wanted);
}

fn relay_has_archived(relay: &trellis_test_support::Relay, _events: usize) -> bool {
    // To be replaced by the metric of the archive.
    relay.pid() > 0
}
