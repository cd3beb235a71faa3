//! What a node does next, from the state of its network and what it knows of itself (rules A3, A7, A9).

use crate::{ActionKey, ActionState, Condition, Digest, NetworkState, NodeId, Version};
use std::collections::BTreeMap;

/// What a node knows of itself.
#[derive(Clone, Debug)]
pub struct Facts<'a> {
    /// How its operator calls it.
    pub node_id: &'a NodeId,
    /// What it runs, where that is known.
    pub version: Option<&'a Version>,
    /// How high its chain is, where that is known.
    pub height: Option<u64>,
    /// Whether its operator lets it go back to an earlier version.
    pub allow_downgrade: bool,
    /// What became of actions here.
    pub past: &'a BTreeMap<ActionKey, Past>,
}

/// What became of an action on this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Past {
    /// Done.
    Done,
    /// Tried, or refused for good: it is not tried again.
    Failed,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Nothing: no quorum, or what it agreed on is done.
    Nothing,
    /// Not yet. For a reboot before its deadline there is time to prepare it.
    Wait {
        /// What has its quorum.
        action: Box<ActionState>,
        /// What it waits for.
        reason: WaitReason,
        /// When time alone may change that. Unix seconds.
        until: Option<u64>,
    },
    /// Do it now.
    Act {
        /// What.
        action: Box<ActionState>,
        /// What the genesis has to hash to, by the votes that count on this node.
        genesis_hash: Option<Digest>,
    },
    /// Do not do it, and report why.
    Refuse {
        /// What is not done.
        action: Box<ActionState>,
        /// Why, for the report.
        error: String,
        /// Whether nothing can change it. Otherwise the node asks again, and reports the same error once only.
        is_final: bool,
    },
}

/// What a node waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WaitReason {
    /// The deadline of a reboot, at which all nodes do it.
    Deadline(u64),
    /// Its turn: its bucket is not below the percentage yet.
    Rollout {
        /// The node's.
        bucket: u8,
        /// Of the votes.
        percent: u8,
    },
    /// More success among those that went before.
    Success {
        /// The share so far.
        percent: u8,
        /// The share that is asked for.
        least: u8,
    },
    /// A condition.
    Condition(Condition),
}

/// What a node does next. Unix seconds.
pub fn decide(_network: &NetworkState, _facts: &Facts<'_>, _now_s: u64) -> Decision {
    Decision::Nothing
}
