//! What the table comes to.
//!
//! Invariant: made by [`Config::settle`](super::Config) alone, so that all of it is within bounds.

use super::{
    Consume, GiftWrapMembership, ManagedPublish, PackageTag, RateLimits, ServiceTokens,
    UnmanagedGroups, Visibility,
};
use std::collections::BTreeSet;
use trellis_relay::config::{IpRange, Secret};
use trellis_relay::extension::prelude::*;

/// What the table comes to, with profile, defaults and environment applied.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) database: Database,
    pub(crate) max_connections: u32,
    pub(crate) enable_api: bool,
    /// The prefix, then its aliases.
    pub(crate) api_prefixes: Vec<String>,
    pub(crate) service_tokens: ServiceTokens,
    pub(crate) service_token_ips: Vec<IpRange>,
    pub(crate) keypackage_ttl_s: u64,
    pub(crate) welcome_ttl_s: u64,
    pub(crate) max_mailbox_letters: u64,
    pub(crate) max_mailbox_bytes: u64,
    pub(crate) enable_message_archive: bool,
    pub(crate) message_archive_ttl_s: u64,
    pub(crate) keypackage_request_ttl_s: u64,
    pub(crate) roster_policy_ttl_s: u64,
    pub(crate) system_pubkey: Option<PublicKey>,
    pub(crate) admin_pubkeys: Pubkeys,
    pub(crate) keypackage_low_stock: Option<usize>,
    pub(crate) unmanaged_groups: UnmanagedGroups,
    pub(crate) managed_group_publish: ManagedPublish,
    pub(crate) require_auth_publish: Kinds,
    /// Of 443 and of 30443.
    pub(crate) keypackage_visibility: [Visibility; 2],
    pub(crate) keypackage_consume: Consume,
    pub(crate) keypackage_require_tags: BTreeSet<PackageTag>,
    pub(crate) max_keypackages_per_query: usize,
    pub(crate) giftwrap_require_h: bool,
    pub(crate) membership_from_giftwrap: GiftWrapMembership,
    /// Whether group ids that are not 64 hex digits may be used before anybody registered them.
    pub(crate) allow_guessable_ids: bool,
    pub(crate) allow_open_bootstrap: bool,
    pub(crate) author_can_read_own: bool,
    pub(crate) rate_limits: RateLimits,
    pub(crate) keypackage_cache_ttl_s: u64,
    pub(crate) group_cache_ttl_s: u64,
    pub(crate) max_cached_groups: usize,
    pub(crate) max_remembered_reads: usize,
    /// Of one group.
    pub(crate) max_group_members: usize,
    pub(crate) acl: Option<Acl>,
}

/// Where the gateway's own data are.
#[derive(Clone, Debug)]
pub(crate) enum Database {
    /// A URL or a path of sqlx's SQLite driver.
    Sqlite { url: Secret },
    /// A URL of PostgreSQL.
    Postgres { url: Secret },
    /// A project of Google's. A program without that backend only says so.
    #[cfg_attr(not(feature = "firestore"), allow(dead_code))]
    Firestore {
        project_id: String,
        batch_size: usize,
    },
}

/// `membership_source = "acl"`
#[derive(Clone, Debug)]
pub(crate) struct Acl {
    /// Without a slash at its end.
    pub(crate) url: String,
    pub(crate) token: Option<Secret>,
}
