//! Roles and what they allow.
//!
//! Invariant: rights come from the operator's table alone; a role that does not stand there is a word that clients may show
//! and that allows nothing. Nobody gives or takes away rights that they do not have.

use schemars::JsonSchema;
use serde::Deserialize;

/// What one may do to a group: the names that NIP-29 has for its moderation events.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Right {
    /// Kind 9000: add users and set their roles.
    PutUser,
    /// Kind 9001: remove users.
    RemoveUser,
    /// Kind 9002: change what is said of the group and who may read, write and join.
    EditMetadata,
    /// Kind 9005: delete events.
    DeleteEvent,
    /// Kind 9008: delete the group.
    DeleteGroup,
    /// Kind 9009: make invite codes.
    CreateInvite,
    /// Kind 9010: choose what is pinned.
    UpdatePinList,
}

impl Right {
    const ALL: [Right; 7] = [
        Right::PutUser,
        Right::RemoveUser,
        Right::EditMetadata,
        Right::DeleteEvent,
        Right::DeleteGroup,
        Right::CreateInvite,
        Right::UpdatePinList,
    ];

    /// Its name in NIP-29 and in the configuration.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Right::PutUser => "put-user",
            Right::RemoveUser => "remove-user",
            Right::EditMetadata => "edit-metadata",
            Right::DeleteEvent => "delete-event",
            Right::DeleteGroup => "delete-group",
            Right::CreateInvite => "create-invite",
            Right::UpdatePinList => "update-pin-list",
        }
    }
}

/// A set of rights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rights(u8);

impl Rights {
    pub(crate) fn all() -> Self {
        Rights::of(Right::ALL)
    }

    pub(crate) fn of(rights: impl IntoIterator<Item = Right>) -> Self {
        let bits = rights.into_iter().map(|right| 1 << right as u8);
        Rights(bits.fold(0, |all, bit: u8| all | bit))
    }

    pub(crate) fn has(self, right: Right) -> bool {
        self.0 & (1 << right as u8) != 0
    }

    pub(crate) fn has_all(self, others: Rights) -> bool {
        others.0 & !self.0 == 0
    }

    pub(crate) const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// A role that has rights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Role {
    pub(crate) name: String,
    pub(crate) rights: Rights,
    pub(crate) description: String,
}

/// All of them, in the order in which kind 39003 lists them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Roles(Vec<Role>);

impl Default for Roles {
    fn default() -> Self {
        let moderator = [
            Right::RemoveUser,
            Right::DeleteEvent,
            Right::CreateInvite,
            Right::UpdatePinList,
        ];
        Roles(vec![
            Role {
                name: "admin".to_owned(),
                rights: Rights::all(),
                description: "may do everything in the group".to_owned(),
            },
            Role {
                name: "moderator".to_owned(),
                rights: Rights::of(moderator),
                description: "removes users and events, invites users and pins events".to_owned(),
            },
        ])
    }
}

impl Roles {
    pub(crate) fn new(roles: Vec<Role>) -> Self {
        Roles(roles)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Role> {
        self.0.iter()
    }

    /// What roles of these names allow together.
    pub(crate) fn rights_of<'n>(&self, names: impl IntoIterator<Item = &'n String>) -> Rights {
        let names = names.into_iter();
        let known = names.filter_map(|name| self.0.iter().find(|role| role.name == *name));
        known.fold(Rights::default(), |all, role| Rights(all.0 | role.rights.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn g1_a_role_that_the_operator_does_not_know_allows_nothing() {
        let roles = Roles::default();
        let rights = |name: &str| roles.rights_of([&name.to_owned()]);
        assert_eq!(rights("gardener"), Rights::default());
        assert_eq!(rights("admin"), Rights::all());
        assert!(rights("moderator").has(Right::DeleteEvent));
        assert!(!rights("moderator").has(Right::PutUser));
        assert!(rights("admin").has_all(rights("moderator")));
        assert!(!rights("moderator").has_all(rights("admin")));
    }
}
