//! The reports of one network's nodes: which signal each belongs to, and each node's newest on each action.
//!
//! What is kept of a node's reports on one subject (developer, version, action) is the oldest and the newest few, so that
//! neither a node that reports without end nor the order of arrival changes what is found. Reports that belong to no
//! signal known so far wait, the newest of them, and make no node.

use super::row::{Kept, Row};
use crate::{
    Ack, ActionKey, ActionKind, EventId, Identity, IdentityRefusal, Network, NodeId, Pubkey,
    Report, Signal, StatusKind, Tally, Version,
};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

/// What a report is on: several signals may be on the same, with other hashes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Subject {
    version: Version,
    action: ActionKind,
    developer: Pubkey,
}

/// One subject, and what is known of it.
#[derive(Debug)]
struct Topic {
    subject: Subject,
    signals: BTreeMap<(u64, Reverse<EventId>), (EventId, ActionKey)>,
    /// The rows with reports on it.
    rows: HashSet<usize>,
}

/// All reports of one network.
#[derive(Debug, Default)]
pub(super) struct Reports {
    topics: Vec<Topic>,
    topic_at: HashMap<Subject, usize>,
    /// Topics with one version and action, whichever developer: an action's reports may name any of its developers.
    groups: HashMap<(Version, ActionKind), Vec<usize>>,
    rows: Vec<Row>,
    row_at: BTreeMap<NodeId, BTreeMap<Pubkey, usize>>,
    rows_of_key: HashMap<Pubkey, usize>,
    /// Rows that nobody has listed; the places of those who are listed are theirs, heard or not.
    strangers: usize,
    waiting: BTreeMap<(u64, EventId), Ack>,
    by_action: HashMap<ActionKey, OnAction>,
}

/// The nodes' newest reports on one action.
#[derive(Debug, Default)]
pub(super) struct OnAction {
    pub(super) by_row: HashMap<usize, Arc<Kept>>,
    /// Of rows that count.
    pub(super) tally: Tally,
}

impl Reports {
    /// Takes a report in; false when nothing comes of it.
    pub(super) fn insert(&mut self, network: &Network, ack: Ack) -> bool {
        if self.has_room(network, &ack).is_err() {
            return false;
        }
        match self.resolve(&ack.report) {
            Some((topic, signal, key)) => {
                self.keep(network, topic, Kept::of(&ack, signal, key), &ack)
            }
            None => {
                let order = ack.order();
                let is_new = self.waiting.insert(order, ack).is_none();
                if self.waiting.len() > network.max_nodes {
                    return self
                        .waiting
                        .pop_first()
                        .is_some_and(|(first, _)| first != order);
                }
                is_new
            }
        }
    }

    /// A signal, to which reports may belong that did not or belonged to an earlier one.
    pub(super) fn insert_signal(&mut self, network: &Network, signal: &Signal) {
        let directive = &signal.directive;
        let topic = self.topic(Subject {
            version: directive.version.clone(),
            action: directive.action.kind(),
            developer: signal.developer,
        });
        let moment = (signal.created_at, Reverse(signal.id));
        self.topics[topic]
            .signals
            .insert(moment, (signal.id, signal.key()));
        let rows: Vec<usize> = self.topics[topic].rows.iter().copied().collect();
        for row in rows {
            self.resolve_again(row, topic);
        }
        let subject = &self.topics[topic].subject;
        let on_it = |ack: &Ack| subject_of(&ack.report) == *subject;
        let waiting = self.waiting.iter().filter(|(_, ack)| on_it(ack));
        let now_known: Vec<(u64, EventId)> = waiting.map(|(order, _)| *order).collect();
        for order in now_known {
            if let Some(ack) = self.waiting.remove(&order) {
                self.insert(network, ack);
            }
        }
    }

    /// The signal that a report belongs to, and its action.
    pub(super) fn resolve(&self, report: &Report) -> Option<(usize, EventId, ActionKey)> {
        let topic = *self.topic_at.get(&subject_of(report))?;
        let (signal, key) = self.topics[topic].valid_at(report.action_at)?;
        Some((topic, signal, key))
    }

    /// Whether the configuration lets this key report as this node, and there is room for one more.
    pub(super) fn has_room(&self, network: &Network, ack: &Ack) -> Result<(), IdentityRefusal> {
        let node_id = &ack.report.node_id;
        let listed = network.nodes.get(node_id);
        if network.identity == Identity::Registry {
            match listed {
                None => return Err(IdentityRefusal::Unlisted),
                Some(Some(key)) if *key != ack.node => return Err(IdentityRefusal::OtherKey),
                Some(_) => {}
            }
        }
        let known = self
            .row_at
            .get(node_id)
            .is_some_and(|rows| rows.contains_key(&ack.node));
        if known || listed == Some(&Some(ack.node)) {
            return Ok(());
        }
        if self.rows_of_key.get(&ack.node).copied().unwrap_or(0) >= network.max_node_ids_per_pubkey
        {
            return Err(IdentityRefusal::TooManyOfKey);
        }
        if self.is_stranger(network, ack) && self.strangers >= network.max_strangers() {
            return Err(IdentityRefusal::TooManyNodes);
        }
        Ok(())
    }

    /// Whether a row that is not there yet would be neither a listed key's nor the first of a name that is listed without one.
    fn is_stranger(&self, network: &Network, ack: &Ack) -> bool {
        match network.nodes.get(&ack.report.node_id) {
            None => true,
            Some(Some(key)) => *key != ack.node,
            Some(None) => self.row_at.contains_key(&ack.report.node_id),
        }
    }

    /// The key that reported first as this node.
    pub(super) fn first_key(&self, node_id: &NodeId) -> Option<Pubkey> {
        let rows = self.row_at.get(node_id)?.values();
        rows.map(|row| &self.rows[*row])
            .min_by_key(|row| row.first)
            .map(|row| row.pubkey)
    }

    /// What nodes reported on an action.
    pub(super) fn on_action(&self, key: &ActionKey) -> Option<&OnAction> {
        self.by_action.get(key)
    }

    /// The nodes that can be seen, by name and key.
    pub(super) fn rows(&self) -> impl Iterator<Item = (usize, &Row)> {
        let rows = self.row_at.values().flat_map(BTreeMap::values);
        rows.map(|row| (*row, &self.rows[*row]))
            .filter(|(_, row)| row.speaks)
    }

    /// The row of this number.
    pub(super) fn row(&self, row: usize) -> &Row {
        &self.rows[row]
    }

    fn topic(&mut self, subject: Subject) -> usize {
        if let Some(topic) = self.topic_at.get(&subject) {
            return *topic;
        }
        let topic = self.topics.len();
        self.topic_at.insert(subject.clone(), topic);
        let group = (subject.version.clone(), subject.action);
        self.groups.entry(group).or_default().push(topic);
        self.topics.push(Topic {
            subject,
            signals: BTreeMap::new(),
            rows: HashSet::new(),
        });
        topic
    }

    fn keep(&mut self, network: &Network, topic: usize, kept: Kept, ack: &Ack) -> bool {
        let row = self.row_of(network, ack);
        let before = self.actions_of(row, topic);
        let first_before = self.rows[row].first;
        if !self.rows[row].keep(topic, kept) {
            return false;
        }
        self.topics[topic].rows.insert(row);
        self.settle(row, topic, before);
        if self.rows[row].first != first_before {
            self.settle_speakers(network, &ack.report.node_id);
        }
        true
    }

    fn row_of(&mut self, network: &Network, ack: &Ack) -> usize {
        let next = self.rows.len();
        let is_stranger = self.is_stranger(network, ack);
        let rows = self.row_at.entry(ack.report.node_id.clone()).or_default();
        let row = *rows.entry(ack.node).or_insert(next);
        if row == next {
            self.rows
                .push(Row::new(ack.report.node_id.clone(), ack.node));
            *self.rows_of_key.entry(ack.node).or_default() += 1;
            self.strangers += usize::from(is_stranger);
        }
        row
    }

    fn resolve_again(&mut self, row: usize, topic: usize) {
        let before = self.actions_of(row, topic);
        let valid_at = |at_s| self.topics[topic].valid_at(at_s);
        self.rows[row].resolve_again(topic, valid_at);
        self.settle(row, topic, before);
    }

    fn siblings(&self, topic: usize) -> &[usize] {
        let Subject {
            version, action, ..
        } = &self.topics[topic].subject;
        let group = self.groups.get(&(version.clone(), *action));
        group.map(Vec::as_slice).unwrap_or_default()
    }

    fn newest_of(&self, row: usize, topic: usize) -> BTreeMap<ActionKey, Arc<Kept>> {
        let mut newest: BTreeMap<ActionKey, Arc<Kept>> = BTreeMap::new();
        for topic in self.siblings(topic) {
            for kept in self.rows[row].on_topic(*topic) {
                let known = newest
                    .entry(kept.action)
                    .or_insert_with(|| Arc::clone(kept));
                if kept.order() > known.order() {
                    *known = Arc::clone(kept);
                }
            }
        }
        newest
    }

    fn actions_of(&self, row: usize, topic: usize) -> BTreeSet<ActionKey> {
        self.newest_of(row, topic).into_keys().collect()
    }

    /// Brings the tallies in line with what the row has on these actions now.
    fn settle(&mut self, row: usize, topic: usize, before: BTreeSet<ActionKey>) {
        let mut newest = self.newest_of(row, topic);
        let counts = self.rows[row].counts;
        let keys: BTreeSet<ActionKey> = before.into_iter().chain(newest.keys().copied()).collect();
        for key in keys {
            let on_action = self.by_action.entry(key).or_default();
            let was = match newest.remove(&key) {
                Some(kept) => {
                    on_action.count(counts, kept.status, 1);
                    on_action.by_row.insert(row, kept)
                }
                None => on_action.by_row.remove(&row),
            };
            if let Some(was) = was {
                on_action.count(counts, was.status, -1);
            }
        }
        let version_of = |topic: usize| self.topics[topic].subject.version.clone();
        self.rows[row].summarize(version_of);
    }

    /// Finds out anew who speaks for a node and counts as it, where a name has several keys.
    fn settle_speakers(&mut self, network: &Network, node_id: &NodeId) {
        let listed = network.nodes.get(node_id);
        let one_speaks = network.identity == Identity::Tofu || listed == Some(&None);
        let first = self.first_key(node_id);
        let rows: Vec<usize> = self
            .row_at
            .get(node_id)
            .into_iter()
            .flat_map(BTreeMap::values)
            .copied()
            .collect();
        for at in rows {
            let row = &mut self.rows[at];
            row.speaks = !one_speaks || first == Some(row.pubkey);
            let counts = row.speaks
                && (network.nodes.is_empty()
                    || listed.is_some_and(|key| key.is_none_or(|key| key == row.pubkey)));
            if counts == row.counts {
                continue;
            }
            row.counts = counts;
            let keys: BTreeSet<ActionKey> = row.all().map(|kept| kept.action).collect();
            for key in keys {
                if let Some(on_action) = self.by_action.get_mut(&key)
                    && let Some(status) = on_action.by_row.get(&at).map(|kept| kept.status)
                {
                    on_action.count(true, status, if counts { 1 } else { -1 });
                }
            }
        }
    }
}

impl Topic {
    /// The newest signal on it at that moment. Unix seconds.
    fn valid_at(&self, at_s: u64) -> Option<(EventId, ActionKey)> {
        let until = (at_s, Reverse(EventId::from_bytes([0; 32])));
        self.signals
            .range(..=until)
            .next_back()
            .map(|(_, found)| *found)
    }
}

impl OnAction {
    fn count(&mut self, counts: bool, status: StatusKind, change: isize) {
        if !counts {
            return;
        }
        let tally = match status {
            StatusKind::Success => &mut self.tally.success,
            StatusKind::Failure => &mut self.tally.failure,
        };
        *tally = tally.saturating_add_signed(change);
    }
}

fn subject_of(report: &Report) -> Subject {
    Subject {
        version: report.version.clone(),
        action: report.action,
        developer: report.developer,
    }
}
