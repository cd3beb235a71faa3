//! Everything that is known of a fleet, in whatever order it came: the same signals and reports give the same state.
//!
//! Within the bounds of a network: of what is beyond them (too many nodes, reports on nothing) the first that came is kept.

mod ballots;
mod book;
mod judging;
mod reports;
mod row;

use crate::{
    Ack, ActionKey, EventId, FleetState, LastAck, Network, NetworkId, NetworkState, NodeId, Pubkey,
    Signal, VoteScope,
};
use book::Book;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Signals and reports of some networks.
#[derive(Debug)]
pub struct Ledger {
    scope: VoteScope,
    books: BTreeMap<NetworkId, Book>,
    signals: HashMap<EventId, Arc<Signal>>,
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
    /// Whether it is one of the nodes that are counted.
    pub counts: bool,
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
        let books = networks
            .into_iter()
            .map(|network| (network.id.clone(), Book::new(network)));
        Self {
            scope,
            books: books.collect(),
            signals: HashMap::new(),
        }
    }

    /// The networks as they were given, by name.
    pub fn networks(&self) -> impl Iterator<Item = &Network> {
        self.books.values().map(|book| &book.network)
    }

    /// Takes a signal in. False when it is known already or its author does not direct its network.
    ///
    /// Under [`VoteScope::Address`] one for a network that is not known here counts as well: it takes the place of its
    /// author's votes on those that are.
    pub fn insert_signal(&mut self, signal: Signal) -> bool {
        if self.signals.contains_key(&signal.id) {
            return false;
        }
        let mut is_new = false;
        let signal = Arc::new(signal);
        for (id, book) in &mut self.books {
            if !book.network.developers.contains(&signal.developer) {
                continue;
            }
            if *id == signal.directive.network {
                is_new |= book.insert_signal(&signal);
            } else if self.scope == VoteScope::Address {
                is_new |= book.insert_elsewhere(&signal);
            }
        }
        if is_new {
            self.signals.insert(signal.id, signal);
        }
        is_new
    }

    /// Takes a report in. False when nothing comes of it: it is known, its key may not report as its node by the
    /// configuration, there is no room, or it is older than all that are kept of its node.
    pub fn insert_ack(&mut self, ack: Ack) -> bool {
        let book = self.books.get_mut(&ack.report.network);
        book.is_some_and(|book| book.insert_ack(ack))
    }

    /// Whether the report's key may speak for its node, by what is known now. To be asked before a report is let in:
    /// under [`Identity::Tofu`](crate::Identity::Tofu) the answer depends on who came first.
    pub fn may_report(&self, ack: &Ack) -> Result<(), IdentityRefusal> {
        let book = self.books.get(&ack.report.network);
        book.ok_or(IdentityRefusal::UnknownNetwork)?.may_report(ack)
    }

    /// All networks at this moment. Unix seconds.
    pub fn state(&self, now_s: u64) -> FleetState {
        let networks: Vec<NetworkState> =
            self.books.values().map(|book| book.state(now_s)).collect();
        FleetState {
            next_change_at: networks
                .iter()
                .filter_map(|network| network.next_change_at)
                .min(),
            networks,
        }
    }

    /// One network at this moment. Unix seconds.
    pub fn network(&self, id: &NetworkId, now_s: u64) -> Option<NetworkState> {
        self.books.get(id).map(|book| book.state(now_s))
    }

    /// The signal that a report belongs to (rule Q11): of those of the developer it names, for its network, version and
    /// action, the newest that was signed when the action was done.
    pub fn resolve(&self, ack: &Ack) -> Option<EventId> {
        self.books.get(&ack.report.network)?.resolve(ack)
    }

    /// The developer's vote on the network at that moment. Unix seconds.
    pub fn valid_at(&self, developer: &Pubkey, network: &NetworkId, at_s: u64) -> Option<&Signal> {
        self.books.get(network)?.valid_at(developer, at_s)
    }

    /// The signal of this id.
    pub fn signal(&self, id: &EventId) -> Option<&Signal> {
        self.signals.get(id).map(Arc::as_ref)
    }

    /// All signals for a network, newest first.
    pub fn signals(&self, network: &NetworkId) -> Vec<&Signal> {
        self.books
            .get(network)
            .map(Book::signals)
            .unwrap_or_default()
    }

    /// Each node's newest report on an action, by name and key.
    pub fn acks(&self, network: &NetworkId, key: &ActionKey) -> Vec<AckRecord> {
        self.books
            .get(network)
            .map(|book| book.acks(key))
            .unwrap_or_default()
    }
}
