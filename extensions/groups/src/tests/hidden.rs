//! Rule G4: of a hidden group nobody learns but its members, by what is answered nor by what is said of others.

use super::ground::{ADMIN, GROUP, Ground, MEMBER, STRANGER, found, key};
use crate::Groups;
use std::time::Duration;
use trellis_relay::event::Event;
use trellis_relay::testing::{TestRelay, json, until};

/// There is no group of this id.
const NOWHERE: &str = "nowhere";

/// What strangers may try, sent to a group; whether it is stored.
fn tries(ground: &Ground, group: &str) -> Vec<(Event, bool)> {
    let draft = |kind| ground.draft(STRANGER, kind, group);
    let day = Duration::from_secs(86_400);
    vec![
        (draft(9).content("is there anybody?").sign(), true),
        (draft(9).ago(day).sign(), true),
        (draft(9).tag(["previous", "01234567"]).sign(), true),
        (draft(31_000).tag(["d", group]).sign(), true),
        (draft(20_001).sign(), false),
        (draft(9021).sign(), false),
        (draft(9021).tag(["code", "guess"]).sign(), false),
        (draft(9022).sign(), false),
        (draft(9000).tag(["p", &key(STRANGER)]).sign(), false),
        (draft(9006).sign(), false),
        (draft(9008).sign(), false),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn g4_a_hidden_group_answers_strangers_as_if_it_were_not_there() {
    let relay = TestRelay::of::<Groups>().config("[extensions.groups]\n");
    let relay = relay.lmdb().start().await;
    let mut ground = Ground { relay };
    let flags = ["hidden", "private", "restricted", "closed"];
    ground.found(GROUP, flags, &[MEMBER]).await;
    ground
        .relay
        .connect()
        .await
        .store(&ground.message(MEMBER, GROUP, "secret"))
        .await;
    let mut stranger = ground.client(STRANGER).await;
    let ephemeral = json!({"kinds": [20_001]});
    stranger.subscribe("ephemeral", [ephemeral]).await.unwrap();
    let mut strays = Vec::new();
    let (hidden, nowhere) = (tries(&ground, GROUP), tries(&ground, NOWHERE));
    for ((hidden, is_stored), (nowhere, _)) in hidden.into_iter().zip(nowhere) {
        let verdicts = [
            stranger.publish(&hidden).await,
            stranger.publish(&nowhere).await,
        ];
        let [one, other] = &verdicts;
        let answers = [one, other].map(|it| (it.is_accepted(), it.reason().to_owned()));
        assert_eq!(answers[0], answers[1], "{hidden:?}");
        match hidden.kind() {
            20_001 => {
                assert_eq!(stranger.next_event("ephemeral").await, hidden);
                assert_eq!(stranger.next_event("ephemeral").await, nowhere);
            }
            _ => assert_eq!(one.is_accepted(), is_stored),
        }
        if is_stored {
            strays.push(hidden);
        }
    }
    for is_again in [false, true] {
        for stray in &strays {
            let filter = json!({"ids": [stray.id().to_hex()]});
            let mut nobody = ground.relay.connect().await;
            let mut stranger = ground.client(STRANGER).await;
            let mut member = ground.client(MEMBER).await;
            let seen = [
                found(&mut nobody, filter.clone()).await,
                found(&mut stranger, filter.clone()).await,
                found(&mut member, filter).await,
            ];
            // It is public and not the group's.
            assert_eq!(seen, [Ok(1), Ok(1), Ok(0)], "{is_again} {stray:?}");
        }
        let mut stranger = ground.client(STRANGER).await;
        let messages = json!({"kinds": [9], "#h": [GROUP], "authors": [key(MEMBER)]});
        assert_eq!(found(&mut stranger, messages).await, Ok(0));
        if !is_again {
            ground.relay = ground.relay.restart().await;
        }
    }
    // What a member writes stays the group's when the member goes, and who was a member is told so.
    let mut admin = ground.client(ADMIN).await;
    admin.store(&ground.remove(ADMIN, GROUP, MEMBER)).await;
    let refused = admin.publish(&ground.message(MEMBER, GROUP, "but")).await;
    refused.assert_refused("blocked: you were removed from this group");
    let mut nobody = ground.relay.connect().await;
    let messages = json!({"kinds": [9], "authors": [key(MEMBER)]});
    assert_eq!(found(&mut nobody, messages.clone()).await, Ok(0));
    assert_eq!(found(&mut admin, messages).await, Ok(1));
}

#[tokio::test]
async fn g4_strangers_send_no_more_to_hidden_groups_than_is_remembered() {
    let relay = TestRelay::of::<Groups>().config("[extensions.groups]\nmax_strays = 100");
    let relay = relay.lmdb().start().await;
    let mut ground = Ground { relay };
    ground.found(GROUP, ["hidden"], &[]).await;
    ground.found("open", [], &[]).await;
    let mut client = ground.client(STRANGER).await;
    let words = |number: usize| format!("message {number}");
    let strays: Vec<Event> = (0..100)
        .map(|number| ground.message(STRANGER, GROUP, &words(number)))
        .collect();
    for stray in &strays {
        client.store(stray).await;
    }
    let refused = client
        .publish(&ground.message(STRANGER, GROUP, "more"))
        .await;
    refused.assert_refused(
        "rate-limited: there are too many events of this kind here; try again later",
    );
    client
        .store(&ground.message(STRANGER, "open", "more"))
        .await;
    client.store(&ground.message(ADMIN, GROUP, "mine")).await;
    // What its author deletes is forgotten when the relay starts.
    let author = ground.author(STRANGER);
    client.store(&author.deletion(&strays)).await;
    ground.relay = ground.relay.restart().await;
    let mut client = ground.client(STRANGER).await;
    let mut number = 100;
    until("there is room for more", async || {
        number += 1;
        let more = ground.message(STRANGER, GROUP, &words(number));
        client.publish(&more).await.is_accepted()
    })
    .await;
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
