//! Rule G4: what is written to a group, by whom, when, and referring to what.

use super::ground::{ADMIN, GROUP, Ground, MEMBER, STRANGER, found};
use std::time::Duration;
use trellis_relay::testing::json;

#[tokio::test]
async fn g4_members_alone_write_to_a_restricted_group_and_what_it_supports() {
    let ground = Ground::with_group("", ["restricted"], &[MEMBER]).await;
    ground.found("open", [], &[]).await;
    let mut client = ground.client(ADMIN).await;
    let members_only =
        "restricted: only members write to this group; ask to join it with kind 9021";
    let by_stranger = client
        .publish(&ground.message(STRANGER, GROUP, "hello"))
        .await;
    by_stranger.assert_refused(members_only);
    client.store(&ground.message(MEMBER, GROUP, "hello")).await;
    client
        .store(&ground.message(STRANGER, "open", "hello"))
        .await;
    // Every group that it names must take it, ours that is.
    let draft = |first: &str, second: &str| {
        let draft = ground.draft(STRANGER, 9, first).tag(["h", second]);
        draft.sign()
    };
    client
        .publish(&draft("open", GROUP))
        .await
        .assert_refused(members_only);
    client.store(&draft("open", "elsewhere")).await;
    let ephemeral = |by, kind| ground.draft(by, kind, GROUP).sign();
    let refused = client.publish(&ephemeral(STRANGER, 20_001)).await;
    refused.assert_refused(members_only);
    client.store(&ephemeral(MEMBER, 20_001)).await;

    let kinds = ground
        .draft(ADMIN, 9002, GROUP)
        .tag(["supported_kinds", "11"]);
    client.store(&kinds.sign()).await;
    let unsupported = client
        .publish(&ground.message(MEMBER, GROUP, "again"))
        .await;
    unsupported.assert_refused("blocked: kind 9 is not among the kinds that this group supports");
    client
        .store(&ground.draft(STRANGER, 11, GROUP).sign())
        .await;
    let none = ground.draft(ADMIN, 9002, GROUP).tag(["supported_kinds"]);
    client.store(&none.sign()).await;
    let none = client
        .publish(&ground.draft(MEMBER, 11, GROUP).content("x").sign())
        .await;
    none.assert_refused("blocked: kind 11 is not among the kinds that this group supports");
}

#[tokio::test]
async fn g4_an_id_that_is_too_long_is_no_groups() {
    let ground = Ground::with_group("", [], &[]).await;
    let mut client = ground.client(ADMIN).await;
    let long = "x".repeat(499);
    for number in 0..5 {
        let note = ground.draft(STRANGER, 1, &long);
        client
            .store(&note.content(&format!("note {number}")).sign())
            .await;
    }
    let unknown = "invalid: this relay runs no group of this id";
    for number in 0..5 {
        let words = format!("again {number}");
        let join = ground.draft(STRANGER, 9021, &long).content(&words).sign();
        client.publish(&join).await.assert_refused(unknown);
        let below = ground.draft(ADMIN, 9002, GROUP).content(&words);
        let below = below.tag(["parent", &long]).sign();
        client.publish(&below).await.assert_refused(unknown);
    }
    client.store(&ground.author(STRANGER).note("plain")).await;
}

#[tokio::test]
async fn g4_every_h_tag_that_has_a_value_counts() {
    let ground = Ground::with_group("", ["restricted"], &[MEMBER]).await;
    ground.found("secret", ["private"], &[MEMBER]).await;
    let draft = |by, group: &str| ground.author(by).draft(9).tag(["h"]).tag(["h", group]);
    let mut stranger = ground.client(STRANGER).await;
    let live = stranger
        .subscribe("live", [json!({"kinds": [9], "limit": 0})])
        .await;
    assert_eq!(live, Ok(vec![]));
    let refused = stranger.publish(&draft(STRANGER, GROUP).sign()).await;
    refused.assert_refused(
        "restricted: only members write to this group; ask to join it with kind 9021",
    );
    let mut member = ground.client(MEMBER).await;
    let secret = draft(MEMBER, "secret").sign();
    member.store(&secret).await;
    let by_id = json!({"ids": [secret.id().to_hex()]});
    assert_eq!(found(&mut stranger, by_id.clone()).await, Ok(0));
    assert_eq!(found(&mut member, by_id).await, Ok(1));
    // The next one is the first that comes.
    let open = ground.message(MEMBER, GROUP, "for all");
    member.store(&open).await;
    assert_eq!(stranger.next_event("live").await, open);
}

#[tokio::test]
async fn g4_an_event_is_for_few_groups() {
    let ground = Ground::start("max_new_groups_per_hour = 20").await;
    let mut client = ground.client(ADMIN).await;
    let ids: Vec<String> = (0..11).map(|number| format!("group{number}")).collect();
    for id in &ids {
        client.store(&ground.create(ADMIN, id)).await;
        ground.until_said(39000, id, |_| true).await;
    }
    let to = |ids: &[String]| {
        let draft = ground.author(ADMIN).draft(9);
        ids.iter()
            .fold(draft, |draft, id| draft.tag(["h", id]))
            .sign()
    };
    let refused = client.publish(&to(&ids)).await;
    refused.assert_refused("invalid: found 11 groups of this relay in h tags, wanted at most 10");
    client.store(&to(&ids[..10])).await;
}

#[tokio::test]
async fn g4_references_are_to_events_of_the_group() {
    let ground = Ground::with_group("timeline_events = 50\nmin_previous = 1", [], &[MEMBER]).await;
    let mut client = ground.client(MEMBER).await;
    let message = |words: &str, reference: &str| {
        let draft = ground.draft(MEMBER, 9, GROUP).content(words);
        draft.tag(["previous", reference]).sign()
    };
    let refused = client
        .publish(&ground.message(MEMBER, GROUP, "first"))
        .await;
    refused
        .assert_refused("invalid: previous: found 0 references to events of this group, wanted 1");
    let known = client
        .query(json!({"#h": [GROUP], "kinds": [9002]}))
        .await
        .unwrap();
    let first = message("first", &known[0].id().to_hex()[..8]);
    client.store(&first).await;
    let prefix = first.id().to_hex()[..8].to_owned();
    // Named by whoever heard of it a moment ago.
    client.store(&message("second", &prefix)).await;
    let unknown = client.publish(&message("third", "01234567")).await;
    unknown
        .assert_refused("invalid: previous: 01234567 is none of this group's last 50 events here");
    let wrong = client.publish(&message("fourth", "0123")).await;
    wrong.assert_refused(
        "invalid: previous: found \"0123\", wanted the first 8 hex digits of an event id",
    );
    // The relay has signed a few of those that are counted.
    let mut newer = 1;
    loop {
        let words = format!("filling {newer}");
        match client
            .publish(&message(&words, &prefix))
            .await
            .is_accepted()
        {
            true => newer += 1,
            false => break,
        }
    }
    assert!((40..=50).contains(&newer), "{newer}");
}

#[tokio::test]
async fn g4_what_comes_hours_late_is_refused() {
    let ground = Ground::with_group("late_publication_window = 600", [], &[MEMBER]).await;
    let mut client = ground.client(MEMBER).await;
    let message = |age_s: u64| {
        let draft = ground.draft(MEMBER, 9, GROUP);
        draft.ago(Duration::from_secs(age_s)).sign()
    };
    client.store(&message(600)).await;
    let late = client.publish(&message(601)).await;
    late.assert_refused(
        "invalid: late publication: this event is 601 seconds old, and groups here take what is at most 600 seconds old",
    );
    let elsewhere = ground
        .draft(MEMBER, 9, "elsewhere")
        .ago(Duration::from_secs(5000));
    client.store(&elsewhere.sign()).await;
}
