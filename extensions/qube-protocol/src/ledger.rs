//! Everything that is known of a fleet, in whatever order it came: the same signals and reports give the same state.

use crate::{
    Ack, ActionKey, EventId, FleetState, LastAck, Network, NetworkId, NetworkState, NodeId, Pubkey,
    Signal, VoteScope,
};
use std::collections::BTreeMap;

/// Signals and reports of some networks.
#[derive(Debug)]
pub struct Ledger {
    networks: Vec<Network>,
    scope: VoteScope,
    signals: BTreeMap<EventId, Signal>,
    acks: BTreeMap<EventId, Ack>,
}

/// A report as the ledger has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AckRecord {
    /// Which node.
    pub node_id: NodeId,
    /// The key it reported with.
    pub pubkey: Pubkey,
    /// The signal it belongs to.
    pub signal: EventId,
    /// The report.
    pub ack: LastAck,
}

/// Why a key may not report as a node (rule Q4), in words for its owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentityRefusal {
    /// No such network.
    #[error("there is no such network here")]
    UnknownNetwork,
    /// The directive is by somebody who directs nothing here.
    #[error("the developer whom `a` names does not direct this network")]
    NotADeveloper,
    /// Not on the list.
    #[error("this network lists its nodes, and this one is not among them")]
    Unlisted,
    /// Listed or first seen with another key.
    #[error("this node reports with another key")]
    OtherKey,
    /// Enough of one key.
    #[error("this key reports as too many nodes already")]
    TooManyOfKey,
    /// Enough of all.
    #[error("this network has too many nodes already")]
    TooManyNodes,
}

impl Ledger {
    /// One that knows nothing yet.
    pub fn new(networks: Vec<Network>, scope: VoteScope) -> Self {
        Self {
            networks,
            scope,
            signals: BTreeMap::new(),
            acks: BTreeMap::new(),
        }
    }

    /// The networks as they were given.
    pub fn networks(&self) -> impl Iterator<Item = &Network> {
        self.networks.iter()
    }

    /// Takes a signal in. False when it is known already or its author does not direct its network.
    pub fn insert_signal(&mut self, signal: Signal) -> bool {
        self.signals.insert(signal.id, signal).is_none()
    }

    /// Takes a report in. False when it is known already, may not be ([`Ledger::may_report`]), or is older than all that
    /// are kept of its node.
    pub fn insert_ack(&mut self, ack: Ack) -> bool {
        self.may_report(&ack).is_ok() && self.acks.insert(ack.id, ack).is_none()
    }

    /// Whether the report's key may speak for its node, by what is known now.
    pub fn may_report(&self, ack: &Ack) -> Result<(), IdentityRefusal> {
        let network = self
            .networks
            .iter()
            .find(|network| network.id == ack.report.network);
        network.map(|_| ()).ok_or(IdentityRefusal::UnknownNetwork)
    }

    /// All networks at this moment. Unix seconds.
    pub fn state(&self, now_s: u64) -> FleetState {
        let networks = self.networks.iter();
        FleetState {
            networks: networks
                .filter_map(|network| self.network(&network.id, now_s))
                .collect(),
            next_change_at: None,
        }
    }

    /// One network at this moment. Unix seconds.
    pub fn network(&self, id: &NetworkId, _now_s: u64) -> Option<NetworkState> {
        let network = self.networks.iter().find(|network| network.id == *id)?;
        Some(NetworkState {
            id: network.id.clone(),
            quorum: network.quorum,
            developers: network.developers.iter().copied().collect(),
            actions: Vec::new(),
            nodes: Vec::new(),
            conflicts: Vec::new(),
            current: None,
            next_change_at: None,
        })
    }

    /// The signal that a report belongs to (rule Q11): of those of the developer it names, for its network, version and
    /// action, the newest that was signed when the action was done.
    pub fn resolve(&self, ack: &Ack) -> Option<EventId> {
        let report = &ack.report;
        let theirs = self.signals.values().filter(|signal| {
            signal.developer == report.developer
                && signal.directive.network == report.network
                && signal.directive.version == report.version
                && signal.directive.action.kind() == report.action
                && signal.created_at <= report.action_at
        });
        theirs
            .max_by_key(|signal| newest(signal))
            .map(|signal| signal.id)
    }

    /// The developer's vote on the network at that moment. Unix seconds.
    pub fn valid_at(&self, developer: &Pubkey, network: &NetworkId, at_s: u64) -> Option<&Signal> {
        let theirs = self.signals.values().filter(|signal| {
            signal.developer == *developer
                && signal.created_at <= at_s
                && (self.scope == VoteScope::Address || signal.directive.network == *network)
        });
        let newest = theirs.max_by_key(|signal| newest(signal));
        newest.filter(|signal| signal.directive.network == *network)
    }

    /// The signal of this id.
    pub fn signal(&self, id: &EventId) -> Option<&Signal> {
        self.signals.get(id)
    }

    /// All signals for a network, newest first.
    pub fn signals(&self, network: &NetworkId) -> Vec<&Signal> {
        let of_network = |signal: &&Signal| signal.directive.network == *network;
        let mut signals: Vec<_> = self.signals.values().filter(of_network).collect();
        signals.sort_by_key(|signal| std::cmp::Reverse(newest(signal)));
        signals
    }

    /// Each node's newest report on an action, by node.
    pub fn acks(&self, _network: &NetworkId, _key: &ActionKey) -> Vec<AckRecord> {
        Vec::new()
    }
}

fn newest(signal: &Signal) -> (u64, std::cmp::Reverse<EventId>) {
    (signal.created_at, std::cmp::Reverse(signal.id))
}
