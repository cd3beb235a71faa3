//! The archive follows the store: what is committed, what is deleted, and the same page twice.

use super::ground::{ADMIN, Database, GROUP, hex, letter, message};
use std::time::Duration;
use trellis_relay::testing::{Author, Failure, json, until};

const DAY: Duration = Duration::from_secs(86_400);
const BOB: u64 = 2;

#[tokio::test]
async fn m30_a_member_who_was_offline_for_a_week_catches_up() {
    let database = Database::new("").await;
    let relay = database.relay().start().await;
    let mut admin = relay.connect_as(&relay.author(ADMIN)).await;
    let founded = relay.author(ADMIN).draft(450).tag(["h", GROUP]);
    let founded = founded.tag(["seq", "1"]).tag(["op", "bootstrap"]);
    admin.store(&founded.tag(["p", &hex(BOB)]).sign()).await;
    admin.store(&message(&relay, 0)).await;
    let last_seen_s = message(&relay, 0).created_at();
    let mut missed = Vec::new();
    for day in 1..=7 {
        relay.clock().advance(DAY);
        let mut sender = relay.connect_as(&relay.author(ADMIN)).await;
        let author = relay.author(ADMIN);
        for event in [
            message(&relay, day),
            letter(&author, 446, BOB, &format!("noise {day}")).sign(),
            letter(&author, 1059, BOB, &format!("wrap {day}")).sign(),
        ] {
            sender.store(&event).await;
            missed.push(event);
        }
    }
    // By plain requests, in pieces from one time to another.
    let mut bob = relay.connect_as(&relay.author(BOB)).await;
    let mut found = Vec::new();
    for day in 0..7 {
        let since = last_seen_s + 1 + day * 86_400;
        let until = since + 86_399;
        let group = json!({"kinds": [445], "#h": [GROUP], "since": since, "until": until});
        let own = json!({"kinds": [446, 1059], "#p": [hex(BOB)], "since": since, "until": until});
        found.extend(bob.query(group).await.unwrap());
        found.extend(bob.query(own).await.unwrap());
    }
    let ids = |events: &[trellis_relay::event::Event]| {
        let mut ids: Vec<_> = events.iter().map(|event| *event.id()).collect();
        ids.sort_unstable();
        ids
    };
    assert_eq!(ids(&found), ids(&missed));
    // And all of it is in the archive as well, in the order in which it was committed.
    until("the archive", async || {
        database.archived().await.len() == 22
    })
    .await;
    let archived = database.archived().await;
    let order: Vec<_> = archived[1..].iter().map(|copy| copy.id).collect();
    assert_eq!(
        order,
        missed.iter().map(|event| *event.id()).collect::<Vec<_>>()
    );
    assert!(archived.is_sorted_by(|a, b| a.position < b.position));
}

#[tokio::test]
async fn m30_what_is_deleted_leaves_the_archive_and_what_makes_room_does_not() {
    let retention = "[[retention]]\nkinds = [446]\nmax_count = 2\n";
    let database = Database::new("").await;
    let relay = database.relay().config(retention).start().await;
    let (alice, bob) = (relay.author(3), relay.author(BOB));
    let mut client = relay.connect_as(&alice).await;
    let by_recipient = letter(&relay.author(50), 1059, BOB, "unread").sign();
    let by_author = letter(&alice, 446, BOB, "regretted").sign();
    let by_operator = letter(&alice, 446, BOB, "illegal").sign();
    let of_vanished = letter(&relay.author(4), 1059, 5, "gone").sign();
    let to_vanished = letter(&relay.author(51), 1059, 4, "also gone").sign();
    let expired = letter(&relay.author(52), 1059, BOB, "late")
        .expires_in(DAY)
        .sign();
    let group = message(&relay, 1);
    let all = [
        &by_recipient,
        &by_author,
        &by_operator,
        &of_vanished,
        &to_vanished,
        &expired,
        &group,
    ];
    for event in all {
        client.store(event).await;
    }
    until("the archive", async || database.holds(&all).await).await;

    let mut of_bob = relay.connect_as(&bob).await;
    of_bob.store(&bob.deletion([&by_recipient])).await;
    client.store(&alice.deletion([&by_author])).await;
    let ban = json!([by_operator.id().to_hex()]);
    let banned = relay.manage(&relay.author(ADMIN), "banevent", ban).await;
    assert_eq!(banned, Ok(json!(true)));
    let vanish = relay.author(4).draft(62).tag(["relay", "ALL_RELAYS"]);
    client.store(&vanish.sign()).await;
    relay.clock().advance(DAY + Duration::from_secs(60));
    until("what was deleted to be gone", async || {
        database.holds(&[&group]).await
    })
    .await;

    let alice = relay.author(3);
    let mut client = relay.connect_as(&alice).await;
    let mut kept = Vec::new();
    for number in 0..4 {
        relay.clock().advance(Duration::from_secs(1));
        let event = letter(&relay.author(3), 446, BOB, &format!("one of many {number}")).sign();
        client.store(&event).await;
        kept.push(event);
    }
    let archived: Vec<_> = kept.iter().chain([&group]).collect();
    until("the archive", async || database.holds(&archived).await).await;
    let mut of_bob = relay.connect_as(&relay.author(BOB)).await;
    until("the store to make room for two", async || {
        relay.clock().advance(Duration::from_secs(1));
        of_bob
            .query(json!({"kinds": [446]}))
            .await
            .map(|it| it.len())
            == Ok(2)
    })
    .await;
    assert!(
        database.holds(&archived).await,
        "{:?}",
        database.archived().await
    );
}

#[tokio::test]
async fn m30_a_deletion_or_vanish_reaches_a_copy_whose_event_made_room() {
    let retention = "[[retention]]\nkinds = [446, 1059]\nmax_age = \"1h\"\n";
    let database = Database::new("").await;
    let relay = database.relay().config(retention).start().await;
    let (alice, bob) = (relay.author(3), relay.author(BOB));
    let by_recipient = letter(&relay.author(50), 1059, BOB, "unread").sign();
    let by_author = letter(&alice, 446, BOB, "regretted").sign();
    let by_stranger = letter(&alice, 446, BOB, "not Bob's to delete").sign();
    let of_vanished = letter(&relay.author(4), 1059, 5, "gone").sign();
    let to_vanished = letter(&relay.author(51), 1059, 4, "also gone").sign();
    let noise_to_vanished = letter(&alice, 446, 4, "Alice's own").sign();
    let mut all = vec![
        &by_recipient,
        &by_author,
        &by_stranger,
        &of_vanished,
        &to_vanished,
        &noise_to_vanished,
    ];
    let mut client = relay.connect_as(&alice).await;
    for event in &all {
        client.store(event).await;
    }
    until("the archive", async || database.holds(&all).await).await;
    relay.clock().advance(Duration::from_secs(7_200));
    let newest = letter(&relay.author(3), 446, BOB, "the one that stays").sign();
    client.store(&newest).await;
    all.push(&newest);
    let mut of_bob = relay.connect_as(&bob).await;
    let to_bob = json!({"kinds": [446, 1059], "#p": [hex(BOB)]});
    until("the store to make room", async || {
        relay.clock().advance(Duration::from_secs(1));
        of_bob.query(to_bob.clone()).await == Ok(vec![newest.clone()])
    })
    .await;
    until("the archive", async || database.holds(&all).await).await;

    of_bob
        .store(&bob.deletion([&by_stranger, &by_recipient]))
        .await;
    client.store(&alice.deletion([&by_author])).await;
    let vanish = relay.author(4).draft(62).tag(["relay", "ALL_RELAYS"]);
    client.store(&vanish.sign()).await;
    until("what was deleted to be gone", async || {
        let left = [&by_stranger, &noise_to_vanished, &newest];
        database.holds(&left).await
    })
    .await;
}

#[tokio::test]
async fn m30_a_page_that_comes_again_changes_nothing() {
    let database = Database::new("").await;
    let relay = database.relay().start().await;
    // The store takes events and no cursor, so the page comes again after a crash.
    relay.faults().fail_cursors(Failure::Full);
    let mut client = relay.connect().await;
    let events: Vec<_> = (0..5).map(|number| message(&relay, number)).collect();
    for event in &events {
        // One that is in a batch with a cursor fails with it.
        until("a batch without a cursor", async || {
            client.publish(event).await.is_accepted()
        })
        .await;
    }
    let all: Vec<_> = events.iter().collect();
    until("the archive", async || database.holds(&all).await).await;
    let before = database.archived().await;
    // What is lost behind its back tells that the page came again, since it is back then.
    let lose =
        "DELETE FROM archived_events WHERE position = (SELECT max(position) FROM archived_events)";
    database.sql(lose).await;
    relay.clock().advance(DAY);
    let relay = relay.kill_and_restart().await;
    relay.faults().heal();
    let last = message(&relay, 9);
    relay.connect().await.store(&last).await;
    let all: Vec<_> = events.iter().chain([&last]).collect();
    until("the archive to go on", async || database.holds(&all).await).await;
    assert_eq!(database.archived().await[..4], before[..4]);
}

#[tokio::test]
async fn m30_a_database_that_is_away_delays_the_archive_and_loses_nothing() {
    let database = Database::new("").await;
    let relay = database.relay().start().await;
    database
        .sql("ALTER TABLE archived_events RENAME TO away")
        .await;
    let event = letter(&relay.author(3), 1059, BOB, "while it was away").sign();
    relay.connect().await.store(&event).await;
    let stage = [("stage", "archive")];
    until("a failure that is counted", async || {
        relay
            .metric("mls_gateway_errors_by_stage_total", &stage)
            .await
            >= 1.0
    })
    .await;
    database
        .sql("ALTER TABLE away RENAME TO archived_events")
        .await;
    until("the archive", async || database.holds(&[&event]).await).await;
}

#[tokio::test]
async fn m30_an_archive_that_is_off_takes_nothing_and_forgets_what_is_deleted() {
    let database = Database::new("enable_message_archive = false").await;
    let relay = database.relay().start().await;
    let alice = relay.author(3);
    let mut client = relay.connect_as(&alice).await;
    let old = letter(&alice, 446, BOB, "of an earlier time").sign();
    client.store(&old).await;
    let copy = crate::storage::Archived {
        position: 0,
        id: *old.id(),
        kind: 446,
        pubkey: *old.pubkey(),
        group_id: None,
        recipient: Some(Author::new(BOB).pubkey()),
        created_at_s: old.created_at(),
        archived_at_s: old.created_at(),
        json: String::from_utf8(old.json().to_vec()).unwrap(),
    };
    database.storage.archive(&[copy]).await.unwrap();
    client.store(&message(&relay, 1)).await;
    client.store(&alice.deletion([&old])).await;
    until("an empty archive", async || database.holds(&[]).await).await;
}
