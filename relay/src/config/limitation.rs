//! `[limitation]`: what a client may send.
//!
//! Invariant: each of these is enforced, and those that NIP-11 has a name for are stated in its document. Not here: rates
//! (`[rate_limiter]`) and connections (`[network]`).

use super::{ByteSize, Kinds, TimeSpan};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a client may send; stated in the NIP-11 document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limitation {
    /// One message of a client, its continuation frames together. Bytes. Default "512KiB".
    pub max_message_length: ByteSize,
    /// Open subscriptions on one connection. Default 100.
    #[schemars(range(min = 1))]
    pub max_subscriptions: u32,
    /// Memory that the filters of all open subscriptions of a connection may take. Bytes. Default "4MiB".
    pub max_subscription_bytes: ByteSize,
    /// Stored queries of a connection that run at once; further ones wait their turn. Queries. Default 8.
    #[schemars(range(min = 1))]
    pub max_running_queries: u32,
    /// Filters in one REQ or COUNT. Default 20.
    #[schemars(range(min = 1))]
    pub max_filters: u32,
    /// Values under one key of a filter: ids, authors, kinds or one tag's. Default 2000.
    #[schemars(range(min = 1))]
    pub max_filter_values: u32,
    /// Stored events one filter returns at most; a larger `limit` is lowered to it. Events. Default 1000.
    #[schemars(range(min = 1))]
    pub max_limit: u32,
    /// Stored events a filter without `limit` returns. Events, at most `max_limit`. Default none: `max_limit`.
    #[schemars(range(min = 1))]
    pub default_limit: Option<u32>,
    /// Length of a subscription id. Characters. Default 64.
    #[schemars(range(min = 1))]
    pub max_subid_length: u32,
    /// Taken over from other relays' configurations; has no effect, since ids and keys are always compared whole. Default
    /// none.
    pub min_prefix: Option<u32>,
    /// Tags of one event. Default 5000.
    pub max_event_tags: u32,
    /// All strings of one tag together. Bytes. Default "64KiB".
    pub max_tag_bytes: ByteSize,
    /// Length of an event's content. Unicode characters. Default none: `max_message_length` bounds it.
    pub max_content_length: Option<u32>,
    /// How far in the past an event's `created_at` may lie. A time. Default none: any time.
    pub max_event_time_older_than_now: Option<TimeSpan>,
    /// How far in the future an event's `created_at` may lie. A time. Default "15m".
    pub max_event_time_newer_than_now: TimeSpan,
    /// Kinds whose `created_at` is not held against the clock; gift wraps are dated back on purpose. Kinds and ranges.
    /// Default `[1059]`.
    pub created_at_exempt_kinds: Kinds,
}

impl Limitation {
    /// Stored events that a filter with this `limit` returns at most.
    pub fn effective_limit(&self, asked: Option<u64>) -> u64 {
        let max = u64::from(self.max_limit);
        match asked {
            Some(asked) => asked.min(max),
            None => self
                .default_limit
                .map_or(max, |limit| u64::from(limit).min(max)),
        }
    }
}

impl Default for Limitation {
    fn default() -> Self {
        Self {
            max_message_length: ByteSize::from_kib(512),
            max_subscriptions: 100,
            max_subscription_bytes: ByteSize::from_mib(4),
            max_running_queries: 8,
            max_filters: 20,
            max_filter_values: 2_000,
            max_limit: 1_000,
            default_limit: None,
            max_subid_length: 64,
            min_prefix: None,
            max_event_tags: 5_000,
            max_tag_bytes: ByteSize::from_kib(64),
            max_content_length: None,
            max_event_time_older_than_now: None,
            max_event_time_newer_than_now: TimeSpan::from_secs(900),
            created_at_exempt_kinds: Kinds::from([1059]),
        }
    }
}
