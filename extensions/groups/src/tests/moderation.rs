//! Rule G1: who may moderate what.

use super::ground::{ADMIN, GROUP, Ground, MEMBER, OPERATOR, STRANGER, found, key, put};
use trellis_relay::testing::{json, until};

/// A second member, with roles where a test gives them.
const MODERATOR: u64 = 4;

#[tokio::test]
async fn g1_put_user_replaces_the_roles_and_nobody_gives_what_they_do_not_have() {
    let roles = "creator_role = 'admin'\n\
                 roles.admin.rights = ['put-user', 'remove-user', 'edit-metadata', 'delete-event']\n\
                 roles.host.rights = ['put-user', 'remove-user']";
    let ground = Ground::with_group(roles, [], &[MEMBER, MODERATOR]).await;
    let mut client = ground.relay.connect().await;
    let by_moderator = |user, role| put(ground.draft(MODERATOR, 9000, GROUP), user, [role]);
    let refused = client.publish(&by_moderator(STRANGER, "guest")).await;
    let no_right =
        "restricted: put-user is not for you: none of your roles in this group allows it";
    refused.assert_refused(no_right);
    client.store(&ground.put(GROUP, MODERATOR, ["host"])).await;
    // A host adds users and gives words and its own rights, but none that it does not have.
    client.store(&by_moderator(STRANGER, "guest")).await;
    client.store(&by_moderator(MEMBER, "host")).await;
    let outranked = "restricted: you cannot give or take away rights that you do not have";
    client
        .publish(&by_moderator(MEMBER, "admin"))
        .await
        .assert_refused(outranked);
    client
        .publish(&by_moderator(ADMIN, "guest"))
        .await
        .assert_refused(outranked);
    let removed = client
        .publish(&ground.remove(MODERATOR, GROUP, ADMIN))
        .await;
    removed.assert_refused(outranked);
    // The set is replaced, not added to.
    client.store(&ground.put(GROUP, MODERATOR, ["guest"])).await;
    client
        .publish(&by_moderator(STRANGER, "friend"))
        .await
        .assert_refused(no_right);
    ground
        .until_said(39001, GROUP, |event| {
            let tags: Vec<_> = event.tags().skip(1).filter_map(|tag| tag.value()).collect();
            tags.len() == 2 && !tags.iter().any(|it| *it == key(MODERATOR))
        })
        .await;
}

#[tokio::test]
async fn g1_the_last_admin_stays() {
    let ground = Ground::with_group("", [], &[MEMBER]).await;
    let mut client = ground.client(ADMIN).await;
    let last = "restricted: this would leave the group without an admin; make somebody else one first, or delete the group";
    let leave = ground.draft(ADMIN, 9022, GROUP).sign();
    client.publish(&leave).await.assert_refused(last);
    client
        .publish(&ground.remove(ADMIN, GROUP, ADMIN))
        .await
        .assert_refused(last);
    client
        .publish(&ground.put(GROUP, ADMIN, ["moderator"]))
        .await
        .assert_refused(last);
    client.store(&ground.put(GROUP, MEMBER, ["admin"])).await;
    // Both leave at the same time: one is left.
    let leaves = [ADMIN, MEMBER].map(|who| ground.remove(who, GROUP, who));
    for leave in &leaves {
        client.send_event(leave).await;
    }
    let first = client.verdict(&leaves[0]).await;
    let second = client.verdict(&leaves[1]).await;
    first.assert_accepted();
    second.assert_refused(last);
}

#[tokio::test]
async fn g1_of_two_that_create_a_group_at_the_same_time_one_does() {
    let ground = Ground::start("").await;
    let mut clients = [ground.relay.connect().await, ground.relay.connect().await];
    let events = [ADMIN, STRANGER].map(|who| ground.create(who, GROUP));
    let held = ground.relay.faults().hold_commits();
    for (client, event) in clients.iter_mut().zip(&events) {
        client.send_event(event).await;
    }
    held.until_one_waits().await;
    held.release();
    let mut accepted = 0;
    for (client, event) in clients.iter_mut().zip(&events) {
        accepted += usize::from(client.verdict(event).await.is_accepted());
    }
    assert_eq!(accepted, 1);
}

#[tokio::test]
async fn g1_a_deleted_event_is_gone_and_does_not_come_back() {
    let ground = Ground::with_group("", [], &[MEMBER]).await;
    ground.found("other", [], &[]).await;
    let mut client = ground.client(ADMIN).await;
    let spam = ground.message(MEMBER, GROUP, "spam");
    let elsewhere = ground.message(ADMIN, "other", "fine");
    let role = ground.put(GROUP, MEMBER, ["cook"]);
    for event in [&spam, &elsewhere, &role] {
        client.store(event).await;
    }
    let delete = |by, events: &[&trellis_relay::event::Event]| {
        let draft = ground.draft(by, 9005, GROUP);
        let ids = events.iter().map(|event| event.id().to_hex());
        ids.fold(draft, |draft, id| draft.tag(["e", &id])).sign()
    };
    let refused = client.publish(&delete(MEMBER, &[&spam])).await;
    assert!(
        refused
            .reason()
            .starts_with("restricted: delete-event is not for you")
    );
    let empty = client.publish(&delete(ADMIN, &[])).await;
    empty.assert_refused("invalid: delete-event needs 1 to 500 e tags");
    client
        .store(&delete(ADMIN, &[&spam, &elsewhere, &role]))
        .await;
    let id = |event: &trellis_relay::event::Event| json!({"ids": [event.id().to_hex()]});
    until("the event is gone", async || {
        found(&mut client, id(&spam)).await == Ok(0)
    })
    .await;
    let again = client.publish(&spam).await;
    again.assert_refused("blocked: a moderator has deleted this event from the group");
    // Of another group, and what the state follows from.
    assert_eq!(found(&mut client, id(&elsewhere)).await, Ok(1));
    assert_eq!(found(&mut client, id(&role)).await, Ok(1));
    // Nor do authors take back what the state follows from.
    client.store(&ground.author(ADMIN).deletion([&role])).await;
    assert_eq!(found(&mut client, id(&role)).await, Ok(1));
}

#[tokio::test]
async fn g3_metadata_is_edited_as_a_whole_and_groups_stand_below_groups() {
    let table = format!("admins = ['{}']", key(OPERATOR));
    let ground = Ground::with_group(&table, ["private"], &[]).await;
    ground.found("below", [], &[]).await;
    let mut client = ground.client(ADMIN).await;
    let edit = |by, group, tags: &[[&str; 2]]| {
        let draft = ground.draft(by, 9002, group);
        tags.iter().fold(draft, |draft, tag| draft.tag(*tag)).sign()
    };
    client
        .store(&edit(ADMIN, GROUP, &[["name", "Pizza"]]))
        .await;
    let is_public = |event: &trellis_relay::event::Event| {
        event.first_tag_value("private").is_none() && !event.tags_json().contains("private")
    };
    ground.until_said(39000, GROUP, is_public).await;

    let child = [["name", "below"], ["parent", GROUP]];
    client.store(&edit(ADMIN, "below", &child)).await;
    ground
        .until_said(39000, GROUP, |event| {
            event.first_tag_value("child").as_deref() == Some("below")
        })
        .await;
    ground
        .until_said(39000, "below", |event| {
            event.first_tag_value("parent").as_deref() == Some(GROUP)
        })
        .await;
    let cycle = "invalid: a group cannot be above itself";
    let own = client
        .publish(&edit(
            ADMIN,
            GROUP,
            &[["parent", GROUP], ["child", "below"]],
        ))
        .await;
    own.assert_refused(cycle);
    let around = client
        .publish(&edit(
            ADMIN,
            GROUP,
            &[["parent", "below"], ["child", "below"]],
        ))
        .await;
    around.assert_refused(cycle);
    let forgotten = client
        .publish(&edit(ADMIN, GROUP, &[["name", "Pasta"]]))
        .await;
    forgotten.assert_refused(
        "invalid: edit-metadata needs a child tag for each group below this one, and for no other",
    );
    let nowhere = client
        .publish(&edit(ADMIN, "below", &[["parent", "nowhere"]]))
        .await;
    nowhere.assert_refused("invalid: this relay runs no group of this id");
    client.store(&ground.create(STRANGER, "foreign")).await;
    let foreign = client
        .publish(&edit(STRANGER, "foreign", &[["parent", GROUP]]))
        .await;
    foreign.assert_refused("restricted: you are no admin of the parent");
    client
        .store(&edit(OPERATOR, "foreign", &[["parent", GROUP]]))
        .await;

    client.store(&ground.draft(ADMIN, 9008, GROUP).sign()).await;
    ground
        .until_said(39000, "below", |event| {
            event.first_tag_value("parent").is_none()
        })
        .await;
}
