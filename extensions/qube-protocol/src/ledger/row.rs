//! What is kept of the reports of one node under one key.

use crate::{Ack, ActionKey, EventId, LastAck, NodeId, Pubkey, StatusKind, Version};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How many reports on one subject are kept of a node: the oldest, and the newest but for one. The newest alone keeps its
/// error.
const MAX_KEPT: usize = 8;

/// A report that belongs to a signal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Kept {
    id: EventId,
    created_at: u64,
    pub(super) action_at: u64,
    pub(super) status: StatusKind,
    error: Option<Box<str>>,
    pub(super) signal: EventId,
    pub(super) action: ActionKey,
}

impl Kept {
    pub(super) fn of(ack: &Ack, signal: EventId, action: ActionKey) -> Self {
        Self {
            id: ack.id,
            created_at: ack.created_at,
            action_at: ack.report.action_at,
            status: ack.report.status.kind(),
            error: ack.report.status.error().map(Box::from),
            signal,
            action,
        }
    }

    /// Newest last.
    pub(super) fn order(&self) -> (u64, EventId) {
        (self.created_at, self.id)
    }

    pub(super) fn shown(&self) -> LastAck {
        LastAck {
            id: self.id,
            created_at: self.created_at,
            action_at: self.action_at,
            action: self.action,
            status: self.status,
            error: self.error.as_deref().map(str::to_owned),
        }
    }
}

/// One node under one key.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) node_id: NodeId,
    pub(super) pubkey: Pubkey,
    /// Its first report, by the time of signing; of a row without reports, after all others.
    pub(super) first: (u64, EventId),
    /// Whether this key may speak for the node.
    pub(super) speaks: bool,
    /// Whether it is one of the nodes that are counted.
    pub(super) counts: bool,
    /// Its newest report.
    pub(super) newest: Option<Arc<Kept>>,
    /// The version of its newest report of success.
    pub(super) version: Option<Version>,
    kept: BTreeMap<usize, Vec<Arc<Kept>>>,
}

impl Row {
    pub(super) fn new(node_id: NodeId, pubkey: Pubkey) -> Self {
        Self {
            node_id,
            pubkey,
            first: (u64::MAX, EventId::from_bytes([255; 32])),
            speaks: false,
            counts: false,
            newest: None,
            version: None,
            kept: BTreeMap::new(),
        }
    }

    /// Takes a report in; false when it is there, or is neither among the newest nor the oldest.
    pub(super) fn keep(&mut self, topic: usize, kept: Kept) -> bool {
        let order = kept.order();
        let on_topic = self
            .kept
            .entry(topic)
            .or_insert_with(|| Vec::with_capacity(1));
        let Err(at) = on_topic.binary_search_by_key(&order, |kept| kept.order()) else {
            return false;
        };
        on_topic.insert(at, Arc::new(kept));
        // An error is long, and of all but the newest nobody asks for it here.
        let newest = on_topic.len() - 1;
        for kept in &mut on_topic[..newest] {
            if kept.error.is_some() {
                Arc::make_mut(kept).error = None;
            }
        }
        let gone = (on_topic.len() > MAX_KEPT).then(|| on_topic.remove(1));
        if gone.is_some_and(|gone| gone.order() == order) {
            return false;
        }
        self.first = self.first.min(order);
        true
    }

    /// Finds out anew which signals the reports on a topic belong to.
    pub(super) fn resolve_again(
        &mut self,
        topic: usize,
        valid_at: impl Fn(u64) -> Option<(EventId, ActionKey)>,
    ) {
        for kept in self.kept.get_mut(&topic).into_iter().flatten() {
            if let Some((signal, action)) = valid_at(kept.action_at)
                && signal != kept.signal
            {
                let mut changed = Kept::clone(kept);
                (changed.signal, changed.action) = (signal, action);
                *kept = Arc::new(changed);
            }
        }
    }

    pub(super) fn on_topic(&self, topic: usize) -> &[Arc<Kept>] {
        self.kept.get(&topic).map(Vec::as_slice).unwrap_or_default()
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<Kept>> {
        self.kept.values().flatten()
    }

    /// Finds its newest report and its version anew.
    pub(super) fn summarize(&mut self, version_of: impl Fn(usize) -> Version) {
        self.newest = self.all().max_by_key(|kept| kept.order()).map(Arc::clone);
        let successes = self.kept.iter().filter_map(|(topic, kept)| {
            let success = kept
                .iter()
                .rev()
                .find(|kept| kept.status == StatusKind::Success);
            success.map(|kept| (kept.order(), *topic))
        });
        self.version = successes.max().map(|(_, topic)| version_of(topic));
    }
}
