//! `trellis qube quorum`

use crate::out::{json, line, print};
use crate::reading::networks;
use crate::settings::Common;
use crate::span::{ago, now_s};
use crate::table::Table;
use serde_json::json;
use trellis_qube_protocol::{ActionKey, NetworkState};

#[derive(Debug, clap::Args)]
pub(crate) struct Quorum {
    #[command(flatten)]
    common: Common,
    /// One action, by the beginning of its key.
    #[arg(value_name = "KEY")]
    key: Option<String>,
}

impl Quorum {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let settings = self.common.settle()?;
        let mut networks = networks(&settings).await?;
        let now_s = now_s();
        let begins = |key: &ActionKey| match &self.key {
            Some(begin) => key.to_string().starts_with(begin),
            None => true,
        };
        for network in &mut networks {
            network
                .actions
                .retain(|action| begins(&action.key) && !action.votes.is_empty());
        }
        if settings.json {
            let shown = networks.iter().map(|network| {
                json!({
                    "network": network.id,
                    "quorum": network.quorum,
                    "developers": network.developers,
                    "current": network.current,
                    "conflicts": network.conflicts,
                    "actions": network.actions,
                })
            });
            return json(&shown.collect::<Vec<_>>());
        }
        for network in &networks {
            show(network, now_s)?;
        }
        Ok(())
    }
}

fn show(network: &NetworkState, now_s: u64) -> anyhow::Result<()> {
    let (quorum, developers) = (network.quorum, network.developers.len());
    line(format_args!(
        "{}: {quorum} of {developers} developers have to agree",
        network.id
    ))?;
    let mut table = Table::new(&[
        "KEY",
        "ACTION",
        "VERSION",
        "VOTES",
        "STATUS",
        "QUORUM",
        "DEVELOPERS",
    ]);
    for action in &network.actions {
        let votes = action
            .votes
            .iter()
            .map(|vote| vote.developer.to_string()[..8].to_owned());
        table.row([
            action.key.short(),
            action.directive.action.kind().to_string(),
            action.directive.version.tagged(),
            format!("{} of {quorum}", action.votes.len()),
            action.status.to_string(),
            action
                .quorum_at
                .map_or("-".to_owned(), |at_s| ago(at_s, now_s)),
            votes.collect::<Vec<_>>().join(" "),
        ]);
    }
    if table.is_empty() {
        line("  no vote stands")?;
    } else {
        print(table)?;
    }
    for conflict in &network.conflicts {
        line(format_args!(
            "conflict: votes for {} name different hashes",
            conflict.version
        ))?;
        for (hash, developers) in &conflict.hashes {
            for developer in developers {
                line(format_args!("  {hash}  {developer}"))?;
            }
        }
    }
    Ok(())
}
