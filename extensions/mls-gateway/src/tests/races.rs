//! Rosters that many want to change at once.

use super::ground::{ADMIN, GROUP, Ground, prefix};
use futures_util::future::join_all;
use std::time::Duration;
use trellis_relay::testing::{Failure, json, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn m16_of_fifty_writers_of_one_sequence_exactly_one_wins() {
    let ground = Ground::start("rate_limits.max_events_per_minute = 1000").await;
    ground.found(GROUP, &[]).await;
    let second = ground
        .second("rate_limits.max_events_per_minute = 1000")
        .await;
    let writers = (0..50).map(async |number| {
        let relay = if number % 2 == 0 {
            &ground.relay
        } else {
            &second
        };
        let mut writer = relay.connect_as(&ground.author(ADMIN)).await;
        let event = ground.roster(ADMIN, GROUP, 2, "add", &[100 + number]);
        writer.publish(&event).await
    });
    let verdicts = join_all(writers).await;
    let (won, lost): (Vec<_>, Vec<_>) = verdicts.iter().partition(|it| it.is_accepted());
    assert_eq!(won.len(), 1);
    for verdict in lost {
        verdict.assert_refused("invalid: stale sequence");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn m15_of_many_founders_exactly_one_founds() {
    let ground = Ground::start("allow_open_bootstrap = true").await;
    let founders = (10..20).map(async |number| {
        let mut founder = ground.client(number).await;
        let event = ground.roster(number, GROUP, number, "bootstrap", &[]);
        (number, founder.publish(&event).await)
    });
    let verdicts = join_all(founders).await;
    let won: Vec<u64> = verdicts
        .iter()
        .filter(|it| it.1.is_accepted())
        .map(|it| it.0)
        .collect();
    assert_eq!(won.len(), 1);
    for (_, verdict) in verdicts.iter().filter(|it| !it.1.is_accepted()) {
        assert_eq!(prefix(verdict.reason()), "invalid");
    }
    let mut winner = ground.client(won[0]).await;
    winner
        .store(&ground.roster(won[0], GROUP, 100, "add", &[3]))
        .await;
}

#[tokio::test]
async fn m16_a_retry_completes_what_a_crash_left_half_done() {
    let ground = Ground::start("").await;
    let event = ground.roster(ADMIN, GROUP, 1, "bootstrap", &[2]);
    let mut admin = ground.client(ADMIN).await;
    ground.relay.faults().fail_commits(1, Failure::Full);
    let failed = admin.publish(&event).await;
    assert!(!failed.is_accepted(), "the store was full");
    let other = ground.roster(ADMIN, GROUP, 1, "bootstrap", &[3]);
    admin
        .publish(&other)
        .await
        .assert_refused("invalid: stale sequence");
    admin.store(&event).await;
    let again = admin.publish(&event).await;
    again.assert_accepted();
    assert_eq!(prefix(again.reason()), "duplicate");
    let mut member = ground.client(2).await;
    let read = member.query(json!({"kinds": [450]})).await;
    assert_eq!(read, Ok(vec![event]));
}

#[tokio::test]
async fn m16_a_retry_completes_an_event_that_is_not_the_last_any_more() {
    let ground = Ground::start("").await;
    ground.found(GROUP, &[2]).await;
    let mut admin = ground.client(ADMIN).await;
    let [earlier, later] =
        [(2, 3), (3, 4)].map(|(seq, whom)| ground.roster(ADMIN, GROUP, seq, "add", &[whom]));
    ground.relay.faults().fail_commits(1, Failure::Full);
    assert!(!admin.publish(&earlier).await.is_accepted());
    admin.store(&later).await;
    admin.store(&earlier).await;
    let stored = admin.query(json!({"kinds": [450]})).await.unwrap();
    assert_eq!(stored.len(), 3);
}

#[tokio::test]
async fn m16_a_roster_is_as_before_where_its_event_was_not_stored() {
    let ground = Ground::start("").await;
    ground.found(GROUP, &[2]).await;
    let members = async || ground.number("SELECT count(*) FROM members").await;
    let mut admin = ground.client(ADMIN).await;
    let event = ground.roster(ADMIN, GROUP, 2, "add", &[3]);
    ground.relay.faults().fail_commits(1, Failure::Full);
    assert!(!admin.publish(&event).await.is_accepted());
    assert_eq!(members().await, Some(3), "until it is known");
    ground.relay.clock().advance(Duration::from_secs(31));
    until("it is undone", async || members().await == Some(2)).await;
    let mut admin = ground.client(ADMIN).await;
    admin.store(&event).await;
    assert_eq!(members().await, Some(3), "it came again");
    ground.relay.clock().advance(Duration::from_secs(31));
    let next = ground.roster(ADMIN, GROUP, 3, "add", &[4]);
    let mut admin = ground.client(ADMIN).await;
    admin.store(&next).await;
    assert_eq!(members().await, Some(4), "what is stored stays");
}

#[tokio::test]
async fn m16_what_was_undone_is_not_stored_when_it_comes_late() {
    let ground = Ground::start("").await;
    ground.found(GROUP, &[2]).await;
    let mut admin = ground.client(ADMIN).await;
    let event = ground.roster(ADMIN, GROUP, 2, "add", &[3]);
    let held = ground.relay.faults().hold_commits();
    admin.send_event(&event).await;
    held.until_one_waits().await;
    ground.relay.clock().advance(Duration::from_secs(31));
    until("it is undone", async || {
        ground.number("SELECT count(*) FROM members").await == Some(2)
    })
    .await;
    held.release();
    let verdict = admin.verdict(&event).await;
    verdict.assert_refused("error: this took too long; send it again");
    let mut admin = ground.client(ADMIN).await;
    admin.store(&event).await;
}
