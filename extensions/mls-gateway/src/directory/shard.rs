//! A part of the groups in memory: bounded, and the ones that nobody asked for are forgotten first.
//!
//! Invariant: an id is hashed once a look, by whoever has chosen the part by that hash.

use super::members::Members;
use crate::roster::Roster;
use hashbrown::HashTable;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Groups behind one lock.
#[derive(Debug)]
pub(super) struct Shard {
    groups: HashTable<Entry>,
    groups_max: usize,
    /// Rises with each look-up.
    looks: AtomicU64,
}

/// A group's id and its hash.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key<'a> {
    pub(super) group_id: &'a str,
    pub(super) hash: u64,
}

/// One group.
#[derive(Debug)]
struct Entry {
    group_id: Arc<str>,
    hash: u64,
    /// None for a group without one.
    roster: Option<Versioned>,
    /// Of the roster.
    members: Option<Members>,
    used_at: AtomicU64,
    sessions: u32,
}

/// A roster and how often the database had it written.
#[derive(Clone, Debug)]
pub(super) struct Versioned {
    pub(super) roster: Arc<Roster>,
    pub(super) revision: u64,
    /// Whether those who came or went with it have heard.
    pub(super) is_told: bool,
}

impl Shard {
    pub(super) fn new(groups_max: usize) -> Self {
        Shard {
            groups: HashTable::new(),
            groups_max: groups_max.max(1),
            looks: AtomicU64::new(0),
        }
    }

    /// The roster of a group that is here, if it has one.
    pub(super) fn get(&self, key: Key<'_>) -> Option<Option<&Versioned>> {
        Some(self.entry(key)?.roster.as_ref())
    }

    /// Who is in its roster, as above.
    pub(super) fn members(&self, key: Key<'_>) -> Option<Option<&Members>> {
        Some(self.entry(key)?.members.as_ref())
    }

    fn entry(&self, key: Key<'_>) -> Option<&Entry> {
        let entry = self.groups.find(key.hash, |entry| entry.is(key))?;
        let looks = self.looks.fetch_add(1, Relaxed);
        entry.used_at.store(looks, Relaxed);
        Some(entry)
    }

    fn entry_mut(&mut self, key: Key<'_>) -> Option<&mut Entry> {
        self.groups.find_mut(key.hash, |entry| entry.is(key))
    }

    /// Takes in what was read, unless something newer is there. What was there before.
    pub(super) fn put(
        &mut self,
        key: Key<'_>,
        roster: Option<Versioned>,
    ) -> Option<Option<Versioned>> {
        let used_at = self.looks.fetch_add(1, Relaxed);
        let Some(entry) = self.entry_mut(key) else {
            self.make_room();
            let entry = Entry {
                group_id: key.group_id.into(),
                hash: key.hash,
                members: members(roster.as_ref()),
                roster,
                used_at: AtomicU64::new(used_at),
                sessions: 0,
            };
            self.groups
                .insert_unique(key.hash, entry, |entry| entry.hash);
            return None;
        };
        let before = entry.roster.clone();
        let revision = |it: &Option<Versioned>| it.as_ref().map(|it| it.revision);
        if revision(&roster) > revision(&entry.roster) {
            entry.members = members(roster.as_ref());
            entry.roster = roster;
        } else if let (Some(known), Some(roster)) = (&mut entry.roster, roster) {
            known.is_told |= roster.is_told && roster.revision == known.revision;
        }
        Some(before)
    }

    /// The group's name, if it is here and has a roster.
    pub(super) fn pin(&mut self, key: Key<'_>) -> Option<Arc<str>> {
        let entry = self.entry_mut(key)?;
        entry.roster.as_ref()?;
        entry.sessions = entry.sessions.saturating_add(1);
        Some(entry.group_id.clone())
    }

    pub(super) fn unpin(&mut self, key: Key<'_>) {
        if let Some(entry) = self.entry_mut(key) {
            entry.sessions = entry.sessions.saturating_sub(1);
        }
    }

    pub(super) fn clear(&mut self) {
        self.groups.clear();
    }

    /// Forgets an eighth where there is no room left, so that looking for the oldest is rare. That a group has no roster is
    /// forgotten first: anybody can ask for groups that are none.
    fn make_room(&mut self) {
        if self.groups.len() < self.groups_max {
            return;
        }
        let age = |entry: &Entry| {
            let (is_pinned, has_roster) = (entry.sessions > 0, entry.roster.is_some());
            (is_pinned, has_roster, entry.used_at.load(Relaxed))
        };
        let mut ages: Vec<_> = self.groups.iter().map(age).collect();
        let place = ages.len() / 8;
        let (_, last, _) = ages.select_nth_unstable(place);
        let last = *last;
        self.groups.retain(|entry| age(entry) > last);
    }
}

impl Entry {
    fn is(&self, key: Key<'_>) -> bool {
        self.hash == key.hash && *self.group_id == *key.group_id
    }
}

fn members(roster: Option<&Versioned>) -> Option<Members> {
    roster.map(|it| Members::of(&it.roster))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};

    fn key(group_id: &str) -> Key<'_> {
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(group_id);
        Key { group_id, hash }
    }

    fn roster(revision: u64) -> Option<Versioned> {
        let owner = trellis_relay::event::PublicKey::from_byte_array([1; 32]);
        let roster = Arc::new(Roster::of_owner(owner));
        Some(Versioned {
            roster,
            revision,
            is_told: true,
        })
    }

    #[test]
    fn m31_groups_in_memory_are_bounded_and_the_asked_for_stay() {
        let mut shard = Shard::new(100);
        shard.put(key("pinned"), roster(1));
        assert!(shard.pin(key("pinned")).is_some());
        for number in 0..1_000 {
            shard.put(key(&format!("group {number}")), None);
            assert!(shard.get(key("group 0")).is_some(), "{number}");
            assert!(shard.groups.len() <= 100);
        }
        assert!(shard.get(key("pinned")).is_some());
        assert!(shard.get(key("group 1")).is_none());
        shard.unpin(key("pinned"));
        for number in 0..200 {
            shard.put(key(&format!("more {number}")), roster(1));
        }
        assert!(shard.get(key("pinned")).is_none());
    }

    #[test]
    fn m31_groups_without_a_roster_cannot_be_pinned_and_go_first() {
        let mut shard = Shard::new(100);
        for number in 0..50 {
            shard.put(key(&format!("real {number}")), roster(1));
        }
        for number in 0..10_000 {
            let group_id = format!("random {number}");
            shard.put(key(&group_id), None);
            assert!(shard.pin(key(&group_id)).is_none());
        }
        for number in 0..50 {
            assert!(
                shard.get(key(&format!("real {number}"))).is_some(),
                "{number}"
            );
        }
        assert!(
            shard.get(key("random 9999")).is_some(),
            "the newest is there"
        );
    }

    #[test]
    fn m20_older_knowledge_does_not_take_the_place_of_newer() {
        let mut shard = Shard::new(100);
        let revision = |shard: &Shard| shard.get(key("g")).flatten().map(|it| it.revision);
        assert!(shard.put(key("g"), roster(2)).is_none());
        shard.put(key("g"), roster(1));
        shard.put(key("g"), None);
        assert_eq!(revision(&shard), Some(2));
        assert!(shard.put(key("g"), roster(3)).flatten().is_some());
        assert_eq!(revision(&shard), Some(3));
    }
}
