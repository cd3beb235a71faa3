//! A network as an operator describes it: who directs it, how many of them have to agree, and which nodes it has.

use crate::{NetworkId, NodeId, Pubkey};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What is decided about one network outside of events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    /// What it is called.
    pub id: NetworkId,
    /// Who may direct it.
    pub developers: BTreeSet<Pubkey>,
    /// How many of them have to agree: 1 to all.
    pub quorum: usize,
    /// The nodes that are expected, with the key each reports with where it is known. Empty: whoever reports.
    pub nodes: BTreeMap<NodeId, Option<Pubkey>>,
    /// Who may report as which node.
    pub identity: Identity,
    /// The most nodes that are kept; those that are listed have their place among them.
    pub max_nodes: usize,
    /// The most node ids that one key may report as.
    pub max_node_ids_per_pubkey: usize,
    /// How long a node may take to report, from the quorum or, for a reboot, from its deadline. Seconds.
    pub ack_within_s: u64,
    /// How long after that a node that has not reported counts as silent. Seconds.
    pub silent_after_s: u64,
    /// How long a proposal waits for votes. Seconds.
    pub proposal_ttl_s: u64,
}

impl Network {
    /// A network with nothing decided but who directs it: open, 10,000 nodes of which 16 of one key, half an hour to
    /// report, silent after a day, proposals for 30 days.
    pub fn new(
        id: NetworkId,
        developers: impl IntoIterator<Item = Pubkey>,
        quorum: usize,
    ) -> Result<Self, NetworkError> {
        let network = Self {
            id,
            developers: developers.into_iter().collect(),
            quorum,
            nodes: BTreeMap::new(),
            identity: Identity::Open,
            max_nodes: 10_000,
            max_node_ids_per_pubkey: 16,
            ack_within_s: 1_800,
            silent_after_s: 86_400,
            proposal_ttl_s: 30 * 86_400,
        };
        network.check()?;
        Ok(network)
    }

    /// How many nodes may be known besides those that are listed.
    pub fn max_strangers(&self) -> usize {
        self.max_nodes.saturating_sub(self.nodes.len())
    }

    /// Whether anything can ever be decided here.
    pub fn check(&self) -> Result<(), NetworkError> {
        let (quorum, developers) = (self.quorum, self.developers.len());
        if (1..=developers).contains(&quorum) {
            return Ok(());
        }
        Err(NetworkError::Quorum {
            network: self.id.clone(),
            quorum,
            developers,
        })
    }
}

/// Why a network cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NetworkError {
    /// A quorum that none or too many reach.
    #[error(
        "network `{network}`: a quorum of {quorum} of {developers} developers; it is 1 to {developers}"
    )]
    Quorum {
        /// Which network.
        network: NetworkId,
        /// What was found.
        quorum: usize,
        /// How many developers there are.
        developers: usize,
    },
}

/// Who may report as which node (rule Q4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Identity {
    /// Everybody: the same name with another key is another node.
    #[default]
    Open,
    /// The key that reported first under a name.
    Tofu,
    /// The nodes that the operator lists.
    Registry,
}

/// What withdraws a developer's vote (rule Q8).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VoteScope {
    /// The developer's next directive for the same network.
    #[default]
    Network,
    /// The developer's next directive, for whichever network: both have one address.
    Address,
}
