//! Rule G4: what is written to a group, by whom, when, and referring to what.

use super::ground::{ADMIN, GROUP, Ground, MEMBER, STRANGER};
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
