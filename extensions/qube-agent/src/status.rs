//! `qube-agent status`: what the agent keeps, read from its files, whether it runs or not.

use crate::config::Config;
use crate::history::History;
use crate::journal::{Line, Mark, read_lines};
use crate::lock::Lock;
use crate::task::Task;
use serde::Serialize;
use std::fmt::Write as _;
use std::io;

/// What is shown.
#[derive(Serialize)]
pub(crate) struct Status {
    running: bool,
    networks: Vec<NetworkStatus>,
}

#[derive(Serialize)]
struct NetworkStatus {
    network: String,
    node_id: String,
    version: Option<String>,
    unfinished: Option<String>,
    history: Vec<Ended>,
}

#[derive(Serialize)]
struct Ended {
    action: String,
    version: String,
    key: String,
    outcome: &'static str,
    error: Option<String>,
    action_at: u64,
    undelivered_to: usize,
}

impl Status {
    /// Of what is on the disk now; changes nothing.
    pub(crate) fn read(config: &Config) -> io::Result<Status> {
        let running = Lock::is_taken(&config.data_dir);
        let mut networks = Vec::new();
        for network in &config.networks {
            let folder = config.folder_of(&network.id);
            let history = History::open(&folder)?;
            let mut ended: Vec<Ended> = history
                .entries()
                .map(|(key, entry)| Ended {
                    action: entry.directive.action.kind().to_string(),
                    version: entry.directive.version.to_string(),
                    key: key.to_string(),
                    outcome: entry.outcome.word(),
                    error: entry.outcome.error().map(str::to_owned),
                    action_at: entry.action_at,
                    undelivered_to: match entry.report {
                        Some(_) => config.relays.len().saturating_sub(entry.delivered.len()),
                        None => 0,
                    },
                })
                .collect();
            ended.sort_by_key(|ended| std::cmp::Reverse(ended.action_at));
            let configured = network.current_version.as_ref();
            networks.push(NetworkStatus {
                network: network.id.to_string(),
                node_id: network.node_id.to_string(),
                version: history.version().or(configured).map(ToString::to_string),
                unfinished: unfinished(&read_lines(&folder)?),
                history: ended,
            });
        }
        Ok(Status { running, networks })
    }

    /// For people.
    pub(crate) fn table(&self) -> String {
        let mut text = String::new();
        let running = if self.running { "runs" } else { "does not run" };
        let _written = writeln!(text, "The agent {running}.");
        for network in &self.networks {
            let version = network.version.as_deref().unwrap_or("unknown");
            let _written = writeln!(
                text,
                "\n{}: node {}, version {version}",
                network.network, network.node_id
            );
            if let Some(step) = &network.unfinished {
                let _written = writeln!(text, "  unfinished: {step}");
            }
            for ended in &network.history {
                let error = ended.error.as_deref().unwrap_or_default();
                let _written = writeln!(
                    text,
                    "  {:<12} {:<8} {:<16} {:<8} {}{error}",
                    ended.action_at,
                    ended.action,
                    ended.version,
                    ended.outcome,
                    if ended.undelivered_to > 0 {
                        "(report on its way) "
                    } else {
                        ""
                    },
                );
            }
        }
        text
    }
}

/// What was begun and how far it is.
fn unfinished(lines: &[Line]) -> Option<String> {
    let (first, last) = (lines.first()?, lines.last()?);
    let Mark::Done { result } = &first.mark else {
        return None;
    };
    let task: Task = serde_json::from_value(result.clone()).ok()?;
    let mark = match &last.mark {
        Mark::Begin => "begun",
        Mark::Done { .. } => "done",
        Mark::Failed { .. } => "failed",
    };
    Some(format!("{}, {:?} {mark}", task.name(), last.step))
}
