//! Fills the memory of groups from the database, and follows what is written there, by this instance or another.

use super::Known;
use super::shard::Versioned;
use crate::MlsGateway;
use crate::kinds::{GROUP_MESSAGE, ROSTER};
use crate::roster::Roster;
use crate::rules::is_group_id;
use crate::storage::StorageError;
use crate::watch::{self, Stage};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use trellis_relay::extension::prelude::*;

/// It cannot be found out who belongs to a group. What went wrong was counted and logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unreadable;

/// A roster that this instance wrote.
pub(crate) struct Written<'a> {
    /// What it replaced; none where there was no roster.
    pub(crate) before: Option<&'a Roster>,
    pub(crate) after: Arc<Roster>,
    pub(crate) revision: u64,
    /// Whether changes were heard of already when the writing began ([`Directory::has_begun`](super::Directory::has_begun)).
    pub(crate) is_followed: bool,
}

/// How often other instances' changes are looked for, at least.
const STEP_MS_MAX: u64 = 1_000;
/// Groups in one question to the database.
const BATCH: usize = 500;
/// How often the groups of a key are asked for while they change.
const TRIES_MAX: u32 = 3;

/// Follows what other instances write. Ends with an error only.
pub(crate) async fn keep_in_step(gateway: &MlsGateway) -> Result<(), TaskError> {
    // A memory that is good for a second must be confirmed more often.
    let step = Duration::from_millis(STEP_MS_MAX.min(gateway.directory.ttl_ms / 4));
    loop {
        // What goes wrong was counted; it may be better a second later.
        let heard = gateway.catch_up().await;
        gateway.directory.is_in_step.store(heard.is_ok(), Relaxed);
        if let Err(error) = gateway.undo_unstored().await {
            tracing::warn!(%error, "what a roster event did that was not stored could not be undone");
        }
        tokio::time::sleep(step).await;
    }
}

impl MlsGateway {
    /// Brings these groups into memory.
    pub(crate) async fn load_groups(&self, group_ids: &[String]) -> Result<(), Unreadable> {
        let directory = &self.directory;
        if let Some(acl) = &directory.acl {
            let asked: Vec<&String> = group_ids.iter().filter(|it| is_group_id(it)).collect();
            return acl.load(&asked).await.map_err(|it| unreadable(&it));
        }
        if !directory.is_confirmed(directory.now_ms()) {
            self.catch_up().await?;
        }
        let is_missing = |it: &&String| is_group_id(it) && directory.get(it).is_none();
        let missing = group_ids.iter().filter(is_missing);
        let missing: Vec<String> = missing.cloned().collect();
        for batch in missing.chunks(BATCH) {
            let mut found = self.read_rosters(batch).await?;
            for group_id in batch {
                directory.learn(group_id, found.remove(group_id));
            }
        }
        Ok(())
    }

    /// What is known of a group, with I/O where it has to be.
    pub(crate) async fn know_group(&self, group_id: &str) -> Result<Known, Unreadable> {
        if let Some(known) = self.directory.get(group_id) {
            return Ok(known);
        }
        self.load_groups(&[group_id.to_owned()]).await?;
        self.directory.get(group_id).ok_or(Unreadable)
    }

    /// The groups that a key belongs to, which are in memory afterwards.
    pub(crate) async fn load_groups_of(
        &self,
        pubkey: &PublicKey,
    ) -> Result<Arc<[String]>, Unreadable> {
        if self.directory.acl.is_some() {
            // The server tells who is in a group, not which groups there are.
            return Ok(Arc::default());
        }
        if let Some(groups) = self.directory.groups_of(pubkey) {
            self.load_groups(&groups).await?;
            return Ok(groups);
        }
        let keys = &self.directory.keys;
        let mut groups: Arc<[String]> = Arc::default();
        for _ in 0..TRIES_MAX {
            let (turn, asked_at_ms) = (keys.turn(pubkey), self.directory.now_ms());
            groups = match watch::database("groups_of", self.storage.groups_of(pubkey)).await {
                Ok(groups) => groups.into(),
                Err(error) => return Err(unreadable(&error)),
            };
            // The first time this begins to hear of changes, and what was read before is not kept.
            self.load_groups(&groups).await?;
            if keys.put(*pubkey, groups.clone(), turn, asked_at_ms) {
                break;
            }
        }
        Ok(groups)
    }

    /// This instance wrote a roster in the place of another: whoever came or went hears of it at once.
    pub(crate) fn roster_written(&self, group_id: &str, written: Written<'_>) {
        let directory = &self.directory;
        let after = written.after.clone();
        let versioned = Versioned {
            roster: written.after,
            revision: written.revision,
            is_told: true,
        };
        let mut changed = moved(written.before, &after);
        // What was written before changes were heard of may be old by now.
        let remembered = written
            .is_followed
            .then(|| directory.learn(group_id, Some(versioned)));
        // Changes of other instances that were not heard of yet are in it, too.
        if let Some(Some(Some(remembered))) = remembered {
            changed.extend(moved(Some(&remembered.roster), &after));
        }
        directory.keys.forget(&changed);
        self.tell_sessions(group_id, changed, &after);
    }

    /// The database has a roster that was written lately, by whichever instance.
    pub(super) fn roster_heard_of(&self, group_id: &str, after: Arc<Roster>, revision: u64) {
        let directory = &self.directory;
        let versioned = Versioned {
            roster: after.clone(),
            revision,
            is_told: true,
        };
        let remembered = directory.learn(group_id, Some(versioned)).flatten();
        let before = remembered.as_ref().map(|it| &*it.roster);
        // Those who went are forgotten if they are known; of others it is believed for a while that they are members, of
        // which nothing comes but that they are not told so.
        let before_keys = before.iter().flat_map(|it| it.members.keys());
        directory
            .keys
            .forget(before_keys.chain(after.members.keys()));
        let changed = match &remembered {
            Some(it) if it.revision >= revision && it.is_told => BTreeSet::new(),
            // It was read before it was heard of, and who was in the group before is not known.
            Some(it) if it.revision >= revision => moved(None, &after),
            _ => moved(before, &after),
        };
        self.tell_sessions(group_id, changed, &after);
    }

    /// Hears of all changes so far.
    pub(super) async fn catch_up(&self) -> Result<(), Unreadable> {
        let directory = &self.directory;
        if directory.acl.is_some() {
            // There is nothing to be heard of, but the database has other uses.
            let ping = watch::database("ping", self.storage.ping()).await;
            return ping.map_err(|error| unreadable(&error));
        }
        let mut cursor = directory.cursor.lock().await;
        let heard_ms = directory.now_ms();
        let heard = self.hear(&mut cursor).await;
        heard.map_err(|error| unreadable(&error))?;
        directory.confirmed_ms.store(heard_ms, Relaxed);
        Ok(())
    }

    async fn hear(&self, cursor: &mut Option<u64>) -> Result<(), StorageError> {
        let Some(mut from) = *cursor else {
            let begins_at = watch::database("roster_cursor", self.storage.roster_cursor()).await?;
            // What changed before it and after it was learnt will never be heard of.
            self.directory.clear();
            *cursor = Some(begins_at);
            return Ok(());
        };
        loop {
            let changes = self.storage.roster_changes(from, BATCH);
            let (changed, next) = watch::database("roster_changes", changes).await?;
            if !changed.is_empty() {
                let rosters = watch::database("rosters", self.storage.rosters(&changed)).await?;
                for (group_id, it) in rosters {
                    self.roster_heard_of(&group_id, Arc::new(it.roster), it.revision);
                }
            }
            from = next;
            *cursor = Some(from);
            if changed.len() < BATCH {
                return Ok(());
            }
        }
    }

    async fn read_rosters(
        &self,
        group_ids: &[String],
    ) -> Result<HashMap<String, Versioned>, Unreadable> {
        let rosters = watch::database("rosters", self.storage.rosters(group_ids)).await;
        let rosters = rosters.map_err(|error| unreadable(&error))?;
        let versioned = rosters.into_iter().map(|(group_id, it)| {
            let roster = Arc::new(it.roster);
            let versioned = Versioned {
                roster,
                revision: it.revision,
                is_told: false,
            };
            (group_id, versioned)
        });
        Ok(versioned.collect())
    }

    /// What these keys may see of the group has changed. Only who went loses by it: anybody can be made a member of some
    /// group, and nothing of theirs may end by that.
    fn tell_sessions(&self, group_id: &str, pubkeys: BTreeSet<PublicKey>, after: &Roster) {
        let is_member = |it: &PublicKey| after.role(it).is_some();
        let (come, gone): (Vec<_>, Vec<_>) = pubkeys.into_iter().partition(is_member);
        let kinds = Kinds::from([GROUP_MESSAGE, ROSTER]);
        let news = |pubkeys: &[PublicKey]| AccessNews::of(pubkeys, &kinds).tagged(b'h', group_id);
        self.host.tell_access(news(&gone));
        self.host.tell_access(news(&come).gain());
    }
}

/// Who came or went; where nobody knows who was there, all who are.
fn moved(before: Option<&Roster>, after: &Roster) -> BTreeSet<PublicKey> {
    let now = after.members.keys();
    let Some(before) = before else {
        return now.copied().collect();
    };
    let gone = before.members.keys().filter(|it| after.role(it).is_none());
    let come = now.filter(|it| before.role(it).is_none());
    gone.chain(come).copied().collect()
}

fn unreadable(error: &dyn std::error::Error) -> Unreadable {
    tracing::warn!(%error, "it cannot be found out who belongs to groups");
    watch::failed(Stage::Membership, None);
    Unreadable
}
