//! What the operator has decided, as policy asks for it.

use crate::config::CreateGroups;
use crate::roles::Roles;
use trellis_relay::extension::prelude::*;

/// The table with its defaults; made by [`crate::Config::settle`] alone, so that all of it is within bounds.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    /// Who signs what is said of groups.
    pub(crate) relay: PublicKey,
    pub(crate) admins: Pubkeys,
    pub(crate) create_groups: CreateGroups,
    pub(crate) creators: Pubkeys,
    pub(crate) max_new_groups_per_hour: u32,
    pub(crate) max_new_groups_per_hour_per_address: u32,
    pub(crate) max_groups: usize,
    pub(crate) max_group_id_bytes: usize,
    pub(crate) max_users: u64,
    pub(crate) max_users_per_founder: u64,
    pub(crate) max_members: usize,
    pub(crate) max_removed: usize,
    pub(crate) max_staff: usize,
    pub(crate) max_listed: usize,
    pub(crate) max_invites: usize,
    pub(crate) max_pins: usize,
    pub(crate) max_children: usize,
    /// 0 is any age.
    pub(crate) late_window_s: u64,
    /// 0 switches the check of references off.
    pub(crate) timeline_events: usize,
    pub(crate) min_previous: usize,
    pub(crate) creator_role: String,
    pub(crate) roles: Roles,
    /// Events are folded that were judged before: nobody is asked for rights, and nothing is too much.
    pub(crate) is_replay: bool,
}

impl Rules {
    /// Whether this is the relay or one of the operator's people, who may do everything everywhere.
    pub(crate) fn is_above_groups(&self, pubkey: &PublicKey) -> bool {
        *pubkey == self.relay || self.admins.contains(pubkey)
    }

    /// Whether somebody may create groups.
    pub(crate) fn may_create(&self, pubkey: &PublicKey) -> bool {
        self.is_above_groups(pubkey)
            || match self.create_groups {
                CreateGroups::Anyone => true,
                CreateGroups::Listed => self.creators.contains(pubkey),
                CreateGroups::Admins => false,
            }
    }

    /// Up to how many users in all admins of groups may add others or remove strangers: the last quarter is for those who
    /// join, or found groups, by an event of their own.
    pub(crate) fn max_users_by_others(&self) -> u64 {
        self.max_users - self.max_users / 4
    }

    /// The same rules for events that were judged before.
    pub(crate) fn for_replay(&self) -> Self {
        Rules {
            is_replay: true,
            max_groups: usize::MAX,
            max_users: u64::MAX,
            max_users_per_founder: u64::MAX,
            max_members: usize::MAX,
            max_removed: usize::MAX,
            max_staff: usize::MAX,
            max_invites: usize::MAX,
            max_pins: usize::MAX,
            max_children: usize::MAX,
            timeline_events: 0,
            ..self.clone()
        }
    }
}
