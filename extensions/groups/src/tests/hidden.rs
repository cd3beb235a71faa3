//! Rule G4: a hidden group answers strangers' requests as if it were not there, and is named by no other; what they write to
//! it is judged as for any group.

use super::ground::{ADMIN, GROUP, Ground, MEMBER, STRANGER, found, key};
use std::time::Duration;
use trellis_relay::event::Event;
use trellis_relay::testing::{json, until};

/// There is no group of this id.
const NOWHERE: &str = "nowhere";
/// Of a group that is for its members alone.
const HIDDEN: [&str; 4] = ["hidden", "private", "restricted", "closed"];

/// What strangers may ask of a group, none of which is granted.
fn tries(ground: &Ground, group: &str) -> Vec<Event> {
    let draft = |kind| ground.draft(STRANGER, kind, group);
    let day = Duration::from_secs(86_400);
    let others = (0..10).map(|number| format!("other{number}"));
    vec![
        draft(9021).sign(),
        draft(9021).tag(["code", "guess"]).sign(),
        draft(9021).ago(day).sign(),
        others
            .fold(draft(9021), |draft, id| draft.tag(["h", &id]))
            .sign(),
        draft(9022).sign(),
        draft(9000).tag(["p", &key(STRANGER)]).sign(),
        draft(9002).tag(["parent", group]).sign(),
        draft(9006).sign(),
        draft(9008).sign(),
        draft(39_000).tag(["d", group]).sign(),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn g4_a_hidden_group_answers_strangers_as_if_it_were_not_there() {
    let ground = Ground::with_group("max_new_groups_per_hour = 20", HIDDEN, &[MEMBER]).await;
    for number in 0..10 {
        ground.found(&format!("other{number}"), HIDDEN, &[]).await;
    }
    let mut member = ground.client(MEMBER).await;
    member.store(&ground.message(MEMBER, GROUP, "secret")).await;
    let mut stranger = ground.client(STRANGER).await;
    let (hidden, nowhere) = (tries(&ground, GROUP), tries(&ground, NOWHERE));
    for (hidden, nowhere) in hidden.into_iter().zip(nowhere) {
        let one = stranger.publish(&hidden).await;
        let other = stranger.publish(&nowhere).await;
        assert!(!one.is_accepted(), "{hidden:?}");
        assert_eq!(one.reason(), other.reason(), "{hidden:?}");
    }
    for filter in [
        json!({"#h": [GROUP]}),
        json!({"#d": [GROUP]}),
        json!({"kinds": [39_000, 39_001, 39_002, 39_003, 39_005], "#d": [GROUP]}),
        json!({"authors": [key(ADMIN), key(MEMBER)]}),
    ] {
        assert_eq!(
            found(&mut stranger, filter.clone()).await,
            Ok(0),
            "{filter}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn g4_what_strangers_send_to_a_hidden_group_is_not_stored_beside_it() {
    let ground = Ground::with_group("", HIDDEN, &[MEMBER]).await;
    let mut nobody = ground.relay.connect().await;
    let live = json!({"kinds": [9, 20_001]});
    nobody.subscribe("live", [live]).await.unwrap();
    let members_only =
        "restricted: only members write to this group; ask to join it with kind 9021";
    let mut client = ground.client(STRANGER).await;
    for kind in [9, 20_001] {
        let sent = ground.draft(STRANGER, kind, GROUP).sign();
        client.publish(&sent).await.assert_refused(members_only);
    }
    // What a moderator has deleted does not come back when its author has left, nor do they learn of the group otherwise.
    let deleted = ground.message(MEMBER, GROUP, "to be deleted");
    client.store(&deleted).await;
    let deletion = ground.draft(ADMIN, 9005, GROUP);
    client
        .store(&deletion.tag(["e", &deleted.id().to_hex()]).sign())
        .await;
    client
        .store(&ground.draft(MEMBER, 9022, GROUP).sign())
        .await;
    ground.until_members(GROUP, 1).await;
    let mut admin = ground.client(ADMIN).await;
    let by_id = json!({"ids": [deleted.id().to_hex()]});
    until("the message is gone", async || {
        found(&mut admin, by_id.clone()).await == Ok(0)
    })
    .await;
    client.publish(&deleted).await.assert_refused(members_only);
    let by_who_left = ground.draft(MEMBER, 20_001, GROUP).sign();
    client
        .publish(&by_who_left)
        .await
        .assert_refused(members_only);
    assert_eq!(found(&mut admin, by_id).await, Ok(0));
    // The next one is the first that comes.
    let open = ground.message(STRANGER, NOWHERE, "for all");
    client.store(&open).await;
    assert_eq!(nobody.next_event("live").await, open);
}

#[tokio::test(flavor = "multi_thread")]
async fn g4_a_hidden_group_that_is_not_restricted_takes_what_strangers_write() {
    let ground = Ground::with_group("", ["hidden"], &[MEMBER]).await;
    ground
        .found("private", ["hidden", "private"], &[MEMBER])
        .await;
    let mut stranger = ground.client(STRANGER).await;
    for (group, seen) in [(GROUP, [1, 1]), ("private", [0, 1])] {
        let message = ground.message(STRANGER, group, "is there anybody?");
        stranger.store(&message).await;
        let filter = json!({"ids": [message.id().to_hex()]});
        let mut member = ground.client(MEMBER).await;
        let found = [
            found(&mut stranger, filter.clone()).await,
            found(&mut member, filter).await,
        ];
        assert_eq!(found, seen.map(Ok), "{group}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn g4_a_group_that_becomes_hidden_is_named_by_no_other_from_then_on() {
    let ground = Ground::with_group("", [], &[]).await;
    ground.found("below", [], &[]).await;
    let mut admin = ground.client(ADMIN).await;
    let below = |words: &str| {
        let draft = ground.draft(ADMIN, 9002, "below").content(words);
        draft.tag(["parent", GROUP])
    };
    admin.store(&below("first").sign()).await;
    let names_child = |event: &Event| {
        let mut tags = event.tags();
        tags.any(|tag| tag.name() == "child" && tag.value().as_deref() == Some("below"))
    };
    ground.until_said(39_000, GROUP, names_child).await;
    let ordered = ground.draft(ADMIN, 9002, GROUP).tag(["child", "below"]);
    admin.store(&ordered.sign()).await;
    let mut stranger = ground.client(STRANGER).await;
    let about = json!({"kinds": [9002, 39_000]});
    let names = |events: &[Event]| {
        events
            .iter()
            .any(|event| event.tags_json().contains("below"))
    };
    let told = stranger.query(about.clone()).await.unwrap();
    assert!(names(&told));

    admin.store(&below("second").tag(["hidden"]).sign()).await;
    // At once, and for good.
    for _ in 0..20 {
        let told = stranger.query(about.clone()).await.unwrap();
        assert!(!names(&told), "{told:?}");
    }
    ground
        .until_said(39_000, GROUP, |event| !names_child(event))
        .await;
    let of_group = json!({"kinds": [39_000], "#d": [GROUP]});
    until("the group is shown again", async || {
        stranger
            .query(of_group.clone())
            .await
            .is_ok_and(|told| told.len() == 1)
    })
    .await;
    let told = admin
        .query(json!({"kinds": [9002], "#h": [GROUP]}))
        .await
        .unwrap();
    assert!(names(&told), "its members see what was said");

    admin.store(&below("third").sign()).await;
    ground.until_said(39_000, GROUP, names_child).await;
}
