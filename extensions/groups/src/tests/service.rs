//! Rule G5: who belongs, for other extensions. And what memory makes of commits that fail, and of another table.

use super::ground::{ADMIN, GROUP, Ground, MEMBER, STRANGER, found, key};
use crate::Groups;
use std::sync::{Arc, Mutex};
use trellis_relay::extension::GroupMembership;
use trellis_relay::extension::prelude::*;
use trellis_relay::testing::{Failure, Reply, TestRelay, json, until};

/// Refuses kind 7777 with what it is told of the author and the group.
struct Asker {
    groups: ServiceRef<dyn GroupMembership>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NoConfig {}

impl Extension for Asker {
    const NAME: &'static str = "asker";
    type Config = NoConfig;

    fn services(needs: &mut Needs) {
        needs.requires::<dyn GroupMembership>();
    }

    async fn build(_config: NoConfig, host: Host) -> Result<Self, BuildError> {
        let groups = host.service();
        Ok(Asker { groups })
    }

    fn register(&self, hooks: &mut Registrar<Self>) {
        hooks.admit(7777, |me, event, _viewer| {
            let groups = me.groups.get().ok_or("there is no such service")?;
            let id = event.content();
            let facts = groups
                .group(&id)?
                .map(|group| (group.members, group.is_private));
            let roles = groups.roles(&id, event.pubkey())?;
            Ok(Reason::blocked(format!("{facts:?} {roles:?}")).into())
        });
    }
}

#[tokio::test]
async fn g5_other_extensions_are_told_who_belongs() {
    let table = "[extensions.groups]\n[extensions.asker]\n";
    let relay = TestRelay::of::<Groups>().extension::<Asker>();
    let relay = relay.config(table).start().await;
    let ground = Ground { relay };
    ground.found(GROUP, ["private"], &[MEMBER]).await;
    let mut client = ground.relay.connect().await;
    for (who, group, said) in [
        (ADMIN, GROUP, "Some((2, true)) Some([\"admin\"])"),
        (MEMBER, GROUP, "Some((2, true)) Some([])"),
        (STRANGER, GROUP, "Some((2, true)) None"),
        (ADMIN, "nowhere", "None None"),
    ] {
        let question = ground.author(who).draft(7777).content(group).sign();
        let told = client.publish(&question).await;
        told.assert_refused(&format!("blocked: {said}"));
    }
    client.store(&ground.draft(ADMIN, 9008, GROUP).sign()).await;
    until("the group is gone", async || {
        let question = ground.author(ADMIN).draft(7777).content(GROUP).sign();
        client.publish(&question).await.reason() == "blocked: None None"
    })
    .await;
}

/// Remembers which messages were removed, in their order.
struct Recorder;

static REMOVED: Mutex<Vec<EventId>> = Mutex::new(Vec::new());

impl Extension for Recorder {
    const NAME: &'static str = "recorder";
    type Config = NoConfig;

    async fn build(_config: NoConfig, _host: Host) -> Result<Self, BuildError> {
        Ok(Recorder)
    }

    fn register(&self, hooks: &mut Registrar<Self>) {
        hooks.stored(9, StartAt::Beginning, async |_me: Arc<Self>, page| {
            let removed = page.iter().filter_map(|change| match change {
                Change::Removed { id, .. } => Some(*id),
                _ => None,
            });
            REMOVED.lock().unwrap().extend(removed);
            Ok(())
        });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn g1_what_one_group_has_deleted_does_not_wait_for_all_of_another() {
    const MANY: usize = 200;
    let table = "[extensions.groups]\n[extensions.recorder]\n";
    let relay = TestRelay::of::<Groups>().extension::<Recorder>();
    let relay = relay.config(table).start().await;
    let ground = Ground { relay };
    ground.found("many", [], &[]).await;
    ground.found("one", [], &[]).await;
    let mut client = ground.client(ADMIN).await;
    let message = |group, number: usize| {
        let event = ground.message(ADMIN, group, &format!("message {number}"));
        (*event.id(), event)
    };
    let (mut many, one) = (Vec::new(), message("one", 0));
    for number in 0..MANY {
        let (id, event) = message("many", number);
        client.store(&event).await;
        many.push(id);
    }
    client.store(&one.1).await;
    let delete = |group, ids: &[EventId]| {
        let draft = ground.draft(ADMIN, 9005, group);
        let ids = ids.iter().map(EventId::to_hex);
        ids.fold(draft, |draft, id| draft.tag(["e", &id])).sign()
    };
    let deletions = [delete("many", &many), delete("one", &[one.0])];
    // Nothing is removed before both are stored.
    let faults = ground.relay.faults();
    faults.fail_queries(usize::MAX, Failure::Unavailable);
    for deletion in &deletions {
        client.store(deletion).await;
    }
    faults.heal();
    until("everything is gone", async || {
        REMOVED.lock().unwrap().len() == MANY + 1
    })
    .await;
    let removed = REMOVED.lock().unwrap();
    let place = removed.iter().position(|id| *id == one.0).unwrap();
    assert!(place < MANY, "the last of all");
}

#[tokio::test(flavor = "multi_thread")]
async fn g4_a_removal_that_was_not_stored_takes_nothing_away() {
    let ground = Ground::with_group("", ["private"], &[MEMBER]).await;
    let mut member = ground.client(MEMBER).await;
    let mut admin = ground.client(ADMIN).await;
    // All of them: the relay may have something to say of the group still.
    let faults = ground.relay.faults();
    faults.fail_commits(usize::MAX, Failure::Full);
    let removal = ground.remove(ADMIN, GROUP, MEMBER);
    assert!(!admin.publish(&removal).await.is_accepted());
    faults.heal();
    admin.store(&ground.message(ADMIN, GROUP, "hello")).await;
    until("the member sees messages", async || {
        found(&mut member, json!({"kinds": [9], "#h": [GROUP]})).await == Ok(1)
    })
    .await;
}

#[tokio::test]
async fn g1_who_was_added_a_moment_ago_may_write_and_who_was_removed_may_not() {
    let ground = Ground::with_group("", ["restricted"], &[]).await;
    let mut client = ground.client(ADMIN).await;
    for number in 0..10 {
        let (role, words) = (format!("r{number}"), format!("hello {number}"));
        let put = ground.draft(ADMIN, 9000, GROUP);
        client
            .store(&put.tag(["p", &key(STRANGER), &role]).sign())
            .await;
        client.store(&ground.message(STRANGER, GROUP, &words)).await;
        let remove = ground.draft(ADMIN, 9001, GROUP).content(&words);
        client
            .store(&remove.tag(["p", &key(STRANGER)]).sign())
            .await;
        let words = format!("still here {number}");
        let refused = client
            .publish(&ground.message(STRANGER, GROUP, &words))
            .await;
        refused.assert_refused("blocked: you were removed from this group");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn g1_another_table_is_in_force_at_once_and_forgets_nobody() {
    let mut ground = Ground::with_group("", ["private"], &[MEMBER]).await;
    let mut member = ground.client(MEMBER).await;
    let filter = json!({"kinds": [9], "#h": [GROUP]});
    member.subscribe("chat", [filter]).await.unwrap();
    let table = "[extensions.groups]\nroles.admin.rights = ['put-user']\nroles.admin.description = 'adds users'";
    ground.relay.reconfigure(table).await.unwrap();
    let mut admin = ground.client(ADMIN).await;
    let message = ground.message(ADMIN, GROUP, "hello");
    admin.store(&message).await;
    assert_eq!(member.next_event("chat").await, message);
    let refused = admin.publish(&ground.remove(ADMIN, GROUP, MEMBER)).await;
    assert!(
        refused
            .reason()
            .starts_with("restricted: remove-user is not for you")
    );
    ground
        .until_said(39003, GROUP, |event| {
            event.tags_json().contains("adds users")
        })
        .await;
    let is_closed = |reply: &Reply| matches!(reply, Reply::Closed(..));
    assert!(!member.unread().any(is_closed));
}
