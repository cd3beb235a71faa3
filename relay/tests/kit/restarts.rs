//! E10: what is there after a restart and after a crash, in memory and on disk.

use crate::guests::Guests;
use trellis_relay::testing::{Author, Setup, TestRelay, Value, json, until};

fn guests(admin: &Author) -> Setup {
    let admin = admin.pubkey().to_hex();
    TestRelay::of::<Guests>().config(&format!("[extensions.guests]\nadmins = ['{admin}']"))
}

async fn invite(relay: &TestRelay, admin: &Author, guest: &Author) {
    let call = relay.post("/api/guests").body(guest.pubkey().to_hex());
    assert_eq!(call.nip98(admin).await.status, 201);
}

#[tokio::test]
async fn e10_events_rows_and_cursors_outlive_restart_and_crash() {
    let (admin, guest) = (Author::new(1), Author::new(2));
    for setup in [guests(&admin), guests(&admin).lmdb()] {
        let relay = setup.start().await;
        invite(&relay, &admin, &guest).await;
        let notes = [guest.note("one"), guest.note("two"), guest.note("three")];
        relay.connect().await.store(&notes[0]).await;
        let relay = relay.restart().await;
        relay.connect().await.store(&notes[1]).await;
        let relay = relay.kill_and_restart().await;
        let mut client = relay.connect().await;
        client.store(&notes[2]).await;
        assert_eq!(client.query(json!({"kinds": [1]})).await.unwrap().len(), 3);
        // A page may be told twice after a crash, none is skipped.
        until("all notes are counted", async || {
            let page: Value = relay.get("/api/guests").await.json();
            page["notes"].as_u64().unwrap() >= 3
        })
        .await;
    }
}

#[tokio::test]
async fn e10_what_was_under_way_in_a_crash_is_lost_and_was_not_answered() {
    let relay = TestRelay::setup().start().await;
    let (note, mut client) = (Author::new(1).note("lost"), relay.connect().await);
    let held = relay.faults().hold_commits();
    client.send_event(&note).await;
    held.until_one_waits().await;
    let relay = relay.kill_and_restart().await;
    client.closed().await;
    assert!(
        !client
            .unread()
            .any(|reply| matches!(reply, trellis_relay::testing::Reply::Ok(_, verdict) if verdict.is_accepted()))
    );
    let mut client = relay.connect().await;
    assert_eq!(client.query(json!({})).await, Ok(vec![]));
    client.store(&note).await;
}
