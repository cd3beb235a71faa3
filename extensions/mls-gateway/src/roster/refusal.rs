//! Why a roster is not changed, and what its author is told.

use trellis_relay::reason::Reason;

/// Why not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RosterRefusal {
    /// This very event was the last that changed it.
    #[error("the roster holds this change already")]
    Applied,
    /// Another event with this number, or a greater one, was there first.
    #[error("stale sequence")]
    Stale,
    /// The number is so great that few would be left.
    #[error("seq is more than 2^32 beyond the last")]
    TooFarAhead,
    /// There is no roster to be changed.
    #[error("bootstrap required")]
    BootstrapRequired,
    /// There is a roster already.
    #[error("the group has a roster already")]
    Exists,
    /// Promoted or demoted was somebody who is no member.
    #[error("only members can be promoted or demoted")]
    NotMember,
    /// Nobody would own the group.
    #[error("the last owner cannot be removed or demoted")]
    NoOwnerLeft,
    /// The author may not found groups.
    #[error("only admins of this relay may found groups")]
    BootstrapNotAllowed,
    /// The author is no admin of the group.
    #[error("only admins of the group may change its roster")]
    NotAdmin,
    /// The author is an admin and would make or unmake owners.
    #[error("only owners may make and unmake owners")]
    NotOwner,
}

impl From<RosterRefusal> for Reason {
    fn from(refusal: RosterRefusal) -> Self {
        let text = refusal.to_string();
        match refusal {
            RosterRefusal::Applied => Reason::duplicate(text),
            RosterRefusal::Stale
            | RosterRefusal::TooFarAhead
            | RosterRefusal::BootstrapRequired
            | RosterRefusal::Exists
            | RosterRefusal::NotMember
            | RosterRefusal::NoOwnerLeft => Reason::invalid(text),
            RosterRefusal::BootstrapNotAllowed
            | RosterRefusal::NotAdmin
            | RosterRefusal::NotOwner => Reason::restricted(text),
        }
    }
}
