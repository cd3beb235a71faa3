//! Rule G2: how people come into a group and out of it.

use super::ground::{ADMIN, GROUP, Ground, MEMBER, STRANGER, found, key};
use std::time::Duration;
use trellis_relay::testing::{Reply, json, until};

#[tokio::test]
async fn g2_who_joins_an_open_group_is_answered_by_the_relay() {
    let ground = Ground::with_group("", ["restricted"], &[]).await;
    let mut client = ground.client(STRANGER).await;
    let join = ground.join(STRANGER, GROUP);
    client.store(&join).await;
    until("the relay's put-user", async || {
        let filter = json!({"kinds": [9000], "#p": [key(STRANGER)], "#h": [GROUP]});
        let found = client.query(filter).await.unwrap();
        found
            .first()
            .is_some_and(|event| event.tag_values(b'e').next() == Some(join.id().to_hex().into()))
    })
    .await;
    ground.until_members(GROUP, 2).await;
    client
        .store(&ground.message(STRANGER, GROUP, "hello"))
        .await;
    let again = ground.draft(STRANGER, 9021, GROUP).content("again").sign();
    let again = client.publish(&again).await;
    again.assert_refused("duplicate: you are a member of this group already");

    client
        .store(&ground.draft(STRANGER, 9022, GROUP).sign())
        .await;
    ground.until_members(GROUP, 1).await;
    let refused = client
        .publish(&ground.message(STRANGER, GROUP, "bye"))
        .await;
    refused.assert_refused(
        "restricted: only members write to this group; ask to join it with kind 9021",
    );
    let again = ground.draft(STRANGER, 9022, GROUP).content("again").sign();
    client
        .publish(&again)
        .await
        .assert_refused("invalid: you are no member of this group");
    // Who left of their own accord may come again.
    client
        .store(&ground.draft(STRANGER, 9021, GROUP).content("back").sign())
        .await;
    ground.until_members(GROUP, 2).await;
}

#[tokio::test]
async fn g2_a_closed_group_wants_an_invite_and_so_does_who_was_removed() {
    let ground = Ground::with_group("", ["closed"], &[MEMBER]).await;
    let mut client = ground.client(ADMIN).await;
    let join = |who, code: &str, words: &str| {
        let draft = ground.draft(who, 9021, GROUP).content(words);
        match code {
            "" => draft.sign(),
            code => draft.tag(["code", code]).sign(),
        }
    };
    let closed = client.publish(&join(STRANGER, "", "")).await;
    closed.assert_refused("restricted: this group is closed; ask one of its admins for an invite");
    let not_good = "restricted: this invite is not good, or not any more; ask an admin for another";
    client
        .publish(&join(STRANGER, "guess", ""))
        .await
        .assert_refused(not_good);
    let by_member = ground
        .draft(MEMBER, 9009, GROUP)
        .tag(["code", "mine"])
        .sign();
    let by_member = client.publish(&by_member).await;
    assert!(
        by_member
            .reason()
            .starts_with("restricted: create-invite is not for you")
    );
    let invite = ground
        .draft(ADMIN, 9009, GROUP)
        .tag(["code", "sesame"])
        .sign();
    client.store(&invite).await;
    client.store(&join(STRANGER, "sesame", "")).await;
    ground.until_members(GROUP, 3).await;

    // Removed, and in again by an invite alone; then the invite is deleted, and another one ends.
    client.store(&ground.remove(ADMIN, GROUP, STRANGER)).await;
    let banned = client
        .publish(&ground.message(STRANGER, GROUP, "but"))
        .await;
    banned.assert_refused("blocked: you were removed from this group");
    let removed = client.publish(&join(STRANGER, "", "please")).await;
    removed.assert_refused(
        "restricted: you were removed from this group; only an invite lets you in again",
    );
    let newer = ground.draft(ADMIN, 9009, GROUP).content("newer");
    let newer = newer.tag(["code", "sesame"]).sign();
    client.store(&newer).await;
    client.store(&join(STRANGER, "sesame", "again")).await;
    ground.until_members(GROUP, 3).await;
    let delete = ground
        .draft(ADMIN, 9005, GROUP)
        .tag(["e", &invite.id().to_hex()]);
    client.store(&delete.sign()).await;
    // Its author takes the other one back.
    let by_other = ground.author(MEMBER).deletion([&newer]);
    client.store(&by_other).await;
    client.store(&join(6, "sesame", "in time")).await;
    client.store(&ground.author(ADMIN).deletion([&newer])).await;
    let events = json!({"kinds": [9009], "#h": [GROUP]});
    until("the events of both are gone", async || {
        found(&mut client, events.clone()).await == Ok(0)
    })
    .await;
    client
        .publish(&join(5, "sesame", "late"))
        .await
        .assert_refused(not_good);
    let brief = ground.draft(ADMIN, 9009, GROUP).tag(["code", "brief"]);
    client
        .store(&brief.expires_in(Duration::from_secs(60)).sign())
        .await;
    ground.relay.clock().advance(Duration::from_secs(61));
    client
        .publish(&join(5, "brief", "later"))
        .await
        .assert_refused(not_good);
}

#[tokio::test(flavor = "multi_thread")]
async fn g2_who_asks_for_their_own_requests_is_not_closed() {
    let ground = Ground::with_group("", ["private"], &[]).await;
    let mut client = ground.client(STRANGER).await;
    let own = json!({"kinds": [9021, 9022], "#h": [GROUP], "authors": [key(STRANGER)]});
    let all = json!({"kinds": [9021], "#h": [GROUP]});
    for (sub, filter) in [("own", own), ("all", all)] {
        assert_eq!(client.subscribe(sub, [filter]).await, Ok(vec![]), "{sub}");
    }
    // Out and in again: both times what is open is looked at anew.
    let mut admin = ground.client(ADMIN).await;
    let join = ground.join(STRANGER, GROUP);
    client.store(&join).await;
    ground.until_members(GROUP, 2).await;
    admin.store(&ground.remove(ADMIN, GROUP, STRANGER)).await;
    let messages = json!({"kinds": [9], "#h": [GROUP]});
    until("they are out", async || {
        found(&mut client, messages.clone()).await.is_err()
    })
    .await;
    client.settle().await;
    let is_closed = |reply: &Reply| match reply {
        Reply::Closed(sub, _) => ["own", "all"].contains(&sub.as_str()),
        _ => false,
    };
    assert!(!client.unread().any(is_closed));
    for sub in ["own", "all"] {
        assert_eq!(client.next_event(sub).await, join);
    }
    let others = json!({"kinds": [9021], "#h": [GROUP], "authors": [key(ADMIN)]});
    assert_eq!(
        found(&mut client, others).await,
        Err("restricted: you are no member of this group".to_owned())
    );
}

#[tokio::test]
async fn g2_codes_and_requests_are_for_those_who_let_people_in() {
    let ground = Ground::with_group("", [], &[MEMBER]).await;
    let mut admin = ground.client(ADMIN).await;
    let invite = ground.draft(ADMIN, 9009, GROUP).tag(["code", "sesame"]);
    admin.store(&invite.sign()).await;
    let join = ground.draft(STRANGER, 9021, GROUP).tag(["code", "sesame"]);
    admin.store(&join.sign()).await;
    let invites = json!({"kinds": [9009], "#h": [GROUP]});
    let joins = json!({"kinds": [9021], "#h": [GROUP]});
    for (who, seen) in [(ADMIN, (1, 1)), (MEMBER, (0, 0)), (STRANGER, (0, 1))] {
        let mut client = ground.client(who).await;
        let invites = found(&mut client, invites.clone()).await.unwrap();
        let joins = found(&mut client, joins.clone()).await.unwrap();
        assert_eq!((invites, joins), seen, "{who}");
    }
}

#[tokio::test]
async fn g2_a_hidden_group_is_not_there_for_who_is_not_invited() {
    let ground = Ground::with_group("", ["hidden", "private"], &[]).await;
    let mut client = ground.client(STRANGER).await;
    let unknown = "invalid: this relay runs no group of this id";
    client
        .publish(&ground.join(STRANGER, GROUP))
        .await
        .assert_refused(unknown);
    client
        .publish(&ground.remove(STRANGER, GROUP, ADMIN))
        .await
        .assert_refused(unknown);
    for filter in [
        json!({"#d": [GROUP]}),
        json!({"#h": [GROUP]}),
        json!({"kinds": [39002], "#d": [GROUP]}),
    ] {
        assert_eq!(found(&mut client, filter).await, Ok(0));
    }
    let mut admin = ground.client(ADMIN).await;
    let invite = ground.draft(ADMIN, 9009, GROUP).tag(["code", "sesame"]);
    admin.store(&invite.sign()).await;
    let join = ground.draft(STRANGER, 9021, GROUP).tag(["code", "sesame"]);
    client.store(&join.sign()).await;
    ground.until_members(GROUP, 2).await;
    assert_eq!(
        found(&mut client, json!({"kinds": [39000], "#d": [GROUP]})).await,
        Ok(1)
    );
}
