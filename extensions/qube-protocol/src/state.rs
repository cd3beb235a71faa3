//! What a fleet looks like at one moment: plain values, computed by [`Ledger`](crate::Ledger) and serialized as they are.

use crate::{
    ActionKey, Digest, Directive, EventId, NetworkId, NodeId, Options, Pubkey, StatusKind, Version,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// All networks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FleetState {
    /// By name.
    pub networks: Vec<NetworkState>,
    /// When time alone changes something of this next. Unix seconds.
    pub next_change_at: Option<u64>,
}

impl FleetState {
    /// The network of this name.
    pub fn network(&self, id: &NetworkId) -> Option<&NetworkState> {
        self.networks.iter().find(|network| network.id == *id)
    }

    /// The action of this key, and where it is.
    pub fn action(&self, key: &ActionKey) -> Option<(&NetworkState, &ActionState)> {
        let found = |network: &'_ NetworkState| network.actions.iter().position(|a| a.key == *key);
        self.networks
            .iter()
            .find_map(|network| found(network).map(|at| (network, &network.actions[at])))
    }
}

/// One network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkState {
    /// What it is called.
    pub id: NetworkId,
    /// How many developers have to agree.
    pub quorum: usize,
    /// Who may direct it.
    pub developers: Vec<Pubkey>,
    /// Newest first: by the first vote, then by key.
    pub actions: Vec<ActionState>,
    /// By name, then by key.
    pub nodes: Vec<NodeState>,
    /// Versions for which votes name different hashes, and reboots for which they name different genesis hashes.
    pub conflicts: Vec<Conflict>,
    /// The action that reached its quorum last.
    pub current: Option<ActionKey>,
    /// When time alone changes something of this next. Unix seconds.
    pub next_change_at: Option<u64>,
}

impl NetworkState {
    /// The action of this key.
    pub fn action(&self, key: &ActionKey) -> Option<&ActionState> {
        self.actions.iter().find(|action| action.key == *key)
    }

    /// The action that reached its quorum last.
    pub fn current_action(&self) -> Option<&ActionState> {
        self.current.as_ref().and_then(|key| self.action(key))
    }
}

/// One action.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActionState {
    /// What votes for it have in common.
    pub key: ActionKey,
    /// As the earliest signal has it; options differ from vote to vote.
    pub directive: Directive,
    /// How far it is.
    pub status: ActionStatus,
    /// The votes that stand, by developer.
    pub votes: Vec<Vote>,
    /// Everybody who ever voted for it.
    pub ever_voted: Vec<Pubkey>,
    /// When the first vote was signed. Unix seconds.
    pub first_at: u64,
    /// When the quorum was reached: anew if another action reached one in between. Unix seconds.
    pub quorum_at: Option<u64>,
    /// Whether it had reached one before, and another action since: then it is to be done again.
    pub again: bool,
    /// Whether its votes were taken back before it was due, so that no node is to do it.
    #[serde(default)]
    pub called_off: bool,
    /// What the genesis has to hash to, where the votes that agree say so.
    pub genesis_hash: Option<Digest>,
    /// The nodes' newest reports on it.
    pub acks: Tally,
    /// How many nodes are expected to report on it.
    pub expected: usize,
    /// Nodes that should have reported by now; only of the network's current action.
    pub overdue: Vec<NodeId>,
}

/// The nodes' newest reports on one action.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Nodes that report success.
    pub success: usize,
    /// Nodes that report failure.
    pub failure: usize,
}

impl Tally {
    /// Nodes that report.
    pub fn total(&self) -> usize {
        self.success + self.failure
    }
}

/// How far an action is (rule Q9).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActionStatus {
    /// Votes are too few so far.
    Proposed,
    /// Enough developers have agreed; nodes are at it.
    Quorum,
    /// All expected nodes have done it.
    Completed,
    /// A node has failed.
    PartiallyFailed,
    /// Its deadline is over and a node has not reported.
    MissedDeadline,
    /// Another took its place, or its votes were taken back before it was due.
    Superseded,
    /// Too few agreed in time.
    Expired,
}

impl ActionStatus {
    /// The word, as it is serialized.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Proposed => "proposed",
            Self::Quorum => "quorum",
            Self::Completed => "completed",
            Self::PartiallyFailed => "partially_failed",
            Self::MissedDeadline => "missed_deadline",
            Self::Superseded => "superseded",
            Self::Expired => "expired",
        }
    }
}

impl std::fmt::Display for ActionStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// One developer's vote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vote {
    /// Whose.
    pub developer: Pubkey,
    /// By which signal.
    pub signal: EventId,
    /// When it was signed. Unix seconds.
    pub created_at: u64,
    /// What it adds.
    pub options: Options,
}

/// One node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeState {
    /// How its operator calls it.
    pub node_id: NodeId,
    /// The key it reports with; none of an expected node that has not reported.
    pub pubkey: Option<Pubkey>,
    /// Its newest report.
    pub last_ack: Option<LastAck>,
    /// What it runs: the version of its newest successful report.
    pub version: Option<Version>,
    /// The action it should have reported on by now.
    pub overdue_for: Option<ActionKey>,
    /// Whether it has been overdue for so long that something is wrong with it.
    pub silent: bool,
}

impl NodeState {
    /// Whether its newest report is one of failure.
    pub fn has_failed(&self) -> bool {
        let last = self.last_ack.as_ref();
        last.is_some_and(|ack| ack.status == StatusKind::Failure)
    }
}

/// A node's newest report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastAck {
    /// The event's.
    pub id: EventId,
    /// When it was signed. Unix seconds.
    pub created_at: u64,
    /// When the action was done. Unix seconds.
    pub action_at: u64,
    /// On which action.
    pub action: ActionKey,
    /// How it went.
    pub status: StatusKind,
    /// What went wrong.
    pub error: Option<String>,
}

/// Votes that stand for one version with different hashes of its program, or for one reboot with different hashes of its
/// genesis (rule Q10).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conflict {
    /// On which network.
    pub network: NetworkId,
    /// Which version.
    pub version: Version,
    /// Which reboot, where the hashes are those of its genesis.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reboot: Option<ActionKey>,
    /// Who votes for which hash.
    pub hashes: BTreeMap<Digest, Vec<Pubkey>>,
}
