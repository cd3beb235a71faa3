//! What is known of one group.
//!
//! Invariant: all of it follows from the group's moderation events in the order in which they were stored. It is kept in
//! parts, by how often they are needed: every message asks for [`Group`], and no message for who has which role.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use trellis_relay::event::{EventId, PublicKey};

/// What decides about messages: who may write what, and how many are in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Group {
    /// Members alone read it.
    pub(crate) is_private: bool,
    /// Members alone write to it.
    pub(crate) is_restricted: bool,
    /// Members alone learn of it.
    pub(crate) is_hidden: bool,
    /// Nobody joins without an invite.
    pub(crate) is_closed: bool,
    /// It has calls.
    pub(crate) has_livekit: bool,
    /// Kinds that may be written to it; all, if nothing is said.
    pub(crate) supported_kinds: Option<Vec<u16>>,
    pub(crate) members: usize,
    pub(crate) removed: usize,
    pub(crate) parent: Option<String>,
    /// Whose share of the room for users it takes; nobody's where this is not known.
    pub(crate) founder: Option<PublicKey>,
    /// It is gone: nothing of it is shown, and nobody uses its id again.
    pub(crate) is_deleted: bool,
}

impl Group {
    /// Members and removed users; of a group that is gone nobody is counted.
    pub(crate) fn users(&self) -> u64 {
        match self.is_deleted {
            true => 0,
            false => (self.members + self.removed) as u64,
        }
    }

    /// What a group is taken for of which nothing is known but that there is one.
    pub(crate) fn closed_to_all() -> Self {
        Group {
            is_private: true,
            is_restricted: true,
            is_hidden: true,
            is_closed: true,
            ..Group::default()
        }
    }
}

/// What is shown of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Display {
    pub(crate) name: Option<String>,
    pub(crate) picture: Option<String>,
    pub(crate) banner: Option<String>,
    pub(crate) about: Option<String>,
    /// Of the groups below it, in their order.
    pub(crate) children: Vec<String>,
    pub(crate) pins: Vec<Pin>,
}

/// A pinned event: by its id (`e`), or by its address (`a`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pin {
    pub(crate) letter: char,
    pub(crate) value: String,
}

/// Members that have roles, and which.
pub(crate) type Staff = BTreeMap<PublicKey, Vec<String>>;

/// What a group knows of somebody. Of most people it knows nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Member,
    /// An admin has removed them: they neither write nor join, unless somebody invites them.
    Removed,
}

/// A code that lets in whoever says it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Invite {
    /// SHA-256 of the code in hex, since a code is a secret.
    pub(crate) code_sha256: String,
    /// The event that made it, with which it goes.
    pub(crate) event: EventId,
    pub(crate) expires_at_s: Option<u64>,
    /// When that event says it was made: who was removed later does not come back by it.
    #[serde(default)]
    pub(crate) made_at_s: u64,
}

impl Invite {
    pub(crate) fn is_good_at(&self, now_s: u64) -> bool {
        self.expires_at_s.is_none_or(|at_s| at_s > now_s)
    }
}
