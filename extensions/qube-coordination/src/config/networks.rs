//! `[[extensions.qube_coordination.networks]]`
//!
//! Invariant: what is wrong with any of them stops the start, with the network that it is about.

use super::{NodeIdentity, Settings};
use serde::Deserializer;
use serde::de::Error as _;
use std::collections::{BTreeMap, BTreeSet};
use trellis_qube_protocol::{NetworkId, NodeId};
use trellis_relay::extension::prelude::*;

/// Most developers of one network.
const MOST_DEVELOPERS: usize = 100;

/// One network of the fleet.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NetworkTable {
    /// What the tag `network` says: 1 to 64 of a-z, 0-9, "_", "." and "-".
    #[schemars(regex(pattern = "^[a-z0-9_.-]{1,64}$"))]
    pub(crate) id: String,
    /// Who may direct it: 1 to 100 keys, as npub or hex.
    #[serde(deserialize_with = "developers")]
    pub(crate) developers: Pubkeys,
    /// How many of them must agree: 1 to all of them.
    #[schemars(range(min = 1, max = 100))]
    pub(crate) quorum: usize,
    /// The nodes that are expected to report. Empty: those that have reported.
    #[serde(default)]
    pub(crate) nodes: Vec<NodeTable>,
}

/// One of `networks.nodes`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NodeTable {
    /// What the tag `node_id` says: 1 to 128 visible characters.
    pub(crate) node_id: String,
    /// The key that reports for it, as npub or hex; needed with `node_identity = "registry"`.
    pub(crate) pubkey: Option<Pubkey>,
}

/// The keys; what is none is told by its place, and shown where it is meant for everybody: a secret key is not.
fn developers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Pubkeys, D::Error> {
    let texts = <Vec<String> as serde::Deserialize>::deserialize(deserializer)?;
    let keys = texts.iter().zip(1..).map(|(text, number)| {
        let key = text.parse::<Pubkey>();
        key.map(|pubkey| *pubkey.key()).map_err(|wanted| {
            let shown = match text.starts_with("npub1") {
                true => format!(", {:?}", text.chars().take(12).collect::<String>()),
                false => String::new(),
            };
            D::Error::custom(format!("number {number}{shown}: wanted {wanted}"))
        })
    });
    keys.collect()
}

/// Whether all networks are right, and right together.
pub(super) fn check(settings: &Settings) -> Result<(), String> {
    let mut ids = BTreeSet::new();
    for network in &settings.networks {
        network.check(settings)?;
        if !ids.insert(&network.id) {
            return Err(format!(
                "networks.id: found {:?} twice, wanted each network once",
                network.id
            ));
        }
    }
    Ok(())
}

impl NetworkTable {
    fn check(&self, settings: &Settings) -> Result<(), String> {
        let id = &self.id;
        if let Err(error) = id.parse::<NetworkId>() {
            return Err(format!("networks.id: found {id:?}; {error}"));
        }
        let developers = self.developers.len();
        if !(1..=MOST_DEVELOPERS).contains(&developers) {
            return Err(format!(
                "networks.developers of {id:?}: found {developers}, wanted 1 to {MOST_DEVELOPERS} keys"
            ));
        }
        if !(1..=developers).contains(&self.quorum) {
            return Err(format!(
                "networks.quorum of {id:?}: found {}, wanted 1 to {developers}, since it has {developers} developers",
                self.quorum
            ));
        }
        self.check_nodes(settings)
    }

    fn check_nodes(&self, settings: &Settings) -> Result<(), String> {
        let id = &self.id;
        let is_registry = settings.node_identity == NodeIdentity::Registry;
        if is_registry && self.nodes.is_empty() {
            return Err(format!(
                "networks.nodes of {id:?}: found none, wanted the nodes and their keys, since node_identity is \"registry\""
            ));
        }
        if self.nodes.len() > settings.max_nodes {
            return Err(format!(
                "networks.nodes of {id:?}: found {}, wanted {} at most, which is max_nodes",
                self.nodes.len(),
                settings.max_nodes
            ));
        }
        let mut seen = BTreeMap::new();
        for node in &self.nodes {
            let name = &node.node_id;
            if let Err(error) = name.parse::<NodeId>() {
                return Err(format!(
                    "networks.nodes.node_id of {id:?}: found {name:?}; {error}"
                ));
            }
            if is_registry && node.pubkey.is_none() {
                return Err(format!(
                    "networks.nodes.pubkey of {name:?} in {id:?}: found nothing, wanted its key, since node_identity is \"registry\""
                ));
            }
            if seen.insert(name, ()).is_some() {
                return Err(format!(
                    "networks.nodes.node_id of {id:?}: found {name:?} twice, wanted each node once"
                ));
            }
        }
        Ok(())
    }
}
