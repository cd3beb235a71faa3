//! A part of the groups in memory: bounded, and the ones that nobody asked for are forgotten first.

use super::members::Members;
use crate::roster::Roster;
use hashbrown::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Groups behind one lock.
#[derive(Debug)]
pub(super) struct Shard {
    groups: HashMap<Arc<str>, Entry>,
    groups_max: usize,
    /// Rises with each look-up.
    looks: AtomicU64,
}

/// One group.
#[derive(Debug)]
struct Entry {
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
            groups: HashMap::new(),
            groups_max: groups_max.max(1),
            looks: AtomicU64::new(0),
        }
    }

    /// The roster of a group that is here, if it has one.
    pub(super) fn get(&self, group_id: &str) -> Option<Option<&Versioned>> {
        Some(self.entry(group_id)?.roster.as_ref())
    }

    /// Who is in its roster, as above.
    pub(super) fn members(&self, group_id: &str) -> Option<Option<&Members>> {
        Some(self.entry(group_id)?.members.as_ref())
    }

    fn entry(&self, group_id: &str) -> Option<&Entry> {
        let entry = self.groups.get(group_id)?;
        let looks = self.looks.fetch_add(1, Relaxed);
        entry.used_at.store(looks, Relaxed);
        Some(entry)
    }

    /// Takes in what was read, unless something newer is there. What was there before.
    pub(super) fn put(
        &mut self,
        group_id: &str,
        roster: Option<Versioned>,
    ) -> Option<Option<Versioned>> {
        let used_at = self.looks.fetch_add(1, Relaxed);
        let Some(entry) = self.groups.get_mut(group_id) else {
            self.make_room();
            let entry = Entry {
                members: members(roster.as_ref()),
                roster,
                used_at: AtomicU64::new(used_at),
                sessions: 0,
            };
            self.groups.insert(group_id.into(), entry);
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
    pub(super) fn pin(&mut self, group_id: &str) -> Option<Arc<str>> {
        let (name, _) = self.groups.get_key_value(group_id)?;
        let name = name.clone();
        let entry = self.groups.get_mut(group_id)?;
        entry.roster.as_ref()?;
        entry.sessions = entry.sessions.saturating_add(1);
        Some(name)
    }

    pub(super) fn unpin(&mut self, group_id: &str) {
        if let Some(entry) = self.groups.get_mut(group_id) {
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
        let mut ages: Vec<_> = self.groups.values().map(age).collect();
        let place = ages.len() / 8;
        let (_, last, _) = ages.select_nth_unstable(place);
        let last = *last;
        self.groups.retain(|_, entry| age(entry) > last);
    }
}

fn members(roster: Option<&Versioned>) -> Option<Members> {
    roster.map(|it| Members::of(&it.roster))
}

#[cfg(test)]
mod tests {
    use super::*;

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
        shard.put("pinned", roster(1));
        assert!(shard.pin("pinned").is_some());
        for number in 0..1_000 {
            shard.put(&format!("group {number}"), None);
            assert!(shard.get("group 0").is_some(), "{number}");
            assert!(shard.groups.len() <= 100);
        }
        assert!(shard.get("pinned").is_some());
        assert!(shard.get("group 1").is_none());
        shard.unpin("pinned");
        for number in 0..200 {
            shard.put(&format!("more {number}"), roster(1));
        }
        assert!(shard.get("pinned").is_none());
    }

    #[test]
    fn m31_groups_without_a_roster_cannot_be_pinned_and_go_first() {
        let mut shard = Shard::new(100);
        for number in 0..50 {
            shard.put(&format!("real {number}"), roster(1));
        }
        for number in 0..10_000 {
            let group_id = format!("random {number}");
            shard.put(&group_id, None);
            assert!(shard.pin(&group_id).is_none());
        }
        for number in 0..50 {
            assert!(shard.get(&format!("real {number}")).is_some(), "{number}");
        }
        assert!(shard.get("random 9999").is_some(), "the newest is there");
    }

    #[test]
    fn m20_older_knowledge_does_not_take_the_place_of_newer() {
        let mut shard = Shard::new(100);
        let revision = |shard: &Shard| shard.get("g").flatten().map(|it| it.revision);
        assert!(shard.put("g", roster(2)).is_none());
        shard.put("g", roster(1));
        shard.put("g", None);
        assert_eq!(revision(&shard), Some(2));
        assert!(shard.put("g", roster(3)).flatten().is_some());
        assert_eq!(revision(&shard), Some(3));
    }
}
