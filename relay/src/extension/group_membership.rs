//! Who belongs to which group: what an extension that runs groups (NIP-29) offers to those that let members do things.
//!
//! Invariant: answers come from memory, so they may be asked for on the way of an event; what cannot be told is an error,
//! never "no such group" or "not a member".

use nostr::key::PublicKey;

/// The service; look it up with [`super::Host::service`].
///
/// ```
/// use trellis_relay::extension::prelude::*;
/// use trellis_relay::extension::GroupMembership;
///
/// fn may_join(host: &Host, group: &str, who: &PublicKey) -> Result<bool, Reason> {
///     let Some(groups) = host.service::<dyn GroupMembership>().get() else {
///         return Err(Reason::error("no extension runs groups here"));
///     };
///     match groups.roles(group, who) {
///         Ok(roles) => Ok(roles.is_some()),
///         Err(unavailable) => Err(Reason::error(unavailable.to_string())),
///     }
/// }
/// ```
pub trait GroupMembership: Send + Sync {
    /// What is to be known of a group; nothing if this relay runs no such group.
    fn group(&self, id: &str) -> Result<Option<GroupFacts>, GroupsUnavailable>;

    /// The roles somebody has in a group, empty for a plain member; nothing for those who are no members, and where there is
    /// no such group.
    fn roles(&self, id: &str, pubkey: &PublicKey)
    -> Result<Option<Vec<String>>, GroupsUnavailable>;
}

/// A group as its metadata has it (NIP-29, kind 39000).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupFacts {
    /// How many members it has.
    pub members: usize,
    /// Only members read it.
    pub is_private: bool,
    /// Only members write to it.
    pub is_restricted: bool,
    /// Only members learn that it exists.
    pub is_hidden: bool,
    /// Nobody joins without an invite.
    pub is_closed: bool,
    /// It has calls by LiveKit.
    pub has_livekit: bool,
}

/// The groups cannot be told at the moment, for instance while they are loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the relay's groups are not loaded yet; try again in a moment")]
pub struct GroupsUnavailable;
