//! The networks of the configuration as the protocol has them.

use crate::config::{self, NetworkTable, NodeIdentity, Settings};
use std::collections::{BTreeMap, BTreeSet};
use trellis_qube_protocol::{Identity, Network, NetworkId, NodeId, Pubkey, VoteScope};

/// All of them, by name. What is wrong is told with its key.
pub(crate) fn of(settings: &Settings) -> Result<BTreeMap<NetworkId, Network>, String> {
    let tables = settings.networks.iter();
    tables
        .map(|table| {
            let network = network(table, settings)?;
            Ok((network.id.clone(), network))
        })
        .collect()
}

/// Tells of quorums of no more than half, with which two actions can be agreed on at the same time.
pub(crate) fn warn(networks: &BTreeMap<NetworkId, Network>) {
    for network in networks.values() {
        let (quorum, developers) = (network.quorum, network.developers.len());
        if 2 * quorum <= developers {
            tracing::warn!(
                network = %network.id, quorum, developers,
                "a quorum of no more than half lets two actions be agreed on at the same time"
            );
        }
    }
}

/// What withdraws a vote.
pub(crate) fn scope(settings: &Settings) -> VoteScope {
    match settings.vote_scope {
        config::VoteScope::Network => VoteScope::Network,
        config::VoteScope::Address => VoteScope::Address,
    }
}

fn network(table: &NetworkTable, settings: &Settings) -> Result<Network, String> {
    let id: NetworkId = table
        .id
        .parse()
        .map_err(|error| format!("networks.id: {error}"))?;
    let developers: BTreeSet<Pubkey> = table
        .developers
        .iter()
        .map(|key| Pubkey::from_bytes(*key.as_bytes()))
        .collect();
    let mut nodes = BTreeMap::new();
    for node in &table.nodes {
        let node_id: NodeId = node
            .node_id
            .parse()
            .map_err(|error| format!("networks.nodes.node_id of {id}: {error}"))?;
        let key = node
            .pubkey
            .map(|key| Pubkey::from_bytes(*key.key().as_bytes()));
        nodes.insert(node_id, key);
    }
    let network = Network {
        id,
        developers,
        quorum: table.quorum,
        nodes,
        identity: match settings.node_identity {
            NodeIdentity::Open => Identity::Open,
            NodeIdentity::Tofu => Identity::Tofu,
            NodeIdentity::Registry => Identity::Registry,
        },
        max_nodes: settings.max_nodes,
        max_node_ids_per_pubkey: settings.max_node_ids_per_pubkey,
        ack_within_s: settings.ack_within_s,
        silent_after_s: settings.silent_after_s,
        proposal_ttl_s: settings.proposal_ttl_s,
    };
    network
        .check()
        .map_err(|error| format!("networks: {error}"))?;
    Ok(network)
}
