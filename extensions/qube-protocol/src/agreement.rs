//! When votes for one action agree: enough of them, and on one genesis.
//!
//! A vote that names no `genesis_hash` goes with any. Where enough name none, none is asked for; otherwise the one hash
//! that enough name or go with. Two such hashes are no agreement.

use crate::{Condition, Digest, Options, Rollout};
use std::collections::BTreeSet;

/// What votes agree on, beside the action itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Agreement {
    /// What the genesis has to hash to.
    pub(crate) genesis_hash: Option<Digest>,
}

/// Whether votes with these options are a quorum.
pub(crate) fn agreement(votes: &[&Options], quorum: usize) -> Option<Agreement> {
    let naming = |hash: Option<Digest>| {
        votes
            .iter()
            .filter(|vote| vote.genesis_hash == hash)
            .count()
    };
    let naming_none = naming(None);
    if naming_none >= quorum {
        return Some(Agreement { genesis_hash: None });
    }
    let named: BTreeSet<Digest> = votes.iter().filter_map(|vote| vote.genesis_hash).collect();
    let mut enough = named
        .into_iter()
        .filter(|hash| naming(Some(*hash)) + naming_none >= quorum);
    match (enough.next(), enough.next()) {
        (Some(hash), None) => Some(Agreement {
            genesis_hash: Some(hash),
        }),
        _ => None,
    }
}

/// How far votes that agree let a fleet go, whatever single nodes are like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reach {
    /// The buckets below this.
    pub(crate) percent: u8,
    /// From this moment. Unix seconds.
    pub(crate) not_before_s: u64,
    /// Whether it depends on what only nodes know.
    pub(crate) depends_on_nodes: bool,
}

/// How far a quorum of these votes lets a fleet go.
pub(crate) fn reach(votes: &[&Options], quorum: usize) -> Reach {
    let mut percents: Vec<u8> = votes.iter().map(|vote| percent(vote)).collect();
    percents.sort_unstable_by(|a, b| b.cmp(a));
    let mut beginnings: Vec<u64> = votes.iter().map(|vote| not_before_s(vote)).collect();
    beginnings.sort_unstable();
    let free = votes.iter().filter(|vote| !depends_on_node(vote)).count();
    let last = quorum.saturating_sub(1);
    Reach {
        percent: percents.get(last).copied().unwrap_or(0),
        not_before_s: beginnings.get(last).copied().unwrap_or(0),
        depends_on_nodes: free < quorum,
    }
}

fn percent(options: &Options) -> u8 {
    options
        .rollout
        .map_or(100, |Rollout { percent, .. }| percent)
}

fn not_before_s(options: &Options) -> u64 {
    let beginnings = options.conditions.iter().map(|condition| match condition {
        Condition::Between { from, .. } => *from,
        Condition::After(_) | Condition::Height(_) => 0,
    });
    beginnings.max().unwrap_or(0)
}

fn depends_on_node(options: &Options) -> bool {
    let conditions = options.conditions.iter();
    options.min_version.is_some()
        || conditions
            .clone()
            .any(|condition| !matches!(condition, Condition::Between { .. }))
}
