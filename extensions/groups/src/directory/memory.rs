//! The map of all groups, and which of them may be forgotten.
//!
//! Invariant: of deleted groups of which nothing is left so many stay as there may be groups, and fewer while all groups have
//! more users than there may be; those go first that were cleared first. That an id is taken says its row, for ever.

use super::Known;
use std::collections::{HashMap, VecDeque};

/// Every group.
#[derive(Default)]
pub(super) struct Memory {
    groups: HashMap<String, Known>,
    /// Of all of them together.
    users: usize,
    /// Those that are [`Known::is_cleared`], oldest first.
    cleared: VecDeque<String>,
    has_forgotten: bool,
}

impl Memory {
    pub(super) fn get(&self, id: &str) -> Option<&Known> {
        self.groups.get(id)
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = &String> {
        self.groups.keys()
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Known> {
        self.groups.values()
    }

    /// Whether there is a row of a group that is not here.
    pub(super) fn has_forgotten(&self) -> bool {
        self.has_forgotten
    }

    /// Changes a group, which is new if it is not here.
    pub(super) fn change(&mut self, id: &str, change: impl FnOnce(&mut Known)) {
        let known = self.groups.entry(id.to_owned()).or_default();
        let before = known.users.len();
        change(known);
        self.users = (self.users + known.users.len()).saturating_sub(before);
    }

    pub(super) fn remove(&mut self, id: &str) {
        if let Some(known) = self.groups.remove(id) {
            self.users = self.users.saturating_sub(known.users.len());
        }
    }

    /// Nothing of a deleted group is left; what is too much of such groups is forgotten.
    pub(super) fn clear(&mut self, id: &str, max_groups: usize, max_users: u64) {
        match self.groups.get_mut(id) {
            Some(known) if known.group.is_deleted && !known.is_cleared => known.is_cleared = true,
            _ => return,
        }
        self.cleared.push_back(id.to_owned());
        while self.cleared.len() > max_groups || self.users as u64 > max_users {
            let Some(oldest) = self.cleared.pop_front() else {
                return;
            };
            if self.get(&oldest).is_some_and(|known| known.is_cleared) {
                self.remove(&oldest);
                self.has_forgotten = true;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::group::Standing;
    use trellis_relay::testing::Author;

    fn add(memory: &mut Memory, id: &str, users: u64, is_deleted: bool) {
        memory.change(id, |known| {
            known.group.is_deleted = is_deleted;
            let users = 1..=users;
            known.users = users
                .map(|number| (Author::new(number).pubkey(), Standing::Member))
                .collect();
        });
    }

    fn ids(memory: &Memory) -> Vec<&str> {
        let mut ids: Vec<&str> = memory.ids().map(String::as_str).collect();
        ids.sort_unstable();
        ids
    }

    #[test]
    fn g1_of_deleted_groups_those_are_forgotten_that_were_cleared_first() {
        let mut memory = Memory::default();
        for id in ["alive", "b", "a", "c"] {
            add(&mut memory, id, 1, id != "alive");
        }
        for id in ["alive", "b", "b", "a", "nowhere"] {
            memory.clear(id, 2, 100);
        }
        assert_eq!((ids(&memory).len(), memory.has_forgotten()), (4, false));
        memory.clear("c", 2, 100);
        assert_eq!(ids(&memory), ["a", "alive", "c"]);
        assert!(memory.has_forgotten());
        // What comes back is in the queue once, and what lives again is not forgotten.
        add(&mut memory, "b", 1, true);
        memory.change("a", |known| {
            known.group.is_deleted = false;
            known.is_cleared = false;
        });
        memory.clear("b", 2, 100);
        assert_eq!(ids(&memory), ["a", "alive", "b", "c"]);
    }

    #[test]
    fn g1_deleted_groups_are_forgotten_while_there_are_too_many_users() {
        let mut memory = Memory::default();
        add(&mut memory, "alive", 3, false);
        for id in ["a", "b", "c"] {
            add(&mut memory, id, 2, true);
            memory.clear(id, 10, 7);
        }
        assert_eq!(ids(&memory), ["alive", "b", "c"]);
        memory.remove("b");
        add(&mut memory, "d", 2, true);
        memory.clear("d", 10, 7);
        assert_eq!(ids(&memory), ["alive", "c", "d"]);
        add(&mut memory, "alive", 8, false);
        add(&mut memory, "e", 0, true);
        memory.clear("e", 10, 7);
        assert_eq!(ids(&memory), ["alive"]);
    }
}
