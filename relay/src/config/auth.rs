//! `[auth]`, `[auth.req]` and `[auth.event]`: who may read and write.
//!
//! Not here: deciding by these lists, which is the access policy's job.

use super::{IpRange, Pubkey};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Who may read and write. Clients may authenticate by NIP-42 whatever stands here.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Auth {
    /// Whether the lists of `[auth.req]` and `[auth.event]` are applied. Default true.
    pub enabled: bool,
    /// Whether every REQ, COUNT and EVENT needs an authenticated client, with lists or without. Default false.
    pub required: bool,
    /// The `pubkey_whitelist` of whichever of `[auth.req]` and `[auth.event]` has none of its own. Public keys. Default
    /// none.
    pub pubkey_whitelist: Option<Vec<Pubkey>>,
    /// Entries that the lists of the management API (NIP-86) may have, all together; one takes about 50 bytes of memory.
    /// Entries. Default 500000.
    pub max_managed_entries: u32,
    /// Who may read: REQ, COUNT and negentropy.
    pub req: ReqAccess,
    /// Who may write: EVENT.
    pub event: EventAccess,
}

/// Who may read. A list that is not set restricts nobody.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ReqAccess {
    /// Only clients from these addresses; CIDR. Default none: all.
    pub ip_whitelist: Option<Vec<IpRange>>,
    /// No client from these addresses; CIDR. Default none.
    pub ip_blacklist: Option<Vec<IpRange>>,
    /// Only clients authenticated as one of these. Public keys. Default none: all.
    pub pubkey_whitelist: Option<Vec<Pubkey>>,
    /// No client authenticated as one of these. Public keys. Default none.
    pub pubkey_blacklist: Option<Vec<Pubkey>>,
}

/// Who may write. A list that is not set restricts nobody.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EventAccess {
    /// Only clients from these addresses; CIDR. Default none: all.
    pub ip_whitelist: Option<Vec<IpRange>>,
    /// No client from these addresses; CIDR. Default none.
    pub ip_blacklist: Option<Vec<IpRange>>,
    /// Only clients authenticated as one of these. Public keys. Default none: all.
    pub pubkey_whitelist: Option<Vec<Pubkey>>,
    /// No client authenticated as one of these. Public keys. Default none.
    pub pubkey_blacklist: Option<Vec<Pubkey>>,
    /// Only events signed by one of these, whoever sends them. Public keys. Default none: all.
    pub event_pubkey_whitelist: Option<Vec<Pubkey>>,
    /// No event signed by one of these. Public keys. Default none.
    pub event_pubkey_blacklist: Option<Vec<Pubkey>>,
    /// Whether an event that `p`-tags a key of `event_pubkey_whitelist` or `pubkey_whitelist` is taken although its
    /// author or sender is on neither, so that outsiders can write to members. Default false.
    pub allow_mentioning_whitelisted_pubkeys: bool,
}

impl Default for Auth {
    fn default() -> Self {
        Self {
            enabled: true,
            required: false,
            pubkey_whitelist: None,
            max_managed_entries: 500_000,
            req: ReqAccess::default(),
            event: EventAccess::default(),
        }
    }
}
