//! An event store that was lost and comes back from the archive.

use super::ground::{ADMIN, Database, GROUP, hex, letter, message, store};
use std::sync::Arc;
use std::time::Duration;
use trellis_relay::store::{NoPolicy, Write};
use trellis_relay::testing::{START_S, json, until};

const BOB: u64 = 2;

#[tokio::test]
async fn m30_an_empty_relay_is_filled_and_deletions_hold() {
    let database = Database::new("").await;
    let first = database.relay().start().await;
    let alice = first.author(3);
    let mut client = first.connect_as(&alice).await;
    let deleted = letter(&alice, 446, BOB, "deleted").sign();
    let noise = letter(&alice, 446, BOB, "noise").sign();
    let wrap = letter(&first.author(50), 1059, BOB, "wrap").sign();
    let group: Vec<_> = (0..250).map(|number| message(&first, number)).collect();
    for event in group.iter().chain([&deleted, &noise, &wrap]) {
        // As many as a limit on messages lets pass are not enough for several pages.
        first.clock().advance(Duration::from_secs(2));
        client.store(event).await;
    }
    client.store(&alice.deletion([&deleted])).await;
    let kept: Vec<_> = group.iter().chain([&noise, &wrap]).collect();
    until("the archive", async || database.holds(&kept).await).await;
    let now_s = first.author(1).note("now").created_at();
    first.stop().await;

    let second = database.relay().starts_at_s(now_s).start().await;
    let mut bob = second.connect_as(&second.author(BOB)).await;
    let mut found = Vec::new();
    until("all that was there", async || {
        let own = json!({"kinds": [446, 1059], "#p": [hex(BOB)]});
        let in_group = json!({"kinds": [445], "#h": [GROUP], "limit": 500});
        // Closed with an error until all is back, and never a part.
        let (Ok(own), Ok(in_group)) = (bob.query(own).await, bob.query(in_group).await) else {
            return false;
        };
        found = own.into_iter().chain(in_group).collect();
        true
    })
    .await;
    let mut ids: Vec<_> = found.iter().map(|event| *event.id()).collect();
    let mut wanted: Vec<_> = kept.iter().map(|event| *event.id()).collect();
    ids.sort_unstable();
    wanted.sort_unstable();
    assert_eq!(ids, wanted);
    // What came back is not archived anew.
    assert!(database.holds(&kept).await);
}

#[tokio::test]
async fn m30_what_was_tampered_with_or_is_too_old_does_not_come_back() {
    let database = Database::new("message_archive_ttl_days = 2").await;
    let first = database.relay().start().await;
    let old = message(&first, 1);
    first.connect().await.store(&old).await;
    until("the archive", async || database.holds(&[&old]).await).await;
    first.clock().advance(Duration::from_secs(86_400 + 3_600));
    let (good, forged) = (message(&first, 2), message(&first, 3));
    let mut client = first.connect().await;
    client.store(&good).await;
    client.store(&forged).await;
    until("the archive", async || {
        database.holds(&[&old, &good, &forged]).await
    })
    .await;
    first.stop().await;
    database
        .sql("UPDATE archived_events SET event = replace(event, 'sealed 3', 'forged 3')")
        .await;

    let now_s = START_S + 2 * 86_400 + 1_800;
    let second = database.relay().starts_at_s(now_s).start().await;
    let mut reader = second.connect().await;
    let filter = json!({"kinds": [445], "#h": [GROUP]});
    until("what is sound", async || {
        reader.query(filter.clone()).await == Ok(vec![good.clone()])
    })
    .await;
    // The sweep takes what is too old.
    until("the archive", async || database.holds(&[&good]).await).await;
}

#[tokio::test]
async fn m30_while_messages_come_back_nobody_is_given_a_part_and_a_crash_loses_nothing() {
    let database = Database::new("").await;
    let first = database.relay().start().await;
    let event = message(&first, 1);
    first.connect().await.store(&event).await;
    until("the archive", async || database.holds(&[&event]).await).await;
    first.stop().await;
    database
        .sql("ALTER TABLE archived_events RENAME TO away")
        .await;

    let second = database.relay().start().await;
    let mut reader = second.connect().await;
    let filter = json!({"kinds": [445], "#h": [GROUP]});
    let closed = reader.query(filter.clone()).await.unwrap_err();
    assert!(closed.starts_with("error:"), "{closed}");
    let closed = reader.count(filter.clone()).await.unwrap_err();
    assert!(closed.starts_with("error:"), "{closed}");
    // Others are not in the way, and what comes meanwhile is taken.
    let note = second.author(7).note("public");
    reader.store(&note).await;
    let meanwhile = message(&second, 2);
    reader.store(&meanwhile).await;
    assert_eq!(reader.query(json!({"kinds": [1]})).await, Ok(vec![note]));

    let third = second.kill_and_restart().await;
    let mut reader = third.connect().await;
    assert!(
        reader.query(filter.clone()).await.is_err(),
        "still under way"
    );
    database
        .sql("ALTER TABLE away RENAME TO archived_events")
        .await;
    until("both", async || {
        reader.query(filter.clone()).await.map(|found| found.len()) == Ok(2)
    })
    .await;
    until("both in the archive", async || {
        database.holds(&[&event, &meanwhile]).await
    })
    .await;
}

#[tokio::test]
async fn m30_a_store_that_has_messages_is_left_as_it_is() {
    let database = Database::new("").await;
    let first = database.relay().start().await;
    let event = message(&first, 1);
    first.connect().await.store(&event).await;
    until("the archive", async || database.holds(&[&event]).await).await;

    // Another relay, whose store has messages already when the gateway comes to it.
    let own = message(&first, 2);
    let store = store();
    let put = [Write::Put(Arc::new(own.clone()))];
    store.commit(&put, &NoPolicy, START_S).unwrap();
    let second = database.relay().store(store).start().await;
    let filter = json!({"kinds": [445], "#h": [GROUP]});
    let mut reader = second.connect().await;
    assert_eq!(reader.query(filter.clone()).await, Ok(vec![own.clone()]));

    // And one that was found empty once is not filled again for having become so.
    let operator = second.author(ADMIN);
    let ban = json!([own.id().to_hex()]);
    let banned = second.manage(&operator, "banevent", ban).await;
    assert_eq!(banned, Ok(json!(true)));
    let second = second.restart().await;
    let mut reader = second.connect().await;
    assert_eq!(reader.query(filter).await, Ok(vec![]));
}
