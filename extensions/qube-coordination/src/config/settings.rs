//! What is in force: every key with its value.

use super::{Alerts, Mirror, NetworkTable, NodeIdentity, VoteScope};
use trellis_relay::config::Secret;
use trellis_relay::extension::http::ServiceTokens;
use url::Url;

/// The table of the extension, checked and filled up with defaults.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) api_prefix: String,
    /// `None`: there is no page.
    pub(crate) dashboard_path: Option<String>,
    /// Of changes, at a time.
    pub(crate) max_listeners: usize,
    pub(crate) service_tokens: ServiceTokens,
    pub(crate) requests_per_minute: u32,
    pub(crate) exclusive: bool,
    pub(crate) directives_per_hour: u32,
    pub(crate) vote_scope: VoteScope,
    pub(crate) node_identity: NodeIdentity,
    pub(crate) max_nodes: usize,
    pub(crate) max_node_ids_per_pubkey: usize,
    pub(crate) ack_within_s: u64,
    pub(crate) silent_after_s: u64,
    pub(crate) proposal_ttl_s: u64,
    /// Each with a slash at its end.
    pub(crate) peers: Vec<Url>,
    pub(crate) peer_token: Option<Secret>,
    pub(crate) peer_interval_s: u64,
    pub(crate) networks: Vec<NetworkTable>,
    pub(crate) alerts: Alerts,
    pub(crate) mirror: Mirror,
}
