//! What a node does next, from the state of its network and what it knows of itself (rules A3, A7, A9).
//!
//! A vote counts on a node only as far as its own options let it, and a node acts when a quorum of votes counts: no single
//! developer drives a fleet further than a quorum allows, nor holds it back alone.

mod counting;

use crate::agreement::agreement;
use crate::{
    ActionKey, ActionKind, ActionState, Condition, Conflict, Digest, NetworkState, NodeId, Options,
    Version,
};
use counting::Obstacle;
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
pub struct Past {
    /// How it ended.
    pub outcome: Outcome,
    /// When. Unix seconds.
    pub at_s: u64,
}

/// How an action ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Done.
    Done,
    /// Tried, or refused for good: it is not tried again.
    Failed,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Nothing: no quorum, or what it agreed on is past.
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
    /// The fleet came back to what this node has done, and has done nothing else since: it reports so once more.
    Confirm {
        /// What.
        action: Box<ActionState>,
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
        /// Of the vote.
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
pub fn decide(network: &NetworkState, facts: &Facts<'_>, now_s: u64) -> Decision {
    let Some(action) = agreed(network) else {
        return Decision::Nothing;
    };
    if is_past(action, facts) {
        return match is_to_confirm(action, facts, now_s) {
            true => Decision::Confirm {
                action: Box::new(action.clone()),
            },
            false => Decision::Nothing,
        };
    }
    if let Some(error) = objection(network, action, facts) {
        return refuse(action, error, false);
    }
    let (mut counting, mut waiting, mut obstacles) = (Vec::new(), Vec::new(), Vec::new());
    for vote in &action.votes {
        let options = &vote.options;
        match counting::obstacle(action, options, facts, now_s) {
            None => counting.push(options),
            Some(Obstacle::Passing { reason, until }) => waiting.push((options, reason, until)),
            Some(Obstacle::Lasting { error, is_final }) => obstacles.push((error, is_final)),
        }
    }
    let required_by = action.directive.action.required_by();
    if let Some(agreed) = agreement(&counting, network.quorum) {
        let genesis_hash = agreed.genesis_hash;
        return match required_by {
            Some(required_by) if now_s < required_by => {
                wait(action, WaitReason::Deadline(required_by), Some(required_by))
            }
            _ => Decision::Act {
                action: Box::new(action.clone()),
                genesis_hash,
            },
        };
    }
    let hopeful: Vec<&Options> = counting
        .iter()
        .copied()
        .chain(waiting.iter().map(|(options, ..)| *options))
        .collect();
    if agreement(&hopeful, network.quorum).is_none() {
        return match obstacles.into_iter().next() {
            Some((error, is_final)) => refuse(action, error, is_final),
            None => Decision::Nothing,
        };
    }
    let over = required_by.is_some_and(|required_by| required_by <= now_s);
    match waiting.into_iter().next() {
        Some((_, WaitReason::Condition(condition), _)) if over => refuse(
            action,
            format!("the condition `{condition}` was not met by the deadline"),
            true,
        ),
        Some((_, reason, until)) => wait(action, reason, until),
        None => Decision::Nothing,
    }
}

/// The action whose votes agree now: of several, the one that reached its quorum last.
pub fn agreed(network: &NetworkState) -> Option<&ActionState> {
    let stands = |action: &&ActionState| {
        let options: Vec<&Options> = action.votes.iter().map(|vote| &vote.options).collect();
        action.quorum_at.is_some()
            && !action.called_off
            && agreement(&options, network.quorum).is_some()
    };
    let agreed = network.actions.iter().filter(stands);
    agreed.max_by_key(|action| (action.quorum_at, action.key))
}

/// Whether it was done or given up here: not when this node did something else since and the developers came back to it.
fn is_past(action: &ActionState, facts: &Facts<'_>) -> bool {
    let Some(past) = facts.past.get(&action.key) else {
        return false;
    };
    let mut others = facts.past.iter().filter(|(key, _)| **key != action.key);
    let moved_on =
        others.any(|(_, other)| other.outcome == Outcome::Done && other.at_s > past.at_s);
    !(moved_on
        && action
            .quorum_at
            .is_some_and(|quorum_at| quorum_at > past.at_s))
}

/// Whether this node stayed with it while the fleet went on and came back: reports from before are of the time before.
fn is_to_confirm(action: &ActionState, facts: &Facts<'_>, now_s: u64) -> bool {
    let past = facts.past.get(&action.key);
    action.again
        && action.quorum_at <= Some(now_s)
        && past
            .is_some_and(|past| past.outcome == Outcome::Done && action.quorum_at > Some(past.at_s))
}

/// What speaks against an action, whatever its votes say.
fn objection(network: &NetworkState, action: &ActionState, facts: &Facts<'_>) -> Option<String> {
    let version = &action.directive.version;
    // Of genesis files a quorum chooses one: who names another holds nobody back.
    let is_about = |conflict: &Conflict| conflict.reboot.is_none() && conflict.version == *version;
    if network.conflicts.iter().any(is_about) {
        return Some(format!("votes for version {version} name different hashes"));
    }
    let running = facts.version.filter(|running| version.precedes(running))?;
    let is_upgrade = action.directive.action.kind() == ActionKind::Upgrade;
    (is_upgrade && !facts.allow_downgrade).then(|| {
        format!("version {version} is a downgrade from {running}, which is not allowed here")
    })
}

fn refuse(action: &ActionState, error: String, is_final: bool) -> Decision {
    Decision::Refuse {
        action: Box::new(action.clone()),
        error,
        is_final,
    }
}

fn wait(action: &ActionState, reason: WaitReason, until: Option<u64>) -> Decision {
    Decision::Wait {
        action: Box::new(action.clone()),
        reason,
        until,
    }
}
