//! `[extensions.mls_gateway]`: the table as it is written, and how it becomes [`Settings`].
//!
//! Invariant: [`Settings`] are right: what is out of bounds is refused with the key while the table is read, and what a
//! profile or the environment decides is decided in here.

mod addresses;
mod bounds;
mod database;
mod knobs;
mod profile;
mod rate_limits;
mod settings;

pub(crate) use database::Backend;
pub(crate) use knobs::{
    Consume, GiftWrapMembership, ManagedPublish, MembershipSource, PackageTag, UnmanagedGroups,
    Visibility,
};
pub(crate) use profile::Profile;
pub(crate) use rate_limits::RateLimits;
pub(crate) use settings::{Database, Settings};

use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::path::Path;
use trellis_relay::config::{IpRange, Secret};
use trellis_relay::extension::prelude::*;

/// `[extensions.mls_gateway]`. Every key may be absent.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Defaults for the policy below: "default", "seed002" or "strict".
    pub(crate) profile: Profile,
    /// Where rosters, mailboxes and the archive are: "sqlite", "postgres" (or "cloudsql"), "firestore".
    pub(crate) storage_backend: Backend,
    /// `sqlite:...` or `postgresql://...`; unless it is set the environment's `AUX_DB_URL`, and for SQLite the file
    /// `mls_auxiliary.db` in the data directory.
    pub(crate) database_url: Option<Secret>,
    /// Google's project, for Firestore; unless it is set the environment's `GOOGLE_CLOUD_PROJECT`.
    pub(crate) project_id: Option<String>,
    /// Connections to the database; twice the cores, at most 20, unless it is set.
    #[schemars(range(min = 1, max = 1000))]
    pub(crate) max_connections: Option<u32>,
    /// Documents in one write to Firestore.
    #[schemars(range(min = 1, max = 500))]
    pub(crate) firestore_batch_size: Option<usize>,

    /// Whether there are HTTP routes. Default: true.
    pub(crate) enable_api: Option<bool>,
    /// Where the routes are. Default: "/api/v1/mls".
    pub(crate) api_prefix: Option<String>,
    /// Where else they are. Default: ["/api/v1"].
    pub(crate) api_prefix_aliases: Option<Vec<String>>,
    /// Services that may call the routes for others, by name.
    pub(crate) service_tokens: ServiceTokens,
    /// Addresses that all services must come from, on top of what each token says. Empty: any.
    pub(crate) service_token_ips: Vec<IpRange>,

    /// Seconds for which a KeyPackage without `exp` and one in a mailbox is kept: 60 to 2592000. Default: 604800.
    #[schemars(range(min = 60, max = 2_592_000))]
    pub(crate) keypackage_ttl: Option<u64>,
    /// Seconds for which a Welcome in a mailbox is kept: 60 to 2592000. Default: 604800.
    #[schemars(range(min = 60, max = 2_592_000))]
    pub(crate) welcome_ttl: Option<u64>,
    /// Letters in one recipient's mailbox for KeyPackages, and as many in that for Welcomes; one sender may put a tenth
    /// of them there. Default: 1000.
    #[schemars(range(min = 10, max = 100_000))]
    pub(crate) max_mailbox_letters: Option<u64>,
    /// Bytes of one such mailbox; one sender may fill a quarter of it. Default: 16777216.
    #[schemars(range(min = 4_194_304, max = 1_073_741_824))]
    pub(crate) max_mailbox_bytes: Option<u64>,
    /// Whether messages are archived for members who were offline. Default: true.
    pub(crate) enable_message_archive: Option<bool>,
    /// Days for which the archive keeps a message. Default: 30.
    #[schemars(range(min = 1, max = 3650))]
    pub(crate) message_archive_ttl_days: Option<u64>,
    /// Seconds after which a request for KeyPackages (447) expires. Default: 604800.
    #[schemars(range(min = 60, max = 2_592_000))]
    pub(crate) keypackage_request_ttl: Option<u64>,
    /// Days for which roster events (450) are kept; membership outlives them. Default: 365.
    #[schemars(range(min = 1, max = 36_500))]
    pub(crate) roster_policy_ttl_days: Option<u64>,

    /// Who may ask for KeyPackages (447) besides the admins.
    pub(crate) system_pubkey: Option<Pubkey>,
    /// Who may found groups, change any roster and ask for KeyPackages.
    pub(crate) admin_pubkeys: Pubkeys,
    /// Below so many live KeyPackages the relay itself asks their owner for more. Unset: never.
    #[schemars(range(min = 1, max = 15))]
    pub(crate) keypackage_low_stock: Option<usize>,

    /// Groups without a roster: "h_capability", "authenticated" or "deny".
    pub(crate) unmanaged_groups: Option<UnmanagedGroups>,
    /// Who may publish into a group with a roster: "members" or "any".
    pub(crate) managed_group_publish: Option<ManagedPublish>,
    /// Kinds that only the authenticated may publish. Default: [443, 446, 447, 450].
    pub(crate) require_auth_publish: Option<Vec<u16>>,
    /// Who sees KeyPackages, by kind: "public" or "authenticated".
    pub(crate) keypackage_visibility: VisibilityTable,
    /// What a read of a KeyPackage does to it: "explicit", "on_read" or "off".
    pub(crate) keypackage_consume: Option<Consume>,
    /// Tags without which a KeyPackage is refused: "p", "exp", "cs", "kpr".
    pub(crate) keypackage_require_tags: Option<BTreeSet<PackageTag>>,
    /// KeyPackages that one read may consume of one owner, with "on_read": 1 or 2.
    #[schemars(range(min = 1, max = 2))]
    pub(crate) max_keypackages_per_query: Option<usize>,
    /// Whether gift wraps must name a group.
    pub(crate) giftwrap_require_h: Option<bool>,
    /// Whether a gift wrap that names a group makes its recipient a member: "admins", "off" or "first".
    pub(crate) membership_from_giftwrap: Option<GiftWrapMembership>,
    /// Whether anybody may found a group with a roster.
    pub(crate) allow_open_bootstrap: Option<bool>,
    /// Whether senders may read back what they sent to others (446, 447, 1059).
    pub(crate) author_can_read_own: Option<bool>,

    /// How often one may publish.
    pub(crate) rate_limits: RateLimits,

    /// Seconds for which counts of KeyPackages are remembered. Default: 300.
    #[schemars(range(min = 1, max = 86_400))]
    pub(crate) keypackage_cache_ttl: Option<u64>,
    /// Seconds for which a group's members are remembered where other instances cannot be heard. Default: 60.
    #[schemars(range(min = 1, max = 86_400))]
    pub(crate) group_cache_ttl: Option<u64>,
    /// Groups in memory; as many rosters are kept for a while of which the event is not stored yet, of ten times as many
    /// members together. Default: 100000.
    #[schemars(range(min = 100, max = 10_000_000))]
    pub(crate) max_cached_groups: Option<usize>,
    /// With "on_read": reads of the last second of which it is remembered what they took. Default: 10000.
    #[schemars(range(min = 100, max = 1_000_000))]
    pub(crate) max_remembered_reads: Option<usize>,
    /// Members of one group, with its owner: 2 to 15000. Default: 10000.
    #[schemars(range(min = 2, max = 15_000))]
    pub(crate) max_group_members: Option<usize>,
    /// Who says who is a member: "roster" or "acl".
    pub(crate) membership_source: MembershipSource,
    /// With "acl": the server that is asked `GET {acl_url}/groups/{id}/members`.
    pub(crate) acl_url: Option<String>,
    /// With "acl": the bearer token that it wants.
    pub(crate) acl_token: Option<Secret>,
}

/// `keypackage_visibility`
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct VisibilityTable {
    /// Kind 443. Default: "authenticated".
    #[serde(rename = "443")]
    pub(crate) key_package: Option<Visibility>,
    /// Kind 30443. Default: "public".
    #[serde(rename = "30443")]
    pub(crate) addressable: Option<Visibility>,
}

impl Config {
    /// The settings that the table asks for. `environment` gives a variable's value; what is wrong is told with the key,
    /// what was found and what is allowed.
    pub(crate) fn settle(
        &self,
        environment: impl Fn(&str) -> Option<String>,
        data_dir: &Path,
    ) -> Result<Settings, String> {
        let defaults = self.profile.knobs();
        self.check_ranges()?;
        Ok(Settings {
            database: self.database(&environment, data_dir)?,
            max_connections: self.max_connections.unwrap_or_else(default_connections),
            enable_api: self.enable_api.unwrap_or(true),
            api_prefixes: self.prefixes()?,
            service_tokens: self.service_tokens.clone(),
            service_token_ips: self.service_token_ips.clone(),
            keypackage_ttl_s: self.keypackage_ttl.unwrap_or(WEEK_S),
            welcome_ttl_s: self.welcome_ttl.unwrap_or(WEEK_S),
            max_mailbox_letters: self.max_mailbox_letters.unwrap_or(1000),
            max_mailbox_bytes: self.max_mailbox_bytes.unwrap_or(16 << 20),
            enable_message_archive: self.enable_message_archive.unwrap_or(true),
            message_archive_ttl_s: self.message_archive_ttl_days.unwrap_or(30) * DAY_S,
            keypackage_request_ttl_s: self.keypackage_request_ttl.unwrap_or(WEEK_S),
            roster_policy_ttl_s: self.roster_policy_ttl_days.unwrap_or(365) * DAY_S,
            system_pubkey: self.system_pubkey.map(|it| *it.key()),
            admin_pubkeys: self.admin_pubkeys.clone(),
            keypackage_low_stock: self.keypackage_low_stock,
            unmanaged_groups: self.unmanaged_groups.unwrap_or(defaults.unmanaged_groups),
            managed_group_publish: self
                .managed_group_publish
                .unwrap_or(defaults.managed_group_publish),
            require_auth_publish: match &self.require_auth_publish {
                Some(kinds) => kinds.iter().copied().collect(),
                None => defaults.require_auth_publish,
            },
            keypackage_visibility: [
                self.keypackage_visibility
                    .key_package
                    .unwrap_or(Visibility::Authenticated),
                self.keypackage_visibility
                    .addressable
                    .unwrap_or(defaults.addressable_visibility),
            ],
            keypackage_consume: self.keypackage_consume.unwrap_or(Consume::Explicit),
            keypackage_require_tags: self
                .keypackage_require_tags
                .clone()
                .unwrap_or(defaults.keypackage_require_tags),
            max_keypackages_per_query: self.max_keypackages_per_query.unwrap_or(1),
            giftwrap_require_h: self
                .giftwrap_require_h
                .unwrap_or(defaults.giftwrap_require_h),
            membership_from_giftwrap: self
                .membership_from_giftwrap
                .unwrap_or(defaults.membership_from_giftwrap),
            allow_guessable_ids: defaults.allow_guessable_ids,
            allow_open_bootstrap: self.allow_open_bootstrap.unwrap_or(false),
            author_can_read_own: self.author_can_read_own.unwrap_or(false),
            rate_limits: self.rate_limits.settled(),
            keypackage_cache_ttl_s: self.keypackage_cache_ttl.unwrap_or(300),
            group_cache_ttl_s: self.group_cache_ttl.unwrap_or(60),
            max_cached_groups: self.max_cached_groups.unwrap_or(100_000),
            max_remembered_reads: self.max_remembered_reads.unwrap_or(10_000),
            max_group_members: self.max_group_members.unwrap_or(10_000),
            acl: self.acl()?,
        })
    }
}

const DAY_S: u64 = 86_400;
const WEEK_S: u64 = 7 * DAY_S;

fn default_connections() -> u32 {
    let cores = std::thread::available_parallelism().map_or(1, |it| it.get());
    (2 * cores).min(20) as u32
}

#[cfg(test)]
mod tests;
