//! Rules G1, G3 and G4: what rows say that memory has forgotten, and what becomes of rows that cannot be read.

use super::ground::{ADMIN, GROUP, Ground, MEMBER, STRANGER, found, key};
use crate::Groups;
use crate::state::{self, GROUP as GROUP_ROW, REQUEST, STAFF};
use std::sync::Arc;
use trellis_relay::extension::prelude::*;
use trellis_relay::store::{Store, memory::MemoryStore};
use trellis_relay::testing::{Author, TestRelay, json, until};

#[tokio::test(flavor = "multi_thread")]
async fn g1_a_deleted_group_that_memory_has_forgotten_is_no_less_gone() {
    let relay = TestRelay::of::<Groups>().config("[extensions.groups]\nmax_groups = 1");
    let relay = relay.lmdb().start().await;
    let mut ground = Ground { relay };
    let mut ends = Vec::new();
    for group in ["first", "second", "third"] {
        ground.found(group, ["private"], &[MEMBER]).await;
        let end = ground.draft(ADMIN, 9008, group).sign();
        let mut admin = ground.client(ADMIN).await;
        admin.store(&end).await;
        ends.push(end);
        until("everything is gone", async || {
            let sent = found(&mut admin, json!({"#h": [group]})).await;
            let said = found(&mut admin, json!({"#d": [group]})).await;
            (sent, said) == (Ok(1), Ok(0))
        })
        .await;
    }
    for is_again in [false, true] {
        let mut admin = ground.client(ADMIN).await;
        for (group, end) in ["first", "second", "third"].into_iter().zip(&ends) {
            let draft = |kind| {
                ground
                    .draft(MEMBER, kind, group)
                    .content(&is_again.to_string())
            };
            for kind in [9, 20_001, 9021] {
                let refused = admin.publish(&draft(kind).sign()).await;
                refused.assert_refused("blocked: this group was deleted by its admins");
            }
            // It is its author's, and stays.
            let deletion = ground.author(ADMIN).deletion([end]);
            if !is_again {
                admin.store(&deletion).await;
            }
            let by_id = json!({"ids": [end.id().to_hex()]});
            let mut stranger = ground.client(STRANGER).await;
            assert_eq!(found(&mut stranger, by_id.clone()).await, Ok(0), "{group}");
            assert_eq!(found(&mut admin, by_id).await, Ok(1), "{group}");
            let again = ground.draft(ADMIN, 9007, group).tag(["name", "again"]);
            let again = admin.publish(&again.sign()).await;
            again.assert_refused(
                "blocked: a group of this id was deleted, and it is not used again",
            );
        }
        // What is sent to an id that was never a group's passes.
        let elsewhere = ground.draft(MEMBER, 20_001, "elsewhere");
        admin
            .store(&elsewhere.content(&is_again.to_string()).sign())
            .await;
        if !is_again {
            ground.relay = ground.relay.restart().await;
        }
    }
}

/// Writes among the rows of groups what nobody can read.
struct Spoiler;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NoConfig {}

impl Extension for Spoiler {
    const NAME: &'static str = "groups";
    type Config = NoConfig;

    async fn build(_config: NoConfig, host: Host) -> Result<Self, BuildError> {
        let user = Author::new(STRANGER).pubkey();
        for (row, value) in [
            (state::key(GROUP_ROW, "spoilt", &[]), &b"{"[..]),
            (state::key(STAFF, "half", &[]), b"[]"),
            (state::key(REQUEST, GROUP, user.as_bytes()), b""),
            (state::key(REQUEST, GROUP, b"nobody"), b""),
        ] {
            host.kv_put(&row, Some(value.to_vec())).await?;
        }
        Ok(Spoiler)
    }

    fn register(&self, _hooks: &mut Registrar<Self>) {}
}

#[tokio::test(flavor = "multi_thread")]
async fn g3_rows_that_cannot_be_read_stop_nothing_else() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::default());
    let table = "[extensions.groups]\n";
    let groups = || {
        let setup = TestRelay::of::<Groups>().config(table);
        setup.store(store.clone()).start()
    };
    let ground = Ground {
        relay: groups().await,
    };
    for group in [GROUP, "half", "spoilt"] {
        ground.found(group, ["private"], &[MEMBER]).await;
        let mut member = ground.client(MEMBER).await;
        member.store(&ground.message(MEMBER, group, "secret")).await;
    }
    ground.relay.stop().await;
    let spoiler = TestRelay::of::<Spoiler>().config(table);
    spoiler.store(store.clone()).start().await.stop().await;

    let ground = Ground {
        relay: groups().await,
    };
    let mut stranger = ground.client(STRANGER).await;
    let messages = json!({"kinds": [9], "authors": [key(MEMBER)]});
    assert_eq!(found(&mut stranger, messages.clone()).await, Ok(0));
    let mut member = ground.client(MEMBER).await;
    assert_eq!(found(&mut member, messages).await, Ok(3));
    // Nobody writes to a group of which the relay does not know what it is, and its events stay what they were.
    for number in 0..20 {
        let words = format!("hello {number}");
        let message = ground.message(STRANGER, "spoilt", &words);
        stranger.publish(&message).await.assert_refused(
            "error: what this relay keeps of the group cannot be read; its operator is told",
        );
    }
    let ephemeral = ground.draft(STRANGER, 20_001, "spoilt").sign();
    assert!(!stranger.publish(&ephemeral).await.is_accepted());
    // A request comes behind a row that is none.
    stranger.store(&ground.join(STRANGER, GROUP)).await;
    until("the relay's put-user", async || {
        let filter = json!({"kinds": [9000], "#p": [key(STRANGER)], "#h": [GROUP]});
        found(&mut stranger, filter).await == Ok(1)
    })
    .await;
    // Of groups that come before and after in turn nothing wrong is said.
    let mut said =
        async |group| found(&mut member, json!({"kinds": [39_001], "#d": [group]})).await;
    until("what the relay says", async || said(GROUP).await == Ok(1)).await;
    assert_eq!(said("half").await, Ok(0));
}
