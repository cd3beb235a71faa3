//! What is kept of groups and keys while rosters change, over a real database.

#![allow(clippy::unwrap_used)]

use super::Known;
use super::loading::Written;
use super::shard::Versioned;
use crate::roster::{Role, Roster};
use crate::storage::PutRoster;
use crate::upkeep_tests::ground::{self, GROUP};
use crate::{Config, MlsGateway};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use trellis_relay::extension::prelude::*;
use trellis_relay::testing::{Author, HookHarness, stranger};

/// A gateway that hears of changes when it is told to.
struct Ground {
    gateway: MlsGateway,
    harness: HookHarness,
    _directory: TempDir,
}

async fn ground() -> Ground {
    let directory = TempDir::with_prefix("trellis-directory-").unwrap();
    let file = directory.path().join("mls.db");
    let table = format!("database_url = 'sqlite://{}'", file.display());
    let config: Config = toml::from_str(&table).unwrap();
    let (host, harness) = ground::host().await;
    Ground {
        gateway: MlsGateway::build(config, host).await.unwrap(),
        harness,
        _directory: directory,
    }
}

fn key(number: u64) -> PublicKey {
    Author::new(number).pubkey()
}

/// A group of number 1 and another.
fn group_of(member: u64) -> Roster {
    let mut roster = Roster::of_owner(key(1));
    roster.members.insert(key(member), Role::Member);
    roster
}

fn versioned(revision: u64) -> Option<Versioned> {
    Some(Versioned {
        roster: Arc::new(group_of(2)),
        revision,
        is_told: true,
    })
}

impl Ground {
    /// Writes as another instance would.
    async fn put(&self, roster: &Roster, replaces: Option<u64>) -> u64 {
        let put = self.gateway.storage.put_roster(GROUP, roster, replaces, 1);
        match put.await.unwrap() {
            PutRoster::Written(revision) => revision,
            PutRoster::Conflict => panic!("somebody else wrote"),
        }
    }

    fn forget_groups(&self) {
        for shard in &self.gateway.directory.shards {
            shard.write().unwrap().clear();
        }
    }

    async fn groups_of(&self, number: u64) -> Arc<[String]> {
        self.gateway.load_groups_of(&key(number)).await.unwrap()
    }

    fn remembers(&self, number: u64) -> bool {
        self.gateway.directory.groups_of(&key(number)).is_some()
    }
}

#[tokio::test]
async fn m20_who_came_or_went_is_forgotten_though_the_roster_was_read_before_it_was_heard_of() {
    let ground = ground().await;
    let me = &ground.gateway;
    me.catch_up().await.unwrap();
    let first = ground.put(&group_of(2), None).await;
    assert_eq!(ground.groups_of(2).await[..], [GROUP]);
    assert!(ground.groups_of(3).await.is_empty());
    me.catch_up().await.unwrap();
    assert!(!ground.remembers(2) && ground.remembers(3));
    ground.groups_of(2).await;

    ground.put(&group_of(3), Some(first)).await;
    ground.forget_groups();
    me.load_groups(&[GROUP.to_owned()]).await.unwrap();
    me.catch_up().await.unwrap();
    assert!(!ground.remembers(3), "who came");
    assert_eq!(ground.groups_of(3).await[..], [GROUP]);
    assert!(ground.remembers(2), "nobody knows that it was in the group");
    ground.harness.clock.advance(Duration::from_secs(60));
    me.catch_up().await.unwrap();
    assert!(!ground.remembers(2));
    assert!(ground.groups_of(2).await.is_empty());
    ground.harness.host.shutdown().await;
}

#[tokio::test]
async fn m20_who_wrote_a_roster_knows_who_went_though_the_group_is_not_in_memory() {
    let ground = ground().await;
    let me = &ground.gateway;
    me.catch_up().await.unwrap();
    let (before, after) = (group_of(2), Arc::new(group_of(3)));
    let first = ground.put(&before, None).await;
    me.catch_up().await.unwrap();
    assert_eq!(ground.groups_of(2).await[..], [GROUP]);
    ground.forget_groups();
    let revision = ground.put(&after, Some(first)).await;
    let written = Written {
        before: Some(&before),
        after: after.clone(),
        revision,
        is_followed: true,
    };
    me.roster_written(GROUP, written);
    assert!(!ground.remembers(2));
    assert_eq!(me.directory.get(GROUP), Some(Known::Managed(after)));
    ground.harness.host.shutdown().await;
}

#[tokio::test]
async fn m31_what_was_learnt_before_changes_were_heard_of_is_not_believed() {
    let ground = ground().await;
    let me = &ground.gateway;
    let turn = me.directory.keys.turn(&key(2));
    me.directory.learn(GROUP, versioned(1));
    me.catch_up().await.unwrap();
    assert_eq!(me.directory.get(GROUP), None);
    let is_kept = me.directory.keys.put(key(2), Arc::default(), turn, 0);
    assert!(!is_kept);

    // Its writing began before, and others may have written since.
    let written = Written {
        before: None,
        after: Arc::new(group_of(2)),
        revision: 1,
        is_followed: false,
    };
    me.roster_written(GROUP, written);
    assert_eq!(me.directory.get(GROUP), None);
    ground.harness.host.shutdown().await;
}

#[tokio::test]
async fn m31_only_sessions_that_are_open_keep_groups() {
    let ground = ground().await;
    let directory = &ground.gateway.directory;
    directory.learn(GROUP, versioned(1));
    let pins = || {
        directory
            .pins
            .lock()
            .unwrap()
            .values()
            .map(Vec::len)
            .sum::<usize>()
    };
    let pin = || directory.pin(7, &[GROUP.to_owned()]);
    pin();
    assert_eq!(pins(), 0, "it has not come yet");
    directory.open_session(7);
    pin();
    assert_eq!(pins(), 1);
    directory.close_session(7);
    pin();
    assert_eq!(pins(), 0, "it is gone");
    assert!(directory.pins.lock().unwrap().is_empty());
    ground.harness.host.shutdown().await;
}

#[tokio::test]
async fn m22_who_waited_for_a_database_that_hangs_waits_for_all() {
    let ground = ground().await;
    let me = &ground.gateway;
    let filter = Filter {
        kinds: Some(vec![445]),
        tags: [(b'h', vec![GROUP.to_owned()])].into(),
        ..Filter::default()
    };
    let request = AccessRequest {
        request_id: 1,
        viewer: Arc::new(stranger()),
        verb: Verb::Req,
        is_again: false,
        filter: Arc::new(filter),
    };
    // Whoever hears of changes does not come back.
    let held = me.directory.cursor.lock().await;
    me.load_for(&request).await;
    assert!(me.directory.is_hanging());
    me.load_for(&request).await;
    assert_eq!(me.directory.get(GROUP), None);
    drop(held);
    ground.harness.clock.advance(Duration::from_secs(5));
    assert!(!me.directory.is_hanging());
    me.load_for(&request).await;
    assert_eq!(me.directory.get(GROUP), Some(Known::Unmanaged));
    ground.harness.host.shutdown().await;
}
