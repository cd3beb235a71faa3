//! Groups in memory, so that delivering a message never asks the database.
//!
//! Invariant: what is here is no older than the last time that changes of other instances were heard of, and where that is
//! longer ago than `group_cache_ttl` nothing is here: to those who ask, a group is known to be managed, known not to be, or
//! unknown, and what is unknown is for nobody. Bounded by entries; who asks never waits for I/O. Not here: what it means for
//! an event (`delivery`, `publishing`).

mod keys;
mod loading;
mod members;
mod shard;

pub(crate) use loading::{Unreadable, Written, keep_in_step};

use crate::acl::AclClient;
use crate::config::Settings;
use crate::roster::Roster;
use hashbrown::DefaultHashBuilder;
use keys::Keys;
use members::Members;
use shard::{Key, Shard, Versioned};
use std::collections::HashMap;
use std::hash::BuildHasher as _;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use trellis_relay::clock::Clock;
use trellis_relay::extension::prelude::*;

/// The groups that somebody asked for lately.
#[derive(Debug)]
pub(crate) struct Directory {
    clock: Arc<dyn Clock>,
    shards: Vec<RwLock<Shard>>,
    hasher: DefaultHashBuilder,
    keys: Keys,
    /// Groups with a roster that open sessions asked for, by session; a session that is not here is not open.
    pins: Mutex<HashMap<u64, Vec<Arc<str>>>>,
    ttl_ms: u64,
    /// When everything in here was right for the last time, on the monotonic clock; `u64::MAX` before the first.
    confirmed_ms: AtomicU64,
    /// The server that knows instead of the database, if that is how it is; it has a memory of its own.
    acl: Option<AclClient>,
    /// Whether the database answered when it was last asked for changes.
    is_in_step: AtomicBool,
    /// Until when requests do not wait for the database, on the monotonic clock.
    hanging_until_ms: AtomicU64,
    /// How far changes were heard of. Whoever holds it hears.
    cursor: tokio::sync::Mutex<Option<u64>>,
}

/// What is known of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    /// It has a roster.
    Managed(Arc<Roster>),
    /// It has none.
    Unmanaged,
}

/// The same, for as long as it is looked at, for whom it is enough to know whether keys belong to the group.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Glance<'a> {
    /// It has a roster.
    Managed(Membership<'a>),
    /// It has none.
    Unmanaged,
}

/// Who belongs to a group.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Membership<'a> {
    Listed(&'a Roster),
    Sorted(&'a Members),
}

impl Known {
    /// A look at it.
    pub(crate) fn glance(&self) -> Glance<'_> {
        match self {
            Known::Managed(roster) => Glance::Managed(Membership::Listed(roster)),
            Known::Unmanaged => Glance::Unmanaged,
        }
    }
}

impl Membership<'_> {
    /// Whether any of these keys is a member.
    pub(crate) fn has_any(&self, pubkeys: &[PublicKey]) -> bool {
        match self {
            Membership::Listed(roster) => roster.has_any(pubkeys),
            Membership::Sorted(members) => members.has_any(pubkeys),
        }
    }
}

/// So many locks there are for all groups.
const SHARDS: usize = 16;
/// A session keeps at most so many groups from being forgotten.
const PINS_MAX: usize = 1_000;
const NEVER: u64 = u64::MAX;
/// After a wait in vain requests do not wait for the database for so long.
const HANGING_MS: u64 = 5_000;

impl Directory {
    pub(crate) fn new(settings: &Settings, host: &Host) -> Self {
        let groups_max = settings.max_cached_groups.div_ceil(SHARDS);
        Directory {
            clock: host.clock().clone(),
            shards: (0..SHARDS)
                .map(|_| RwLock::new(Shard::new(groups_max)))
                .collect(),
            hasher: DefaultHashBuilder::default(),
            keys: Keys::new(
                settings.max_cached_groups,
                settings.group_cache_ttl_s * 1000,
            ),
            pins: Mutex::default(),
            ttl_ms: settings.group_cache_ttl_s * 1000,
            confirmed_ms: AtomicU64::new(NEVER),
            acl: AclClient::new(host, settings),
            is_in_step: AtomicBool::new(true),
            hanging_until_ms: AtomicU64::new(0),
            cursor: tokio::sync::Mutex::new(None),
        }
    }

    /// What is known of a group; nothing is not the same as [`Known::Unmanaged`].
    pub(crate) fn get(&self, group_id: &str) -> Option<Known> {
        let known = match &self.acl {
            // Of every group that server says who is in it, if only that nobody is.
            Some(acl) => Some(acl.known(group_id)?),
            None => self.remembered(group_id)?,
        };
        Some(known.map_or(Known::Unmanaged, Known::Managed))
    }

    /// As [`Directory::get`], for looks that come with every message: nothing is copied. A part of the groups is locked
    /// while `see` looks.
    pub(crate) fn look<R>(&self, group_id: &str, see: impl FnOnce(Option<Glance<'_>>) -> R) -> R {
        if self.acl.is_some() {
            return see(self.get(group_id).as_ref().map(Known::glance));
        }
        if !self.is_confirmed(self.now_ms()) {
            return see(None);
        }
        let (key, shard) = self.read(group_id);
        see(shard.members(key).map(|members| match members {
            Some(members) => Glance::Managed(Membership::Sorted(members)),
            None => Glance::Unmanaged,
        }))
    }

    fn remembered(&self, group_id: &str) -> Option<Option<Arc<Roster>>> {
        if !self.is_confirmed(self.now_ms()) {
            return None;
        }
        let (key, shard) = self.read(group_id);
        let versioned = shard.get(key)?;
        Some(versioned.map(|it| it.roster.clone()))
    }

    /// Whether what is in memory can be relied on; if not, nothing is in it.
    pub(crate) fn is_readable(&self) -> bool {
        self.acl.is_some() || self.is_confirmed(self.now_ms())
    }

    /// Whether the database answered when it was last asked for changes.
    pub(crate) fn is_in_step(&self) -> bool {
        self.is_in_step.load(Relaxed)
    }

    /// Whether it can be found out which groups there are, and not just who is in one.
    pub(crate) fn lists_groups(&self) -> bool {
        self.acl.is_none()
    }

    /// The groups of a key, if they are known.
    pub(crate) fn groups_of(&self, pubkey: &PublicKey) -> Option<Arc<[String]>> {
        let now_ms = self.now_ms();
        let is_known = self.acl.is_none() && self.is_confirmed(now_ms);
        is_known.then(|| self.keys.get(pubkey, now_ms)).flatten()
    }

    /// Whether a request waited in vain for the database a moment ago. A server that is asked instead has a limit of its own
    /// for each question.
    pub(crate) fn is_hanging(&self) -> bool {
        self.acl.is_none() && self.now_ms() < self.hanging_until_ms.load(Relaxed)
    }

    /// A request waited in vain.
    pub(crate) fn note_hanging(&self) {
        let until_ms = self.now_ms() + HANGING_MS;
        self.hanging_until_ms.store(until_ms, Relaxed);
    }

    /// From now on the session may keep groups from being forgotten.
    pub(crate) fn open_session(&self, session: u64) {
        let mut pins = self.pins.lock().unwrap_or_else(PoisonError::into_inner);
        pins.entry(session).or_default();
    }

    /// Keeps those of these groups that have a roster from being forgotten while the session is open, as far as there is
    /// room. Anybody can name groups that are none.
    pub(crate) fn pin(&self, session: u64, group_ids: &[String]) {
        let mut pins = self.pins.lock().unwrap_or_else(PoisonError::into_inner);
        // What was loaded for a session may come when it is over.
        let Some(pinned) = pins.get_mut(&session) else {
            return;
        };
        for group_id in group_ids {
            if pinned.len() >= PINS_MAX {
                return;
            }
            if pinned.iter().any(|it| **it == **group_id) {
                continue;
            }
            let (key, mut shard) = self.write(group_id);
            pinned.extend(shard.pin(key));
        }
    }

    /// The session is over.
    pub(crate) fn close_session(&self, session: u64) {
        let mut pins = self.pins.lock().unwrap_or_else(PoisonError::into_inner);
        for group_id in pins.remove(&session).unwrap_or_default() {
            let (key, mut shard) = self.write(&group_id);
            shard.unpin(key);
        }
    }

    /// Takes in what the database said of a group. Older knowledge never takes the place of newer; what was known before is
    /// given back: `None` where the group was not in memory.
    fn learn(&self, group_id: &str, roster: Option<Versioned>) -> Option<Option<Versioned>> {
        let (key, mut shard) = self.write(group_id);
        shard.put(key, roster)
    }

    /// Forgets everything, which is for a time when nothing is pinned yet.
    fn clear(&self) {
        for shard in &self.shards {
            let shard = shard.write();
            shard.unwrap_or_else(PoisonError::into_inner).clear();
        }
        self.keys.clear();
    }

    /// Whether changes have been heard of since some moment, so that what is learnt from now on will be put right.
    pub(crate) fn has_begun(&self) -> bool {
        self.confirmed_ms.load(Relaxed) != NEVER
    }

    fn is_confirmed(&self, now_ms: u64) -> bool {
        let confirmed_ms = self.confirmed_ms.load(Relaxed);
        self.has_begun() && now_ms.saturating_sub(confirmed_ms) < self.ttl_ms
    }

    fn now_ms(&self) -> u64 {
        self.clock.monotonic().as_millis() as u64
    }

    /// Where a group is, or would be, to look.
    fn read<'a>(&self, group_id: &'a str) -> (Key<'a>, RwLockReadGuard<'_, Shard>) {
        let key = self.key(group_id);
        let shard = self.shard(key).read();
        (key, shard.unwrap_or_else(PoisonError::into_inner))
    }

    /// The same, to change it.
    fn write<'a>(&self, group_id: &'a str) -> (Key<'a>, RwLockWriteGuard<'_, Shard>) {
        let key = self.key(group_id);
        let shard = self.shard(key).write();
        (key, shard.unwrap_or_else(PoisonError::into_inner))
    }

    fn key<'a>(&self, group_id: &'a str) -> Key<'a> {
        let hash = self.hasher.hash_one(group_id);
        Key { group_id, hash }
    }

    fn shard(&self, key: Key<'_>) -> &RwLock<Shard> {
        // The table within goes by the lowest and the highest bits.
        &self.shards[(key.hash >> 32) as usize % SHARDS]
    }
}

#[cfg(test)]
mod tests;
