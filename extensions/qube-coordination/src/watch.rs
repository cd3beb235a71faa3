//! What is counted, for operators: the names, labels and meanings of this extension's metrics.
//!
//! Invariant: no label holds a key, an address, a node or a version, so the number of series is bounded by this file and by
//! the networks in the configuration. `docs/metrics.md` holds the table, and a test compares them.

use metrics::{counter, gauge, histogram};
use std::collections::BTreeSet;
use trellis_qube_protocol::{Ack, ActionKey, ActionStatus, FleetState, KIND_SIGNAL};
use trellis_relay::metrics::{Described, Kind};

/// Every metric of the extension, by name.
#[rustfmt::skip]
pub(crate) const TABLE: &[Described] = &[
    Described::new(Kind::Histogram, ACK_LAG, &[], "Time between a node's signature of a report and its arrival in memory."),
    Described::new(Kind::Counter, ACKS, &["network", "status"], "Reports of nodes that were stored, by how the action went: `success`, `failure`."),
    Described::new(Kind::Gauge, ACTIONS, &["network", "status"], "Actions by how far they are: `proposed`, `quorum`, `completed`, `partially_failed`, `missed_deadline`, `superseded`, `expired`."),
    Described::new(Kind::Gauge, CONFLICTS, &["network"], "Versions and reboots for which votes that stand name different hashes of the program or the genesis."),
    Described::new(Kind::Counter, JUDGED, &["kind", "result"], "Directives and reports (`signal`, `ack`) that clients sent, by what became of them: `accepted`, `auth_required`, `invalid`, `rate_limited`, `restricted`, `too_many`, `unknown_network`."),
    Described::new(Kind::Gauge, NODES, &["network"], "Nodes that are kept track of."),
    Described::new(Kind::Gauge, OVERDUE, &["network"], "Nodes that should have reported on the current action by now."),
    Described::new(Kind::Counter, PEER_ENTRIES, &["result"], "Entries of peers' history that were looked at: `adopted`, `known`, `refused`."),
    Described::new(Kind::Gauge, PEERS_UP, &[], "Peers that answered well when they were last asked."),
    Described::new(Kind::Histogram, QUORUM, &["network"], "Time from the first vote for an action to its quorum."),
    Described::new(Kind::Counter, REFUSED, &["kind", "result"], "Directives and reports (`signal`, `ack`) that were refused in the transaction that would have stored them, by why: `invalid`, `restricted`, `too_many`, `unknown_network`. From clients they are among those `accepted` before, from sync and import nowhere else."),
    Described::new(Kind::Gauge, SILENT, &["network"], "Nodes that have been overdue for longer than `silent_after`."),
    Described::new(Kind::Counter, UNAUTHORISED, &[], "Directives of keys that direct no such network here."),
    Described::new(Kind::Gauge, VOTES, &["network"], "Votes that stand."),
];

const ACKS: &str = "qube_coordination_acks_total";
const ACK_LAG: &str = "qube_coordination_ack_lag_seconds";
const ACTIONS: &str = "qube_coordination_actions";
const CONFLICTS: &str = "qube_coordination_conflicts";
const JUDGED: &str = "qube_coordination_events_total";
const NODES: &str = "qube_coordination_nodes";
const OVERDUE: &str = "qube_coordination_overdue_nodes";
const PEER_ENTRIES: &str = "qube_coordination_peer_entries_total";
const PEERS_UP: &str = "qube_coordination_peers_up";
const QUORUM: &str = "qube_coordination_quorum_seconds";
const REFUSED: &str = "qube_coordination_refused_commits_total";
const SILENT: &str = "qube_coordination_silent_nodes";
const UNAUTHORISED: &str = "qube_coordination_unauthorised_total";
const VOTES: &str = "qube_coordination_votes";

/// Every status, for gauges that must fall to 0 as well.
const STATUSES: [ActionStatus; 7] = [
    ActionStatus::Proposed,
    ActionStatus::Quorum,
    ActionStatus::Completed,
    ActionStatus::PartiallyFailed,
    ActionStatus::MissedDeadline,
    ActionStatus::Superseded,
    ActionStatus::Expired,
];

/// What became of a directive or report.
pub(crate) fn judged(kind: u16, result: &'static str) {
    counter!(JUDGED, "kind" => name_of(kind), "result" => result).increment(1);
}

/// A directive or report was refused as it was to be stored.
pub(crate) fn refused_at_commit(kind: u16, result: &'static str) {
    counter!(REFUSED, "kind" => name_of(kind), "result" => result).increment(1);
}

fn name_of(kind: u16) -> &'static str {
    match kind {
        KIND_SIGNAL => "signal",
        _ => "ack",
    }
}

/// Somebody directed what they may not.
pub(crate) fn attempted() {
    counter!(UNAUTHORISED).increment(1);
}

/// A report was stored.
pub(crate) fn reported(ack: &Ack, now_s: u64) {
    let network = ack.report.network.as_str().to_owned();
    let status = ack.report.status.kind().as_str();
    counter!(ACKS, "network" => network, "status" => status).increment(1);
    histogram!(ACK_LAG).record(now_s.saturating_sub(ack.created_at) as f64);
}

/// Entries of a peer: `adopted`, `known` or `refused`.
pub(crate) fn peer_entries(result: &'static str, count: usize) {
    counter!(PEER_ENTRIES, "result" => result).increment(count as u64);
}

/// So many peers answer.
pub(crate) fn peers_up(count: usize) {
    gauge!(PEERS_UP).set(count as f64);
}

/// What the fleet looks like after a change.
pub(crate) fn followed(before: &FleetState, after: &FleetState) {
    let agreed: BTreeSet<ActionKey> = before
        .networks
        .iter()
        .flat_map(|network| &network.actions)
        .filter(|action| action.quorum_at.is_some())
        .map(|action| action.key)
        .collect();
    for network in &after.networks {
        let newly = network
            .actions
            .iter()
            .filter(|it| !agreed.contains(&it.key));
        for action in newly {
            if let Some(quorum_at) = action.quorum_at {
                let seconds = quorum_at.saturating_sub(action.first_at);
                histogram!(QUORUM, "network" => network.id.to_string()).record(seconds as f64);
            }
        }
    }
    show(after);
}

/// Sets the gauges.
pub(crate) fn show(state: &FleetState) {
    for network in &state.networks {
        let set = |name: &'static str, count: usize| {
            gauge!(name, "network" => network.id.to_string()).set(count as f64);
        };
        set(NODES, network.nodes.len());
        set(CONFLICTS, network.conflicts.len());
        set(
            OVERDUE,
            network
                .nodes
                .iter()
                .filter(|it| it.overdue_for.is_some())
                .count(),
        );
        set(SILENT, network.nodes.iter().filter(|it| it.silent).count());
        set(VOTES, network.actions.iter().map(|it| it.votes.len()).sum());
        for status in STATUSES {
            let count = network
                .actions
                .iter()
                .filter(|it| it.status == status)
                .count();
            gauge!(ACTIONS, "network" => network.id.to_string(), "status" => status.as_str())
                .set(count as f64);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn q15_the_page_of_documentation_is_this_table() {
        assert!(TABLE.is_sorted_by(|a, b| a.name < b.name));
        let page = include_str!("../../../docs/metrics.md");
        // What other parts of the extension count stands in tables of their own.
        let rows: Vec<&str> = page
            .lines()
            .filter(|line| {
                TABLE
                    .iter()
                    .any(|it| line.contains(&format!("`{}`", it.name)))
            })
            .collect();
        let table: Vec<String> = TABLE.iter().map(ToString::to_string).collect();
        assert_eq!(rows, table);
    }
}
