//! Named sets of defaults; any key of the table goes before its profile.

use super::knobs::{GiftWrapMembership, ManagedPublish, PackageTag, UnmanagedGroups, Visibility};
use crate::kinds::{
    ADDRESSABLE_KEY_PACKAGE, GIFT_WRAP, GROUP_MESSAGE, KEY_PACKAGE, KEY_PACKAGE_REQUEST,
    NOISE_MESSAGE, ROSTER,
};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeSet;
use trellis_relay::extension::Kinds;

/// `profile`
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Profile {
    /// Unmodified Marmot clients work, and so do those that keep rosters.
    #[default]
    Default,
    /// A messenger whose first Welcome founds the group, and whose group ids may be words.
    Seed002,
    /// Everybody authenticates for everything, and every group has a roster.
    Strict,
}

/// What profiles differ in.
pub(crate) struct Knobs {
    pub(crate) unmanaged_groups: UnmanagedGroups,
    pub(crate) managed_group_publish: ManagedPublish,
    pub(crate) require_auth_publish: Kinds,
    pub(crate) addressable_visibility: Visibility,
    pub(crate) keypackage_require_tags: BTreeSet<PackageTag>,
    pub(crate) giftwrap_require_h: bool,
    pub(crate) membership_from_giftwrap: GiftWrapMembership,
    pub(crate) allow_guessable_ids: bool,
}

impl Profile {
    pub(crate) fn knobs(self) -> Knobs {
        let signed = [KEY_PACKAGE, NOISE_MESSAGE, KEY_PACKAGE_REQUEST, ROSTER];
        let default = Knobs {
            unmanaged_groups: UnmanagedGroups::HCapability,
            managed_group_publish: ManagedPublish::Members,
            require_auth_publish: signed.into_iter().collect(),
            addressable_visibility: Visibility::Public,
            keypackage_require_tags: BTreeSet::new(),
            giftwrap_require_h: false,
            membership_from_giftwrap: GiftWrapMembership::Admins,
            allow_guessable_ids: false,
        };
        match self {
            Profile::Default => default,
            Profile::Seed002 => Knobs {
                membership_from_giftwrap: GiftWrapMembership::First,
                allow_guessable_ids: true,
                ..default
            },
            Profile::Strict => {
                let rest = [GROUP_MESSAGE, GIFT_WRAP, ADDRESSABLE_KEY_PACKAGE];
                let tags = [
                    PackageTag::P,
                    PackageTag::Exp,
                    PackageTag::Cs,
                    PackageTag::Kpr,
                ];
                Knobs {
                    unmanaged_groups: UnmanagedGroups::Deny,
                    require_auth_publish: signed.into_iter().chain(rest).collect(),
                    addressable_visibility: Visibility::Authenticated,
                    keypackage_require_tags: tags.into(),
                    giftwrap_require_h: false,
                    ..default
                }
            }
        }
    }
}
