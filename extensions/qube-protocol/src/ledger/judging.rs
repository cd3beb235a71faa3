//! From votes and reports to a state: `docs/extensions/qube-kinds.md` has the table of statuses that is followed here.

use super::ballots::{Count, Votes};
use super::reports::{OnAction, Reports};
use super::row::Row;
use crate::rollout::bucket;
use crate::{
    ActionKey, ActionState, ActionStatus, Conflict, Digest, Network, NetworkState, NodeId,
    NodeState, Pubkey, StatusKind, Tally, Version, Vote,
};
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// One network at one moment.
pub(super) struct Judging<'a> {
    network: &'a Network,
    count: &'a Count,
    reports: &'a Reports,
    now_s: u64,
    /// When each node that counts reported first, sorted. Unix seconds.
    firsts_s: Vec<u64>,
    /// Moments at which time alone changes something. Unix seconds.
    moments_s: BTreeSet<u64>,
}

/// Until when reports on the current action may take.
struct Due {
    key: ActionKey,
    quorum_at: u64,
    percent: u8,
    at_s: u64,
    /// Reports from before do not count.
    since_s: u64,
}

/// Reports on an action as they count for its status.
struct Reported {
    tally: Tally,
    expected: usize,
}

impl<'a> Judging<'a> {
    pub(super) fn new(
        network: &'a Network,
        count: &'a Count,
        reports: &'a Reports,
        now_s: u64,
    ) -> Self {
        let counted = reports.rows().filter(|(_, row)| row.counts);
        let mut firsts_s: Vec<u64> = counted.map(|(_, row)| row.first.0).collect();
        firsts_s.sort_unstable();
        Self {
            network,
            count,
            reports,
            now_s,
            firsts_s,
            moments_s: count.until_s.into_iter().collect(),
        }
    }

    pub(super) fn state(mut self) -> NetworkState {
        let due = self.due();
        let mut actions = Vec::with_capacity(self.count.actions.len());
        for (key, votes) in &self.count.actions {
            actions.push(self.action(*key, votes));
        }
        let nodes = self.nodes(due.as_ref());
        if let Some(due) = &due
            && let Some(current) = actions.iter_mut().find(|action| action.key == due.key)
        {
            let overdue = nodes.iter().filter(|node| node.overdue_for.is_some());
            current.overdue = overdue.map(|node| node.node_id.clone()).collect();
            current.overdue.dedup();
        }
        actions.sort_by_key(|action| std::cmp::Reverse((action.first_at, action.key)));
        let now_s = self.now_s;
        NetworkState {
            id: self.network.id.clone(),
            quorum: self.network.quorum,
            developers: self.network.developers.iter().copied().collect(),
            actions,
            nodes,
            conflicts: self.conflicts(),
            current: self.count.current,
            next_change_at: self.moments_s.into_iter().find(|at_s| *at_s > now_s),
        }
    }

    fn action(&mut self, key: ActionKey, votes: &Votes) -> ActionState {
        let standing: Vec<Vote> = self
            .count
            .votes(&key)
            .map(|signal| Vote {
                developer: signal.developer,
                signal: signal.id,
                created_at: signal.created_at,
                options: signal.directive.options.clone(),
            })
            .collect();
        let reported = self.reported(&key, votes);
        let status = match votes.quorum_at {
            Some(_) => self.status_with_quorum(&key, votes, &reported),
            None => self.status_without_quorum(votes, standing.is_empty()),
        };
        ActionState {
            key,
            directive: votes.first.directive.clone(),
            status,
            votes: standing,
            ever_voted: votes.ever.iter().copied().collect(),
            first_at: votes.first.created_at,
            quorum_at: votes.quorum_at,
            again: votes.again,
            called_off: votes.called_off,
            genesis_hash: votes.genesis_hash,
            acks: reported.tally,
            expected: reported.expected,
            overdue: Vec::new(),
        }
    }

    fn status_with_quorum(
        &mut self,
        key: &ActionKey,
        votes: &Votes,
        reported: &Reported,
    ) -> ActionStatus {
        let Reported {
            tally, expected, ..
        } = reported;
        if *expected > 0 && tally.success == *expected {
            return ActionStatus::Completed;
        }
        if self.count.current != Some(*key) || votes.called_off {
            return ActionStatus::Superseded;
        }
        if let Some(required_by) = votes.first.directive.action.required_by() {
            let last_s = required_by.saturating_add(self.network.ack_within_s);
            self.moments_s.insert(last_s.saturating_add(1));
            if last_s < self.now_s && tally.total() < (*expected).max(1) {
                return ActionStatus::MissedDeadline;
            }
        }
        match tally.failure {
            0 => ActionStatus::Quorum,
            _ => ActionStatus::PartiallyFailed,
        }
    }

    fn status_without_quorum(&mut self, votes: &Votes, nobody_votes: bool) -> ActionStatus {
        if nobody_votes {
            return ActionStatus::Superseded;
        }
        let forgotten_s = votes.last_s.saturating_add(self.network.proposal_ttl_s);
        let required_by = votes.first.directive.action.required_by();
        let last_s = required_by.map_or(forgotten_s, |required_by| required_by.min(forgotten_s));
        self.moments_s.insert(last_s.saturating_add(1));
        match last_s < self.now_s {
            true => ActionStatus::Expired,
            false => ActionStatus::Proposed,
        }
    }

    /// The reports that count on an action.
    fn reported(&self, key: &ActionKey, votes: &Votes) -> Reported {
        let on_action = self.reports.on_action(key);
        let tally = match since_s(votes) {
            0 => on_action
                .map(|on_action| on_action.tally)
                .unwrap_or_default(),
            since_s => self.tally_since(on_action, since_s),
        };
        let expected = match (self.network.nodes.len(), votes.quorum_at) {
            (0, Some(quorum_at)) => {
                let known = self
                    .firsts_s
                    .partition_point(|first_s| *first_s <= quorum_at);
                known + self.reported_and_joined_after(on_action, quorum_at)
            }
            (0, None) => self.firsts_s.len(),
            (listed, _) => listed,
        };
        Reported { tally, expected }
    }

    fn tally_since(&self, on_action: Option<&OnAction>, since_s: u64) -> Tally {
        let mut tally = Tally::default();
        for (row, kept) in on_action.iter().flat_map(|on_action| &on_action.by_row) {
            if self.reports.row(*row).counts && kept.action_at >= since_s {
                match kept.status {
                    StatusKind::Success => tally.success += 1,
                    StatusKind::Failure => tally.failure += 1,
                }
            }
        }
        tally
    }

    /// Nodes that were not known at the quorum and have reported all the same.
    fn reported_and_joined_after(&self, on_action: Option<&OnAction>, quorum_at: u64) -> usize {
        if self
            .firsts_s
            .last()
            .is_none_or(|last_s| *last_s <= quorum_at)
        {
            return 0;
        }
        let rows = on_action
            .iter()
            .flat_map(|on_action| on_action.by_row.keys());
        rows.map(|row| self.reports.row(*row))
            .filter(|row| row.counts && row.first.0 > quorum_at)
            .count()
    }

    /// When reports on the current action are due; not when it depends on what only nodes know.
    fn due(&mut self) -> Option<Due> {
        let key = self.count.current?;
        let votes = self.count.actions.get(&key)?;
        let (quorum_at, reach) = (votes.quorum_at?, votes.reach?);
        if reach.depends_on_nodes || votes.called_off {
            return None;
        }
        let required_by = votes.first.directive.action.required_by().unwrap_or(0);
        let begins_s = quorum_at.max(required_by).max(reach.not_before_s);
        let at_s = begins_s.saturating_add(self.network.ack_within_s);
        self.moments_s.insert(at_s.saturating_add(1));
        let silent_s = at_s.saturating_add(self.network.silent_after_s);
        self.moments_s.insert(silent_s.saturating_add(1));
        Some(Due {
            key,
            quorum_at,
            percent: reach.percent,
            at_s,
            since_s: since_s(votes),
        })
    }

    fn nodes(&self, due: Option<&Due>) -> Vec<NodeState> {
        let mut nodes: Vec<NodeState> = self
            .reports
            .rows()
            .map(|(at, row)| {
                let expected = |due: &&Due| {
                    let newest = self
                        .reports
                        .on_action(&due.key)
                        .and_then(|on| on.by_row.get(&at));
                    row.counts
                        && newest.is_none_or(|kept| kept.action_at < due.since_s)
                        && (!self.network.nodes.is_empty() || row.first.0 <= due.quorum_at)
                };
                self.node(row.node_id.clone(), Some(row), due.filter(expected))
            })
            .collect();
        let counted: HashSet<&NodeId> = self
            .reports
            .rows()
            .filter(|(_, row)| row.counts)
            .map(|(_, row)| &row.node_id)
            .collect();
        let unheard = self
            .network
            .nodes
            .keys()
            .filter(|node_id| !counted.contains(node_id));
        nodes.extend(unheard.map(|node_id| self.node(node_id.clone(), None, due)));
        nodes.sort_by(|a, b| (&a.node_id, a.pubkey).cmp(&(&b.node_id, b.pubkey)));
        nodes
    }

    /// A node; `due` is what it is expected to report on.
    fn node(&self, node_id: NodeId, row: Option<&Row>, due: Option<&Due>) -> NodeState {
        let overdue = due.filter(|due| {
            due.at_s < self.now_s
                && (due.percent >= 100 || bucket(&due.key, &node_id) < due.percent)
        });
        let silent_after_s = self.network.silent_after_s;
        NodeState {
            pubkey: row.map(|row| row.pubkey),
            last_ack: row
                .and_then(|row| row.newest.as_ref())
                .map(|kept| kept.shown()),
            version: row.and_then(|row| row.version.clone()),
            overdue_for: overdue.map(|due| due.key),
            silent: overdue.is_some_and(|due| due.at_s.saturating_add(silent_after_s) < self.now_s),
            node_id,
        }
    }

    /// Versions with several programs, then reboots with several genesis files.
    fn conflicts(&self) -> Vec<Conflict> {
        type Hashes = BTreeMap<Digest, Vec<Pubkey>>;
        let mut by_subject: BTreeMap<(Option<ActionKey>, &Version), Hashes> = BTreeMap::new();
        for signal in self.count.standing() {
            let directive = &signal.directive;
            let mut vote = |subject, hash| {
                let hashes = by_subject.entry((subject, &directive.version)).or_default();
                hashes.entry(hash).or_default().push(signal.developer);
            };
            vote(None, directive.hash);
            if let Some(genesis_hash) = directive.options.genesis_hash {
                vote(Some(directive.key()), genesis_hash);
            }
        }
        let conflicting = by_subject
            .into_iter()
            .filter(|(_, hashes)| hashes.len() > 1);
        conflicting
            .map(|((reboot, version), hashes)| Conflict {
                network: self.network.id.clone(),
                version: version.clone(),
                reboot,
                hashes,
            })
            .collect()
    }
}

/// After an action was agreed on again, reports from before are of the time before. Unix seconds.
fn since_s(votes: &Votes) -> u64 {
    votes.quorum_at.filter(|_| votes.again).unwrap_or(0)
}
