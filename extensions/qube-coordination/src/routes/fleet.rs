//! `/networks/{network}/fleet`: every node, what it runs and when it was last heard.

use super::csv::{Row, cell};
use super::{Listing, Reader, find};
use crate::QubeCoordination;
use actix_web::web::{Path, Query};
use trellis_qube_protocol::NodeState;
use trellis_relay::extension::http::Api;
use trellis_relay::extension::prelude::*;

/// A node.
#[derive(Clone, Debug, Serialize, JsonSchema)]
struct Node {
    /// How its operator calls it.
    node_id: String,
    /// The key it reports with: 64 hex digits.
    pubkey: Option<String>,
    /// The version of its newest report of success.
    version: Option<String>,
    /// "success" or "failure": its newest report.
    status: Option<String>,
    /// What went wrong, by that report.
    error: Option<String>,
    /// The action that it is about: its key.
    action: Option<String>,
    /// When the action was done. Unix seconds.
    action_at: Option<u64>,
    /// When the report was signed. Unix seconds.
    reported_at: Option<u64>,
    /// The report's id.
    ack: Option<String>,
    /// The action on which it should have reported by now.
    overdue_for: Option<String>,
    /// Whether it has been overdue for so long that something is wrong with it.
    silent: bool,
}

/// Which nodes.
#[derive(Debug, Deserialize, JsonSchema)]
struct Which {
    /// "overdue", "silent", "failed" or "all". Default: "all".
    #[serde(default)]
    show: Show,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Show {
    #[default]
    All,
    Overdue,
    Silent,
    Failed,
}

pub(super) fn declare(api: &mut Api) {
    api.get("/networks/{network}/fleet", list)
        .summary("The nodes of a network")
        .answers::<PageOf<Node>>(200)
        .fails(404, "There is no such network.");
}

async fn list(
    me: Current<QubeCoordination>,
    reader: Reader,
    network: Path<String>,
    which: Query<Which>,
    page: Page<1_000, 5_000>,
) -> Result<Listing<Node>, ApiError> {
    let found = find(&me, &network)?;
    let nodes: Vec<&NodeState> = found
        .network()?
        .nodes
        .iter()
        .filter(|node| which.show.shows(node))
        .collect();
    let (nodes, next) = super::slice(&nodes, &page, |node| place(node))?;
    Ok(reader.list(nodes.into_iter().map(Node::of).collect(), next))
}

/// Where a node stands in the list.
fn place(node: &NodeState) -> String {
    format!("{} {}", cell(&node.pubkey), node.node_id)
}

impl Show {
    fn shows(self, node: &NodeState) -> bool {
        match self {
            Show::All => true,
            Show::Overdue => node.overdue_for.is_some(),
            Show::Silent => node.silent,
            Show::Failed => node.has_failed(),
        }
    }
}

impl Node {
    fn of(node: &NodeState) -> Self {
        let last = node.last_ack.as_ref();
        Node {
            node_id: node.node_id.to_string(),
            pubkey: node.pubkey.map(|it| it.to_string()),
            version: node.version.as_ref().map(ToString::to_string),
            status: last.map(|ack| ack.status.as_str().to_owned()),
            error: last.and_then(|ack| ack.error.clone()),
            action: last.map(|ack| ack.action.to_string()),
            action_at: last.map(|ack| ack.action_at),
            reported_at: last.map(|ack| ack.created_at),
            ack: last.map(|ack| ack.id.to_string()),
            overdue_for: node.overdue_for.map(|it| it.to_string()),
            silent: node.silent,
        }
    }
}

impl Row for Node {
    const COLUMNS: &'static [&'static str] = &[
        "node_id",
        "pubkey",
        "version",
        "status",
        "error",
        "action",
        "action_at",
        "reported_at",
        "ack",
        "overdue_for",
        "silent",
    ];

    fn cells(&self) -> Vec<String> {
        vec![
            self.node_id.clone(),
            cell(&self.pubkey),
            cell(&self.version),
            cell(&self.status),
            cell(&self.error),
            cell(&self.action),
            cell(&self.action_at),
            cell(&self.reported_at),
            cell(&self.ack),
            cell(&self.overdue_for),
            self.silent.to_string(),
        ]
    }
}
