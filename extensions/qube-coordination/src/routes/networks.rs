//! `/networks`, `/networks/{network}`: what there is, in numbers.

use super::csv::{Row, cell};
use super::{Listing, Reader, find};
use crate::QubeCoordination;
use actix_web::web::{Json, Path};
use trellis_qube_protocol::{ActionStatus, NetworkState};
use trellis_relay::extension::http::Api;
use trellis_relay::extension::prelude::*;

/// A network.
#[derive(Clone, Debug, Serialize, JsonSchema)]
struct Network {
    /// What the tag `network` says.
    id: String,
    /// How many developers have to agree.
    quorum: usize,
    /// Who directs it: 64 hex digits each.
    developers: Vec<String>,
    /// Nodes that are kept track of.
    nodes: usize,
    /// Nodes that should have reported on the current action by now.
    overdue: usize,
    /// Nodes that have been overdue for so long that something is wrong with them.
    silent: usize,
    /// Proposals that wait for votes.
    proposed: usize,
    /// Versions for which votes name different hashes, and reboots for which they name different genesis hashes.
    conflicts: Vec<Conflict>,
    /// The action that reached its quorum last: its key.
    current: Option<String>,
    /// Its version.
    current_version: Option<String>,
    /// How far it is.
    current_status: Option<String>,
}

/// A version with two hashes, or a reboot with two genesis hashes.
#[derive(Clone, Debug, Serialize, JsonSchema)]
struct Conflict {
    /// Which version.
    version: String,
    /// The key of the reboot, where the hashes are those of its genesis.
    #[serde(skip_serializing_if = "Option::is_none")]
    reboot: Option<String>,
    /// Who votes for which hash.
    hashes: std::collections::BTreeMap<String, Vec<String>>,
}

pub(super) fn declare(api: &mut Api) {
    api.get("/networks", list)
        .summary("All networks")
        .answers::<PageOf<Network>>(200);
    api.get("/networks/{network}", one)
        .summary("A network")
        .answers::<Network>(200)
        .fails(404, "There is no such network.");
}

async fn list(
    me: Current<QubeCoordination>,
    reader: Reader,
    page: Page<100, 100>,
) -> Result<Listing<Network>, ApiError> {
    let state = me.holdings.state();
    let all: Vec<Network> = state.networks.iter().map(Network::of).collect();
    let (items, next) = super::slice(&all, &page, |it| it.id.clone())?;
    Ok(reader.list(items, next))
}

async fn one(
    me: Current<QubeCoordination>,
    _reader: Reader,
    network: Path<String>,
) -> Result<Json<Network>, ApiError> {
    let found = find(&me, &network)?;
    Ok(Json(Network::of(found.network()?)))
}

impl Network {
    fn of(network: &NetworkState) -> Self {
        let current = network.current_action();
        let nodes = || network.nodes.iter();
        Network {
            id: network.id.to_string(),
            quorum: network.quorum,
            developers: network.developers.iter().map(ToString::to_string).collect(),
            nodes: network.nodes.len(),
            overdue: nodes().filter(|it| it.overdue_for.is_some()).count(),
            silent: nodes().filter(|it| it.silent).count(),
            proposed: network
                .actions
                .iter()
                .filter(|it| it.status == ActionStatus::Proposed)
                .count(),
            conflicts: network
                .conflicts
                .iter()
                .map(|conflict| Conflict {
                    version: conflict.version.to_string(),
                    reboot: conflict.reboot.map(|key| key.to_string()),
                    hashes: conflict
                        .hashes
                        .iter()
                        .map(|(hash, who)| {
                            (
                                hash.to_string(),
                                who.iter().map(ToString::to_string).collect(),
                            )
                        })
                        .collect(),
                })
                .collect(),
            current: current.map(|it| it.key.to_string()),
            current_version: current.map(|it| it.directive.version.to_string()),
            current_status: current.map(|it| it.status.as_str().to_owned()),
        }
    }
}

impl Row for Network {
    const COLUMNS: &'static [&'static str] = &[
        "id",
        "quorum",
        "developers",
        "nodes",
        "overdue",
        "silent",
        "proposed",
        "conflicts",
        "current",
        "current_version",
        "current_status",
    ];

    fn cells(&self) -> Vec<String> {
        vec![
            self.id.clone(),
            self.quorum.to_string(),
            self.developers.join(" "),
            self.nodes.to_string(),
            self.overdue.to_string(),
            self.silent.to_string(),
            self.proposed.to_string(),
            self.conflicts.len().to_string(),
            cell(&self.current),
            cell(&self.current_version),
            cell(&self.current_status),
        ]
    }
}
