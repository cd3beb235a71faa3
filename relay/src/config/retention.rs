//! `[[retention]]`: what is given up when it is old or when there is much of it.
//!
//! Not here: carrying it out, which is [`crate::retention`]'s job, and events that name their own end (NIP-40).

use super::{Kinds, Pubkey, TimeSpan};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One rule: of these kinds by these authors, what is older than `max_age` is removed, and what is not among the newest
/// `max_count`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RetentionRule {
    /// Kinds and ranges the rule is about. Default none: every kind.
    pub kinds: Option<Kinds>,
    /// Authors the rule is about, by npub or hex. Default none: every author.
    pub authors: Option<Vec<Pubkey>>,
    /// Events whose `created_at` lies further back are removed. A time. Default none: none is too old.
    pub max_age: Option<TimeSpan>,
    /// So many of the newest by `created_at` are kept, the others removed. Events. Default none: all are kept.
    #[schemars(range(min = 1))]
    pub max_count: Option<u32>,
    /// Whether `max_count` is for all events of the rule together or for each author. Default "relay".
    pub per: KeptPer,
}

/// What `max_count` is counted over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeptPer {
    /// All events of the rule together.
    #[default]
    Relay,
    /// Each author's events.
    Author,
}
