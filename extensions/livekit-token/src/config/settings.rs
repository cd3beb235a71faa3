//! What the table comes to.
//!
//! Invariant: made by [`Config::settle`](super::Config) alone, so that all of it is within bounds.

use super::{Bounds, TokenResponse};
use trellis_relay::config::Secret;
use trellis_relay::extension::prelude::*;
use url::Url;

/// What the table comes to, with defaults and environment applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    /// As the relay reaches it.
    pub(crate) livekit_url: String,
    /// As clients reach it.
    pub(crate) livekit_client_url: String,
    pub(crate) livekit_api_key: String,
    pub(crate) livekit_api_secret: Secret,
    pub(crate) webhook_key: String,
    pub(crate) webhook_secret: Secret,
    /// Without a slash at its end.
    pub(crate) operator_url: Option<String>,
    /// The Host name of the routes, if they have one of their own.
    pub(crate) route_host: Option<String>,
    pub(crate) relay_url: Option<String>,
    pub(crate) blossom_url: Option<Url>,
    pub(crate) communities: bool,
    /// Empty: all.
    pub(crate) authorized_communities: Pubkeys,
    pub(crate) nostr_relays: Vec<String>,
    pub(crate) federation: bool,
    /// Of requests to `POST /token`.
    pub(crate) nip98_time_window_s: u64,
    /// Of other requests, and of events in their bodies.
    pub(crate) clock_tolerance_s: u64,
    pub(crate) token_expiry_s: u64,
    pub(crate) token_cache_ttl_s: u64,
    pub(crate) token_response: TokenResponse,
    pub(crate) redis_url: Option<Secret>,
    pub(crate) tokens_per_pubkey: u32,
    pub(crate) tokens_per_ip: u32,
    pub(crate) proxied_per_pubkey: u32,
    pub(crate) uploads_per_pubkey: u32,
    pub(crate) commits_per_pubkey: u32,
    /// What these five are counted in.
    pub(crate) rate_window_s: u64,
    /// In lower case.
    pub(crate) proxy_allowed_hosts: Vec<String>,
    pub(crate) proxy_bytes_max: usize,
    pub(crate) proxied_at_a_time: usize,
    pub(crate) maintenance: bool,
    /// Since 1970.
    pub(crate) maintenance_deadline_s: Option<u64>,
    pub(crate) room_participants_max: u32,
    pub(crate) room_empty_timeout_s: u32,
    pub(crate) participants_poll_s: u64,
    pub(crate) rooms_reconcile_s: u64,
    pub(crate) closed_space_ttl_s: u64,
    pub(crate) offer_ttl_s: u64,
    pub(crate) bounds: Bounds,
}

impl Settings {
    /// Whether a running instance can take these over in place of its own: they differ in nothing that anything was built
    /// from.
    pub(crate) fn can_follow(&self, other: &Settings) -> bool {
        let as_before = Settings {
            maintenance: other.maintenance,
            maintenance_deadline_s: other.maintenance_deadline_s,
            token_response: other.token_response,
            token_expiry_s: other.token_expiry_s,
            token_cache_ttl_s: other.token_cache_ttl_s,
            ..self.clone()
        };
        as_before == *other
    }
}
