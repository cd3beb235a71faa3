//! `[extensions.groups]`: the table as it is written, and how it becomes [`Rules`].
//!
//! Invariant: [`Rules`] are right: what is out of bounds is refused with its key while the table is read.

use crate::roles::{Right, Rights, Role, Roles};
use crate::rules::Rules;
use std::collections::{BTreeMap, BTreeSet};
use trellis_relay::extension::prelude::*;

/// `[extensions.groups]`. Every key may be absent.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Who may create groups: "anyone", "listed" (those in `creators`) or "admins". Default: "anyone".
    create_groups: CreateGroups,
    /// With "listed": who may create groups besides the admins.
    creators: Pubkeys,
    /// The operator's own people: every right in every group, and they may read all of them.
    admins: Pubkeys,
    /// Groups that one author may create in an hour, at least 1. Default: 10.
    #[schemars(range(min = 1))]
    max_new_groups_per_hour: Option<u32>,
    /// Groups that may be created from one address (of IPv6, one /64) in an hour, whoever their authors are, at least 1.
    /// Default: 30.
    #[schemars(range(min = 1))]
    max_new_groups_per_hour_per_address: Option<u32>,
    /// Groups in all; those that were deleted are not counted: 1 to 1000000. Default: 10000.
    #[schemars(range(min = 1, max = 1_000_000))]
    max_groups: Option<usize>,
    /// Bytes of a group's id: 8 to 128. Default: 64.
    #[schemars(range(min = 8, max = 128))]
    max_group_id_bytes: Option<usize>,
    /// Members and removed users of all groups together, who is in two counting twice: 100 to 100000000. Admins of groups add
    /// others up to three quarters of it. Default: 1000000.
    #[schemars(range(min = 100, max = 100_000_000))]
    max_users: Option<u64>,
    /// The same of all groups that one author has founded; the admins' are not bounded so: 10 to 100000000. Default: 20000.
    #[schemars(range(min = 10, max = 100_000_000))]
    max_users_per_founder: Option<u64>,
    /// Members of one group: 1 to 1000000. Default: 10000.
    #[schemars(range(min = 1, max = 1_000_000))]
    max_members: Option<usize>,
    /// Users that one group remembers as removed: 1 to 1000000; its members can be removed beyond that. Default: 1000.
    #[schemars(range(min = 1, max = 1_000_000))]
    max_removed_users: Option<usize>,
    /// Users of one group who have roles: 1 to 1000. Default: 200.
    #[schemars(range(min = 1, max = 1_000))]
    max_users_with_roles: Option<usize>,
    /// Members that kind 39002 lists; of a larger group it shows those with roles and as many others as there is room for:
    /// 0 (no such list) to 10000. Default: 1000.
    #[schemars(range(max = 10_000))]
    max_listed_members: Option<usize>,
    /// Invite codes of one group that are good at a time: 1 to 1000. Default: 100.
    #[schemars(range(min = 1, max = 1_000))]
    max_invites: Option<usize>,
    /// Pinned events of one group: 0 to 500. Default: 50.
    #[schemars(range(max = 500))]
    max_pins: Option<usize>,
    /// Groups below one group: 0 to 1000. Default: 100.
    #[schemars(range(max = 1_000))]
    max_children: Option<usize>,
    /// Seconds by which an event for a group may be older than the relay's clock: 60 to 31536000, or 0 for any age.
    /// Default: 3600.
    #[schemars(range(max = 31_536_000))]
    late_publication_window: Option<u64>,
    /// Events of a group that a `previous` tag may refer to, the newest ones: 50 to 500, or 0 so that references are not
    /// looked at. Default: 200.
    #[schemars(range(max = 500))]
    timeline_events: Option<usize>,
    /// References that a `previous` tag must have at least, as far as the group has events: 0 to 50. Default: 0.
    #[schemars(range(max = 50))]
    min_previous: Option<usize>,
    /// The role of whoever creates a group. Default: "admin".
    creator_role: Option<String>,
    /// The roles that have rights, by name. Those that stand here take the place of the built-in `admin` and `moderator`.
    roles: Option<BTreeMap<String, RoleTable>>,
}

/// `create_groups`
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum CreateGroups {
    /// Whoever may publish.
    #[default]
    Anyone,
    /// Those in `creators`, and the admins.
    Listed,
    /// The admins.
    Admins,
}

/// `[extensions.groups.roles.NAME]`
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct RoleTable {
    /// What it may do: "put-user", "remove-user", "edit-metadata", "delete-event", "delete-group", "create-invite",
    /// "update-pin-list".
    rights: BTreeSet<Right>,
    /// What clients show of it (kind 39003).
    description: String,
}

impl Config {
    /// The rules that the table asks for, on a relay that signs with this key. What is wrong is told with the key, what was
    /// found and what is allowed.
    pub(crate) fn settle(&self, relay: PublicKey) -> Result<Rules, String> {
        let roles = self.roles()?;
        let creator_role = self.creator_role.clone().unwrap_or("admin".to_owned());
        if !roles.rights_of([&creator_role]).has(Right::PutUser) {
            return Err(format!(
                "creator_role: found {creator_role:?}, wanted a role that has the right \"put-user\""
            ));
        }
        let day_s = 86_400;
        Ok(Rules {
            relay,
            admins: self.admins.clone(),
            create_groups: self.create_groups,
            creators: self.creators.clone(),
            max_new_groups_per_hour: within(
                "max_new_groups_per_hour",
                self.max_new_groups_per_hour,
                10,
                1..=u32::MAX,
            )?,
            max_new_groups_per_hour_per_address: within(
                "max_new_groups_per_hour_per_address",
                self.max_new_groups_per_hour_per_address,
                30,
                1..=u32::MAX,
            )?,
            max_users: within("max_users", self.max_users, 1_000_000, 100..=100_000_000)?,
            max_users_per_founder: within(
                "max_users_per_founder",
                self.max_users_per_founder,
                20_000,
                10..=100_000_000,
            )?,
            max_groups: within("max_groups", self.max_groups, 10_000, 1..=1_000_000)?,
            max_group_id_bytes: within("max_group_id_bytes", self.max_group_id_bytes, 64, 8..=128)?,
            max_members: within("max_members", self.max_members, 10_000, 1..=1_000_000)?,
            max_removed: within(
                "max_removed_users",
                self.max_removed_users,
                1_000,
                1..=1_000_000,
            )?,
            max_staff: within(
                "max_users_with_roles",
                self.max_users_with_roles,
                200,
                1..=1_000,
            )?,
            max_listed: within(
                "max_listed_members",
                self.max_listed_members,
                1_000,
                0..=10_000,
            )?,
            max_invites: within("max_invites", self.max_invites, 100, 1..=1_000)?,
            max_pins: within("max_pins", self.max_pins, 50, 0..=500)?,
            max_children: within("max_children", self.max_children, 100, 0..=1_000)?,
            late_window_s: or_zero(
                "late_publication_window",
                self.late_publication_window,
                3600,
                60..=365 * day_s,
            )?,
            timeline_events: or_zero("timeline_events", self.timeline_events, 200, 50..=500)?,
            min_previous: within("min_previous", self.min_previous, 0, 0..=50)?,
            creator_role,
            roles,
            is_replay: false,
        })
    }

    fn roles(&self) -> Result<Roles, String> {
        let Some(tables) = &self.roles else {
            return Ok(Roles::default());
        };
        let name_is_good = |name: &String| {
            !name.is_empty() && name.len() <= 64 && !name.contains(char::is_control)
        };
        if let Some(name) = tables.keys().find(|name| !name_is_good(name)) {
            return Err(format!(
                "roles: found {name:?}, wanted a name of 1 to 64 bytes without control characters"
            ));
        }
        let roles = tables.iter().map(|(name, table)| Role {
            name: name.clone(),
            rights: Rights::of(table.rights.iter().copied()),
            description: table.description.clone(),
        });
        Ok(Roles::new(roles.collect()))
    }
}

fn within<T: PartialOrd + std::fmt::Display + Copy>(
    key: &str,
    found: Option<T>,
    default: T,
    bounds: std::ops::RangeInclusive<T>,
) -> Result<T, String> {
    let found = found.unwrap_or(default);
    match bounds.contains(&found) {
        true => Ok(found),
        false => Err(format!(
            "{key}: found {found}, wanted {} to {}",
            bounds.start(),
            bounds.end()
        )),
    }
}

/// The same where 0 switches something off.
fn or_zero<T: PartialOrd + std::fmt::Display + Copy + Default>(
    key: &str,
    found: Option<T>,
    default: T,
    bounds: std::ops::RangeInclusive<T>,
) -> Result<T, String> {
    match found {
        Some(zero) if zero == T::default() => Ok(zero),
        found => within(key, found, default, bounds).map_err(|error| format!("{error}, or 0")),
    }
}

#[cfg(test)]
mod tests;
