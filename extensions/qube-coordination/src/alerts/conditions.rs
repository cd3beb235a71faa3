//! Which alerts hold: a pure function of the fleet's state and the time.
//!
//! Invariant: what strangers can make (nodes, where any key may report) raises a bounded number of alerts: one for all
//! failures of an action, and one for each of so many silent nodes of a network; how often the same one begins and ends is bounded by `books`. What is long over raises none, so that what
//! is remembered stays bounded as well.

use super::alert::{Alert, Kind};
use crate::titles::title;
use std::fmt::Write as _;
use trellis_qube_protocol::{
    ActionState, ActionStatus, Conflict, FleetState, NetworkState, NodeState, StatusKind,
};

/// Silent nodes of one network with an alert of their own; the longest silent ones.
pub(crate) const SILENT_MAX: usize = 100;
/// So long after its end an action that found no quorum raises nothing any more: nothing can be done about it.
pub(super) const WITHOUT_QUORUM_S: u64 = 7 * 86_400;
/// For an action that is still the network's, so long beyond the time that a proposal has.
const PAST_S: u64 = 30 * 86_400;
/// Nodes that a summary names.
const NAMED_MAX: usize = 5;

/// What holds now, by kind; a proposal has `proposal_ttl_s` to find a quorum.
pub(super) fn of_state(state: &FleetState, now_s: u64, proposal_ttl_s: u64) -> Vec<Alert> {
    let horizon_s = proposal_ttl_s.saturating_add(PAST_S);
    let mut alerts = Vec::new();
    for network in &state.networks {
        let actions = network.actions.iter();
        let matters = |it: &&ActionState| last_moment(it).saturating_add(horizon_s) > now_s;
        for action in actions.filter(matters) {
            alerts.extend(failed(network, action));
            alerts.extend(missed(network, action));
        }
        let actions = network.actions.iter();
        let lately =
            |it: &&ActionState| end(it, proposal_ttl_s).saturating_add(WITHOUT_QUORUM_S) > now_s;
        alerts.extend(actions.filter(lately).filter_map(|it| expired(network, it)));
        alerts.extend(network.conflicts.iter().map(|it| conflict(network, it)));
        alerts.extend(silent(network));
    }
    alerts
}

/// The last moment at which something was due of an action.
fn last_moment(action: &ActionState) -> u64 {
    let agreed = action.quorum_at.unwrap_or(action.first_at);
    let due = action.directive.action.required_by().unwrap_or(0);
    agreed.max(due)
}

/// When a proposal had its time: at its deadline, or where nobody has voted for it any more for so long.
fn end(action: &ActionState, proposal_ttl_s: u64) -> u64 {
    let last = action.votes.iter().map(|vote| vote.created_at).max();
    let last = last.unwrap_or(0).max(action.first_at);
    let due = action.directive.action.required_by();
    let forgotten = last.saturating_add(proposal_ttl_s);
    due.map_or(forgotten, |due| due.min(forgotten))
}

fn alert(kind: Kind, network: &NetworkState, subject: String, summary: String) -> Alert {
    Alert {
        kind,
        network: Some(network.id.to_string()),
        subject,
        summary,
    }
}

fn failed(network: &NetworkState, action: &ActionState) -> Option<Alert> {
    let failures = action.acks.failure;
    let is_over = matches!(
        action.status,
        ActionStatus::Superseded | ActionStatus::Expired
    );
    // What strangers report on a mere proposal says nothing: no node was to do it.
    if failures == 0 || is_over || action.quorum_at.is_none() {
        return None;
    }
    let has_failed = |node: &&NodeState| {
        let last = node.last_ack.as_ref();
        last.is_some_and(|it| it.action == action.key && it.status == StatusKind::Failure)
    };
    let nodes = network.nodes.iter().filter(has_failed);
    let nodes: Vec<String> = nodes.map(|node| node.node_id.to_string()).collect();
    let mut summary = format!(
        "{} failed on {}",
        title(&action.directive),
        nodes_of(failures)
    );
    name(&mut summary, &nodes, failures);
    let subject = action.key.to_string();
    Some(alert(Kind::FailedAction, network, subject, summary))
}

fn expired(network: &NetworkState, action: &ActionState) -> Option<Alert> {
    if action.status != ActionStatus::Expired {
        return None;
    }
    let (votes, quorum) = (action.ever_voted.len(), network.quorum);
    let title = title(&action.directive);
    let summary = format!("{title} found {votes} of the {quorum} votes that it needed");
    let subject = action.key.to_string();
    Some(alert(Kind::NoQuorum, network, subject, summary))
}

fn missed(network: &NetworkState, action: &ActionState) -> Option<Alert> {
    if action.status != ActionStatus::MissedDeadline {
        return None;
    }
    let late = action.expected.saturating_sub(action.acks.success);
    let title = title(&action.directive);
    let mut summary = format!("{title} was not done in time by {}", nodes_of(late));
    let overdue: Vec<String> = action.overdue.iter().map(ToString::to_string).collect();
    name(&mut summary, &overdue, late);
    let subject = action.key.to_string();
    Some(alert(Kind::MissedDeadline, network, subject, summary))
}

fn conflict(network: &NetworkState, conflict: &Conflict) -> Alert {
    let version = &conflict.version;
    let (subject, what, hashes) = match conflict.reboot {
        Some(key) => (key.to_string(), "The reboot to ", "genesis hashes"),
        None => (version.to_string(), "", "hashes"),
    };
    let count = conflict.hashes.len();
    let mut summary = format!("{what}v{version} is signed with {count} {hashes}:");
    for (place, (hash, developers)) in conflict.hashes.iter().enumerate() {
        let comma = if place > 0 { "," } else { "" };
        let hash: String = hash.to_string().chars().take(8).collect();
        let developers: Vec<String> = developers
            .iter()
            .map(|key| key.to_string().chars().take(8).collect())
            .collect();
        let _ = write!(summary, "{comma} {hash} by {}", developers.join(" and "));
    }
    alert(Kind::Conflict, network, subject, summary)
}

fn silent(network: &NetworkState) -> Vec<Alert> {
    let mut silent: Vec<&NodeState> = network.nodes.iter().filter(|it| it.silent).collect();
    let last_s = |node: &NodeState| node.last_ack.as_ref().map_or(0, |ack| ack.created_at);
    silent.sort_by_key(|node| last_s(node));
    let of_node = |node: &&NodeState| {
        // The same name with another key is another node.
        let key = node.pubkey.map(|key| key.to_string()).unwrap_or_default();
        let subject = format!("{} {key}", node.node_id).trim_end().to_owned();
        let summary = match &node.last_ack {
            Some(_) => format!("{} does not report any more", node.node_id),
            None => format!("{} has never reported", node.node_id),
        };
        alert(Kind::SilentNode, network, subject, summary)
    };
    let mut alerts: Vec<Alert> = silent.iter().take(SILENT_MAX).map(of_node).collect();
    if silent.len() > SILENT_MAX {
        let summary = format!("more than {SILENT_MAX} nodes do not report any more");
        alerts.push(alert(Kind::SilentNode, network, "*".to_owned(), summary));
    }
    alerts
}

fn nodes_of(count: usize) -> String {
    match count {
        1 => "1 node".to_owned(),
        _ => format!("{count} nodes"),
    }
}

/// Adds the first names of so many.
fn name(summary: &mut String, names: &[String], total: usize) {
    for (place, name) in names.iter().take(NAMED_MAX).enumerate() {
        let before = if place == 0 { ": " } else { ", " };
        let _ = write!(summary, "{before}{name}");
    }
    if !names.is_empty() && total > NAMED_MAX {
        summary.push_str(", ...");
    }
}
