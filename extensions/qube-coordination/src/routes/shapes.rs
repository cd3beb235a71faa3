//! Shapes that several routes answer with: actions, votes, nodes and reports, with keys and ids as hex.

use super::csv::{Row, cell};
use std::collections::BTreeMap;
use trellis_qube_protocol as protocol;
use trellis_relay::extension::prelude::*;

/// Something that developers direct, and how far it is.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(super) struct Action {
    /// What votes for it have in common, as a hash: 64 hex digits.
    pub(super) key: String,
    /// On which network.
    pub(super) network: String,
    /// "upgrade" or "reboot".
    pub(super) action: String,
    /// Without a leading v.
    pub(super) version: String,
    /// SHA-256 of the binary.
    pub(super) hash: String,
    /// Of a reboot.
    pub(super) genesis_url: Option<String>,
    /// Of a reboot. Unix seconds.
    pub(super) required_by: Option<u64>,
    /// "proposed", "quorum", "completed", "partially_failed", "missed_deadline", "superseded" or "expired".
    pub(super) status: String,
    /// How many developers have to agree.
    pub(super) quorum: usize,
    /// When the first vote was signed. Unix seconds.
    pub(super) first_at: u64,
    /// When enough agreed. Unix seconds.
    pub(super) quorum_at: Option<u64>,
    /// Nodes whose newest report on it says success.
    pub(super) success: usize,
    /// Nodes whose newest report on it says failure.
    pub(super) failure: usize,
    /// Nodes that are expected to report on it.
    pub(super) expected: usize,
    /// Nodes that should have reported by now.
    pub(super) overdue: usize,
    /// The votes that stand.
    pub(super) votes: Vec<Vote>,
    /// Everybody who ever voted for it.
    pub(super) ever_voted: Vec<String>,
}

/// A developer's vote.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(super) struct Vote {
    /// Whose: 64 hex digits.
    pub(super) developer: String,
    /// The id of the directive.
    pub(super) signal: String,
    /// When it was signed. Unix seconds.
    pub(super) created_at: u64,
    /// What it adds: rollout, min_version, conditions, genesis_hash.
    pub(super) options: BTreeMap<String, serde_json::Value>,
}

impl Action {
    pub(super) fn of(network: &protocol::NetworkState, action: &protocol::ActionState) -> Self {
        let directive = &action.directive;
        Action {
            key: action.key.to_string(),
            network: network.id.to_string(),
            action: directive.action.kind().as_str().to_owned(),
            version: directive.version.to_string(),
            hash: directive.hash.to_string(),
            genesis_url: directive.action.genesis_url().map(ToString::to_string),
            required_by: directive.action.required_by(),
            status: action.status.as_str().to_owned(),
            quorum: network.quorum,
            first_at: action.first_at,
            quorum_at: action.quorum_at,
            success: action.acks.success,
            failure: action.acks.failure,
            expected: action.expected,
            overdue: action.overdue.len(),
            votes: action.votes.iter().map(Vote::of).collect(),
            ever_voted: action.ever_voted.iter().map(ToString::to_string).collect(),
        }
    }
}

impl Vote {
    fn of(vote: &protocol::Vote) -> Self {
        let options = serde_json::to_value(&vote.options).ok();
        let options = options.and_then(|it| serde_json::from_value(it).ok());
        Vote {
            developer: vote.developer.to_string(),
            signal: vote.signal.to_string(),
            created_at: vote.created_at,
            options: options.unwrap_or_default(),
        }
    }
}

impl Row for Action {
    const COLUMNS: &'static [&'static str] = &[
        "key",
        "network",
        "action",
        "version",
        "hash",
        "genesis_url",
        "required_by",
        "status",
        "quorum",
        "votes",
        "first_at",
        "quorum_at",
        "success",
        "failure",
        "expected",
        "overdue",
    ];

    fn cells(&self) -> Vec<String> {
        vec![
            self.key.clone(),
            self.network.clone(),
            self.action.clone(),
            self.version.clone(),
            self.hash.clone(),
            cell(&self.genesis_url),
            cell(&self.required_by),
            self.status.clone(),
            self.quorum.to_string(),
            self.votes.len().to_string(),
            self.first_at.to_string(),
            cell(&self.quorum_at),
            self.success.to_string(),
            self.failure.to_string(),
            self.expected.to_string(),
            self.overdue.to_string(),
        ]
    }
}
