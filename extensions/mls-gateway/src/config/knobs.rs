//! What a policy key may be set to.

use schemars::JsonSchema;
use serde::Deserialize;

/// Groups of which no roster is known.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum UnmanagedGroups {
    /// Who names the group's exact id, 64 hex digits, may read and write without AUTH: to know it is the right.
    HCapability,
    /// As before, but only after AUTH.
    Authenticated,
    /// There are none: a group needs a roster.
    Deny,
}

/// Who may publish into a group with a roster.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ManagedPublish {
    /// A session with a member's key.
    Members,
    /// Anybody.
    Any,
}

/// Who sees KeyPackages.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Visibility {
    /// Everybody.
    Public,
    /// Whoever has authenticated.
    Authenticated,
}

/// What takes a KeyPackage out of stock.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Consume {
    /// Its owner's deletion, or an acknowledgement.
    Explicit,
    /// A REQ for its owner's packages.
    OnRead,
    /// Nothing but its end.
    Off,
}

/// Whether a gift wrap that names a group makes its recipient a member.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum GiftWrapMembership {
    /// If its author, or a key of the session, is an admin of the group.
    Admins,
    /// Never.
    Off,
    /// As "admins"; and for a group that nobody knows its authenticated sender becomes owner, its recipient member.
    First,
}

/// A tag that a KeyPackage may be asked for.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PackageTag {
    /// The owner.
    P,
    /// Until when it is good.
    Exp,
    /// Its ciphersuite.
    Cs,
    /// Its reference.
    Kpr,
}

impl PackageTag {
    /// The tag's name.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            PackageTag::P => "p",
            PackageTag::Exp => "exp",
            PackageTag::Cs => "cs",
            PackageTag::Kpr => "kpr",
        }
    }
}

/// Who says who is a member.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum MembershipSource {
    /// Roster events, and what else changes the gateway's own rosters.
    #[default]
    Roster,
    /// A server of the operator's.
    Acl,
}
