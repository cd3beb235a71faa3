//! `trellis qube quorum`

use crate::out::{json, line, print};
use crate::reader::Reader;
use crate::reading::{ahead, ledger_now, state};
use crate::settings::misuse;
use crate::signing::asked_for;
use crate::span::{ago, now_s};
use crate::table::Table;
use serde_json::json;
use std::collections::BTreeMap;
use trellis_qube_protocol::{ActionKey, ActionState, Conflict, Digest, NetworkState, Vote};

#[derive(Debug, clap::Args)]
pub(crate) struct Quorum {
    #[command(flatten)]
    reader: Reader,
    /// One action, by the beginning of its key.
    #[arg(value_name = "KEY")]
    key: Option<String>,
}

impl Quorum {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let settings = self.reader.settle()?;
        let wanted = settings.wanted()?;
        let ledger = ledger_now(&settings).await?;
        let now_s = now_s();
        let states = wanted
            .iter()
            .filter_map(|network| state(&ledger, &network.id));
        let mut networks: Vec<NetworkState> = states.collect();
        let begins = |key: &ActionKey| match &self.key {
            Some(begin) => key.to_string().starts_with(begin),
            None => true,
        };
        for network in &mut networks {
            network
                .actions
                .retain(|action| begins(&action.key) && !action.votes.is_empty());
        }
        let is_found = networks.iter().any(|network| !network.actions.is_empty());
        if let (Some(begin), false) = (&self.key, is_found) {
            return Err(misuse(format!(
                "{begin:?} begins the key of no action that somebody votes for"
            )));
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
                    "ahead": ahead(&ledger, &network.id, now_s),
                })
            });
            return json(&shown.collect::<Vec<_>>());
        }
        for network in &networks {
            show(network, now_s)?;
            for ahead in ahead(&ledger, &network.id, now_s) {
                line(format_args!("ahead: {}", ahead.words(now_s)))?;
            }
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
    for action in &network.actions {
        show_options(action)?;
    }
    let of_programs = |conflict: &&Conflict| conflict.reboot.is_none();
    for conflict in network.conflicts.iter().filter(of_programs) {
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

/// What the votes for an action ask for beside it, with who asks.
fn show_options(action: &ActionState) -> anyhow::Result<()> {
    let mut asked: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut geneses: BTreeMap<Digest, Vec<String>> = BTreeMap::new();
    for Vote {
        developer, options, ..
    } in &action.votes
    {
        let developer = developer.to_string()[..8].to_owned();
        for words in asked_for(options) {
            asked.entry(words).or_default().push(developer.clone());
        }
        if let Some(hash) = options.genesis_hash {
            geneses.entry(hash).or_default().push(developer);
        }
    }
    let key = action.key.short();
    for (words, developers) in asked {
        line(format_args!("{key}: {words} ({})", developers.join(" ")))?;
    }
    let what = match geneses.len() {
        0 | 1 => "genesis",
        _ => "conflict: votes name different geneses:",
    };
    for (hash, developers) in geneses {
        line(format_args!(
            "{key}: {what} {hash} ({})",
            developers.join(" ")
        ))?;
    }
    Ok(())
}
