//! `trellis qube fleet`

use crate::out::{json, line, print};
use crate::reader::Reader;
use crate::reading::networks;
use crate::span::{ago, now_s};
use crate::table::{Table, shortened};
use serde_json::json;
use trellis_qube_protocol::{NetworkState, NodeState};

#[derive(Debug, clap::Args)]
pub(crate) struct Fleet {
    #[command(flatten)]
    reader: Reader,
    /// Only nodes that are overdue or whose last report is a failure.
    #[arg(long)]
    troubled: bool,
}

impl Fleet {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let settings = self.reader.settle()?;
        let mut networks = networks(&settings).await?;
        let now_s = now_s();
        if self.troubled {
            for network in &mut networks {
                network.nodes.retain(is_troubled);
            }
        }
        if settings.json {
            let shown = networks.iter().map(|network| {
                json!({"network": network.id, "current": network.current, "nodes": network.nodes})
            });
            return json(&shown.collect::<Vec<_>>());
        }
        for network in &networks {
            show(network, now_s)?;
        }
        Ok(())
    }
}

fn is_troubled(node: &NodeState) -> bool {
    let failed = node
        .last_ack
        .as_ref()
        .is_some_and(|ack| ack.error.is_some());
    node.overdue_for.is_some() || failed
}

fn show(network: &NetworkState, now_s: u64) -> anyhow::Result<()> {
    let overdue = network
        .nodes
        .iter()
        .filter(|node| node.overdue_for.is_some())
        .count();
    line(format_args!(
        "{}: {} nodes, {overdue} overdue",
        network.id,
        network.nodes.len()
    ))?;
    let mut table = Table::new(&["NODE", "VERSION", "LAST REPORT", "STATUS", "WHEN", "ERROR"]);
    for node in &network.nodes {
        let ack = node.last_ack.as_ref();
        let status = match (ack, node.silent, node.overdue_for) {
            (_, true, _) => "silent".to_owned(),
            (_, _, Some(_)) => "overdue".to_owned(),
            (Some(ack), ..) => ack.status.to_string(),
            (None, ..) => "not heard of".to_owned(),
        };
        table.row([
            shortened(node.node_id.as_str()),
            node.version
                .as_ref()
                .map_or("-".to_owned(), |version| version.tagged()),
            ack.map_or("-".to_owned(), |ack| ack.action.short()),
            status,
            ack.map_or("-".to_owned(), |ack| ago(ack.action_at, now_s)),
            ack.and_then(|ack| ack.error.clone()).unwrap_or_default(),
        ]);
    }
    if table.is_empty() {
        return line("  no node has reported");
    }
    print(table)
}
