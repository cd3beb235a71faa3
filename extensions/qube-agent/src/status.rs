//! `qube-agent status`: what the agent keeps, read from its files, whether it runs or not.

use crate::awaited;
use crate::config::{Config, Network};
use crate::history::History;
use crate::journal::{Line, Mark, read_lines};
use crate::lock::Lock;
use crate::task::Task;
use serde::Serialize;
use std::fmt::Write as _;

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
    /// What the newest action with a quorum waits for, by the agent's last look.
    waits: Option<String>,
    /// What is wrong with its files, for which the agent does nothing for it.
    problem: Option<String>,
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
    pub(crate) fn read(config: &Config) -> Status {
        Status {
            running: Lock::is_taken(&config.data_dir),
            networks: config
                .networks
                .iter()
                .map(|network| NetworkStatus::read(config, network))
                .collect(),
        }
    }

    /// For people.
    pub(crate) fn table(&self, now_s: u64) -> String {
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
            if let Some(problem) = &network.problem {
                let _written = writeln!(text, "  stopped: {problem}");
            }
            if let Some(step) = &network.unfinished {
                let _written = writeln!(text, "  unfinished: {step}");
            }
            if let Some(waits) = &network.waits {
                let _written = writeln!(text, "  {waits}");
            }
            for ended in &network.history {
                let error = ended.error.as_deref().unwrap_or_default();
                let _written = writeln!(
                    text,
                    "  {:<12} {:<8} {:<16} {:<8} {}{error}",
                    ago(ended.action_at, now_s),
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

impl NetworkStatus {
    fn read(config: &Config, network: &Network) -> NetworkStatus {
        let folder = config.folder_of(&network.id);
        let (history, lines) = (History::open(&folder), read_lines(&folder));
        let problem = [history.as_ref().err(), lines.as_ref().err()];
        let problem = problem
            .into_iter()
            .flatten()
            .next()
            .map(ToString::to_string);
        let history = history.ok();
        let entries = history.iter().flat_map(History::entries);
        let mut ended: Vec<Ended> = entries
            .map(|(key, entry)| Ended {
                action: entry.directive.action.kind().to_string(),
                version: entry.directive.version.to_string(),
                key: key.to_string(),
                outcome: entry.outcome.word(),
                error: entry.outcome.error().map(str::to_owned),
                action_at: entry.action_at,
                undelivered_to: entry.missing(&config.relays).count(),
            })
            .collect();
        ended.sort_by_key(|ended| std::cmp::Reverse(ended.action_at));
        let version = history.as_ref().and_then(History::version);
        let version = version.or(network.current_version.as_ref());
        NetworkStatus {
            network: network.id.to_string(),
            node_id: network.node_id.to_string(),
            version: version.map(ToString::to_string),
            unfinished: lines.ok().as_deref().and_then(unfinished),
            waits: awaited::read(&folder),
            problem,
            history: ended,
        }
    }
}

/// How long ago, in one unit.
fn ago(at_s: u64, now_s: u64) -> String {
    match now_s.saturating_sub(at_s) {
        seconds @ 0..120 => format!("{seconds}s ago"),
        seconds @ 120..7_200 => format!("{}m ago", seconds / 60),
        seconds @ 7_200..172_800 => format!("{}h ago", seconds / 3_600),
        seconds => format!("{}d ago", seconds / 86_400),
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
