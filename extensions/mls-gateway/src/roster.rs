//! Who belongs to a group, and what a change makes of it.
//!
//! Pure: no clock, no I/O. A roster has at least one owner for as long as it is, and the same changes in the same order make
//! the same roster wherever they are applied.

mod change;
mod refusal;

pub(crate) use change::{Authority, RosterChange, RosterOp, apply};
pub(crate) use refusal::RosterRefusal;

use std::collections::BTreeMap;
use trellis_relay::event::{EventId, PublicKey};

/// The members of a group with their roles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Roster {
    /// By key; never empty, never without an owner.
    pub(crate) members: BTreeMap<PublicKey, Role>,
    /// Of the last roster event (450); 0 before the first.
    pub(crate) seq: u64,
    /// The last roster event.
    pub(crate) event: Option<EventId>,
    /// Those before it, newest first and not many: each may come again, since a roster is written before its event is
    /// stored.
    pub(crate) earlier: Vec<EventId>,
}

/// What a member may do; each may do what those before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Role {
    /// Reads and writes.
    Member,
    /// Changes the roster.
    Admin,
    /// Cannot be removed while nobody else is owner.
    Owner,
}

impl Role {
    /// As it is stored and as tags say it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Role::Member => "member",
            Role::Admin => "admin",
            Role::Owner => "owner",
        }
    }

    /// The role of this name.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let all = [Role::Member, Role::Admin, Role::Owner];
        all.into_iter().find(|role| role.as_str() == name)
    }
}

impl Roster {
    /// A group of its owner alone.
    pub(crate) fn of_owner(owner: PublicKey) -> Self {
        Roster {
            members: BTreeMap::from([(owner, Role::Owner)]),
            seq: 0,
            event: None,
            earlier: Vec::new(),
        }
    }

    /// What this key is, if it is a member.
    pub(crate) fn role(&self, pubkey: &PublicKey) -> Option<Role> {
        self.members.get(pubkey).copied()
    }

    /// Whether any of these keys is a member.
    pub(crate) fn has_any(&self, pubkeys: &[PublicKey]) -> bool {
        pubkeys.iter().any(|key| self.members.contains_key(key))
    }

    /// Whether any of these keys is an admin or an owner.
    pub(crate) fn is_admin_any(&self, pubkeys: &[PublicKey]) -> bool {
        pubkeys
            .iter()
            .any(|key| self.role(key) >= Some(Role::Admin))
    }
}

#[cfg(test)]
mod tests;
