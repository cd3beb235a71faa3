//! `trellis qube health`

use crate::Unwell;
use crate::out::{json, line};
use crate::reader::Reader;
use crate::reading::{connect, ledger, state};
use crate::rest;
use crate::table::harmless;
use serde::Serialize;
use std::collections::BTreeSet;
use trellis_qube_protocol::{ActionState, ActionStatus, Conflict, NetworkState};
use url::Url;

#[derive(Debug, clap::Args)]
pub(crate) struct Health {
    #[command(flatten)]
    reader: Reader,
    /// An endpoint that answers 2xx while all is well, such as an agent's /health; may be repeated.
    #[arg(long = "endpoint", value_name = "URL")]
    endpoints: Vec<Url>,
}

#[derive(Serialize)]
struct Found {
    well: bool,
    checks: Vec<Check>,
}

#[derive(Serialize)]
struct Check {
    what: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

impl Health {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let settings = self.reader.settle()?;
        let wanted: Vec<_> = settings
            .wanted()?
            .into_iter()
            .map(|network| network.id.clone())
            .collect();
        let mut checks = Vec::new();
        let relays = connect(&settings, settings.reader.as_ref()).await?;
        match ledger(&settings, &relays).await {
            Ok(ledger) => {
                for state in wanted.iter().filter_map(|id| state(&ledger, id)) {
                    checks.extend(of_network(&state));
                }
            }
            Err(error) => checks.push(check("fleet", Some(format!("{error:#}")))),
        }
        for (url, connected) in relays.connected() {
            let problem = (!connected).then(|| "not connected".to_owned());
            checks.push(check(&format!("relay {url}"), problem));
        }
        relays.shut_down().await;
        for url in &self.endpoints {
            let problem = rest::is_well(url, settings.patience).await.err();
            checks.push(check(&format!("endpoint {url}"), problem));
        }
        let well = checks.iter().all(|check| check.problem.is_none());
        if settings.json {
            json(&Found { well, checks })?;
        } else {
            for check in &checks {
                let problem = check.problem.as_deref().unwrap_or("well");
                line(format_args!("{}: {}", check.what, harmless(problem)))?;
            }
        }
        match well {
            true => Ok(()),
            false => Err(Unwell("not all is well".to_owned()).into()),
        }
    }
}

fn of_network(state: &NetworkState) -> Vec<Check> {
    let name = |what: &str| format!("network {}: {what}", state.id);
    let count = |wrong: usize, what: &str| (wrong > 0).then(|| format!("{wrong} {what}"));
    let silent = state.nodes.iter().filter(|node| node.silent).count();
    let overdue = state
        .nodes
        .iter()
        .filter(|node| node.overdue_for.is_some())
        .count()
        - silent;
    let several = |action: &&ActionState| {
        let votes = action.votes.iter();
        let hashes: BTreeSet<_> = votes.filter_map(|vote| vote.options.genesis_hash).collect();
        hashes.len() > 1
    };
    let of_programs = |conflict: &&Conflict| conflict.reboot.is_none();
    let conflicts = state.conflicts.iter().filter(of_programs).count();
    let geneses = state.actions.iter().filter(several).count();
    let action = state.current_action().and_then(|action| {
        let troubled = matches!(
            action.status,
            ActionStatus::PartiallyFailed | ActionStatus::MissedDeadline
        );
        troubled.then(|| format!("{} is {}", action.key.short(), action.status))
    });
    vec![
        check(&name("nodes that are overdue"), count(overdue, "overdue")),
        check(&name("nodes that are silent"), count(silent, "silent")),
        check(
            &name("votes that conflict"),
            count(conflicts, "versions with several hashes"),
        ),
        check(
            &name("votes on a genesis"),
            count(geneses, "reboots with several genesis hashes"),
        ),
        check(&name("current action"), action),
    ]
}

fn check(what: &str, problem: Option<String>) -> Check {
    Check {
        what: what.to_owned(),
        problem,
    }
}
