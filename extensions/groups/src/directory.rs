//! All groups in memory, for what must not wait: who sees an event, who may ask, who belongs.
//!
//! Invariant: a copy of committed rows, never more than they say. It is read before any hook is in force, and each moderation
//! event has the rows it touched read again after its commit. Meanwhile what takes rights away counts already
//! ([`Directory::withhold`]), so that nobody receives what was stored after they were removed.

mod loading;
mod memory;
mod withheld;

pub(crate) use loading::{Reload, each_row};
pub(crate) use withheld::Withheld;

use crate::group::{Display, Group, Staff, Standing};
use crate::roles::Right;
use crate::rules::Rules;
use memory::Memory;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, PoisonError, RwLock};
use trellis_relay::extension::prelude::*;
use trellis_relay::extension::{GroupFacts, GroupMembership, GroupsUnavailable};
use withheld::Pending;

/// A group as memory has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) group: Group,
    pub(crate) display: Display,
    pub(crate) staff: Staff,
    pub(crate) users: HashMap<PublicKey, Standing>,
    /// It was deleted, and nothing of it is left but that.
    pub(crate) is_cleared: bool,
    /// Not all of its rows can be read: nothing is said of it before they are put right.
    pub(crate) is_unreadable: bool,
}

impl Known {
    pub(crate) fn is_member(&self, user: &PublicKey) -> bool {
        self.users.get(user) == Some(&Standing::Member)
    }
}

/// Every group.
pub(crate) struct Directory {
    groups: RwLock<Memory>,
    /// Who reads rows has it until they are in memory, so that older ones never take the place of newer ones.
    turn: tokio::sync::Mutex<()>,
    pending: Pending,
    rules: Arc<Rules>,
}

impl Directory {
    /// Nothing yet; [`Directory::load`] fills it.
    pub(crate) fn new(rules: Arc<Rules>) -> Self {
        Directory {
            groups: RwLock::default(),
            turn: tokio::sync::Mutex::default(),
            pending: Pending::default(),
            rules,
        }
    }

    /// What is known of a group.
    pub(crate) fn look<T>(&self, id: &str, question: impl FnOnce(&Known) -> T) -> Option<T> {
        let groups = self.groups.read().unwrap_or_else(PoisonError::into_inner);
        groups.get(id).map(question)
    }

    /// A copy of what is known of a group.
    pub(crate) fn copy(&self, id: &str) -> Option<Known> {
        self.look(id, Known::clone)
    }

    /// The groups right above and below a group.
    fn kin(&self, id: &str) -> BTreeSet<String> {
        let kin = self.look(id, |known| {
            let children = known.display.children.iter();
            known.group.parent.iter().chain(children).cloned().collect()
        });
        kin.unwrap_or_default()
    }

    /// The members of a group; of one that was deleted, who they were.
    pub(crate) fn members(&self, id: &str) -> Vec<PublicKey> {
        let members = self.look(id, |known| {
            let users = known.users.keys();
            users
                .filter(|user| known.is_member(user))
                .copied()
                .collect()
        });
        members.unwrap_or_default()
    }

    /// Whether there is a group of this id, or was one.
    pub(crate) fn has(&self, id: &str) -> bool {
        self.look(id, |_| ()).is_some()
    }

    /// Whether there is a group of this id that is hidden.
    pub(crate) fn has_hidden(&self, id: &str) -> bool {
        self.look(id, |known| self.is_hidden(id, known)) == Some(true)
    }

    /// Nothing of a deleted group is left: the oldest of those are forgotten where there are too many of them, or too many
    /// users. Their rows still say that the ids are taken.
    pub(crate) fn clear(&self, id: &str) {
        let mut groups = self.groups.write().unwrap_or_else(PoisonError::into_inner);
        groups.clear(id, self.rules.max_groups, self.rules.max_users);
    }

    /// Whether there may be a deleted group of this id that was forgotten; its row tells ([`Directory::was_deleted`]).
    pub(crate) fn may_have_forgotten(&self, id: &str) -> bool {
        let groups = self.groups.read().unwrap_or_else(PoisonError::into_inner);
        groups.has_forgotten() && groups.get(id).is_none()
    }

    /// The ids of all groups, and of those that were deleted.
    pub(crate) fn ids(&self) -> Vec<String> {
        let groups = self.groups.read().unwrap_or_else(PoisonError::into_inner);
        let mut ids: Vec<String> = groups.ids().cloned().collect();
        ids.sort_unstable();
        ids
    }

    /// How many groups and members there are.
    pub(crate) fn sizes(&self) -> (usize, usize) {
        let groups = self.groups.read().unwrap_or_else(PoisonError::into_inner);
        let living = groups.all().filter(|known| !known.group.is_deleted);
        living.fold((0, 0), |(count, members), known| {
            (count + 1, members + known.group.members)
        })
    }

    /// Whether one of a viewer's keys is a member, or one of the operator's people.
    pub(crate) fn is_insider(&self, id: &str, known: &Known, viewer: &Viewer) -> bool {
        let keys = viewer.pubkeys();
        let is_member =
            |user: &PublicKey| known.is_member(user) && !self.pending.withholds(id, user);
        self.rules.admins.contains_any(keys) || keys.iter().any(is_member)
    }

    /// Whether one of a viewer's keys has a right in a group.
    pub(crate) fn has_right(&self, id: &str, known: &Known, viewer: &Viewer, right: Right) -> bool {
        let keys = viewer.pubkeys();
        let has_right = |user: &PublicKey| {
            let roles = known.staff.get(user).into_iter().flatten();
            self.rules.roles.rights_of(roles).has(right)
        };
        let is_staff = keys.iter().any(has_right) && self.is_insider(id, known, viewer);
        is_staff || self.rules.admins.contains_any(keys)
    }

    /// Whether members alone read a group, be it since a moment ago.
    pub(crate) fn is_private(&self, id: &str, known: &Known) -> bool {
        known.group.is_private || self.pending.closes(id)
    }

    /// Whether members alone may know of a group, be it since a moment ago.
    pub(crate) fn is_hidden(&self, id: &str, known: &Known) -> bool {
        known.group.is_hidden || self.pending.hides(id)
    }

    /// Whether memory has yet to follow an event about a group, which may be the one that creates it.
    pub(crate) fn is_awaited(&self, id: &str) -> bool {
        self.pending.has(id)
    }

    /// From now on, until the event is followed, nobody whom it takes a right from has it.
    pub(crate) fn withhold(&self, id: &str, event: &EventId, what: Withheld) {
        self.pending.add(id, event, what);
    }

    /// The event is followed: what memory says counts again.
    pub(crate) fn settle(&self, event: &EventId) {
        self.pending.remove(&[*event]);
    }
}

impl GroupMembership for Directory {
    fn group(&self, id: &str) -> Result<Option<GroupFacts>, GroupsUnavailable> {
        let facts = self.look(id, |known| {
            let group = &known.group;
            (!group.is_deleted).then_some(GroupFacts {
                members: group.members,
                is_private: group.is_private,
                is_restricted: group.is_restricted,
                is_hidden: group.is_hidden,
                is_closed: group.is_closed,
                has_livekit: group.has_livekit,
            })
        });
        Ok(facts.flatten())
    }

    fn roles(
        &self,
        id: &str,
        pubkey: &PublicKey,
    ) -> Result<Option<Vec<String>>, GroupsUnavailable> {
        let roles = self.look(id, |known| {
            let is_member = known.is_member(pubkey)
                && !known.group.is_deleted
                && !self.pending.withholds(id, pubkey);
            is_member.then(|| known.staff.get(pubkey).cloned().unwrap_or_default())
        });
        Ok(roles.flatten())
    }
}
