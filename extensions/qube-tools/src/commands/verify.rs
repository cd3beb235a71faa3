//! `trellis qube verify`: no relay is asked.

use crate::Unwell;
use crate::out::{json, line};
use crate::rest::Exported;
use crate::settings::{Common, misuse};
use crate::span::now_s;
use crate::table::harmless;
use anyhow::Context as _;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use trellis_qube_protocol::MAX_AHEAD_S;
use trellis_qube_protocol::chain::{self, Entry};
use trellis_qube_protocol::replay::replay;

#[derive(Debug, clap::Args)]
pub(crate) struct Verify {
    #[command(flatten)]
    common: Common,
    /// What `audit export` wrote, or signed events, one JSON object a line.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The moment to compute the state of. Unix seconds. Default: now.
    #[arg(long, value_name = "SECONDS")]
    at: Option<u64>,
}

/// What the files hold.
#[derive(Default)]
struct Histories {
    log: Vec<Entry>,
    adopted: Vec<Entry>,
    events: Vec<String>,
}

impl Verify {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let settings = self.common.settle()?;
        if settings.networks.is_empty() {
            return Err(misuse(
                "no networks: a configuration with [[networks]], or --network, --developer and --quorum",
            ));
        }
        let mut histories = Histories::default();
        for file in &self.files {
            histories.read(file)?;
        }
        let adopted_broken = chain::verify(&histories.adopted)
            .err()
            .map(|broken| broken.to_string());
        let adopted = histories.adopted.iter().map(|entry| entry.event.as_str());
        let events = adopted.chain(histories.events.iter().map(String::as_str));
        let at_s = self.at.unwrap_or_else(|| histories.newest_s(now_s()));
        let replayed = replay(
            events,
            &histories.log,
            settings.networks,
            settings.scope,
            at_s,
        );
        let sound = replayed.is_sound() && adopted_broken.is_none();
        if settings.json {
            json(&json!({
                "sound": sound,
                "history": replayed,
                "adopted_entries": histories.adopted.len(),
                "adopted_chain_broken": adopted_broken,
            }))?;
        } else {
            let (signals, acks) = (replayed.signals, replayed.acks);
            let found = match replayed.problems.len() {
                0 => "each signed by a developer of its network".to_owned(),
                problems => format!("and {problems} problems, which follow"),
            };
            line(format_args!("directives  {signals}, {found}"))?;
            line(format_args!("reports     {acks}"))?;
            let broken = |broken: &Option<String>| broken.clone().unwrap_or("whole".to_owned());
            let (entries, chain) = (replayed.entries, broken(&replayed.chain_broken));
            line(format_args!("log         {entries} entries, {chain}"))?;
            let (entries, chain) = (histories.adopted.len(), broken(&adopted_broken));
            line(format_args!("adopted     {entries} entries, {chain}"))?;
            for problem in &replayed.problems {
                line(format_args!(
                    "{}: {}",
                    problem.at,
                    harmless(&problem.problem)
                ))?;
            }
            for network in &replayed.state.networks {
                for action in &network.actions {
                    let (kind, version) = (
                        action.directive.action.kind(),
                        action.directive.version.tagged(),
                    );
                    let (votes, quorum) = (action.ever_voted.len(), network.quorum);
                    line(format_args!(
                        "{}  {}  {kind} {version}  {votes} voted, {quorum} needed  {}",
                        network.id,
                        action.key.short(),
                        action.status
                    ))?;
                }
            }
            line(if sound { "sound" } else { "NOT SOUND" })?;
        }
        match sound {
            true => Ok(()),
            false => Err(Unwell("the history is not sound".to_owned()).into()),
        }
    }
}

impl Histories {
    /// Now, or when the newest event was signed, if the clock of who signed it is a little ahead of this one.
    fn newest_s(&self, now_s: u64) -> u64 {
        let logged = self
            .log
            .iter()
            .chain(&self.adopted)
            .map(|entry| &entry.event);
        let signed = logged.chain(&self.events).filter_map(|json| {
            let event: Value = serde_json::from_str(json).ok()?;
            event.get("created_at")?.as_u64()
        });
        let latest_s = now_s.saturating_add(MAX_AHEAD_S);
        signed
            .filter(|signed| *signed <= latest_s)
            .fold(now_s, u64::max)
    }

    fn read(&mut self, file: &Path) -> anyhow::Result<()> {
        let text =
            std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
        for (at, text) in text
            .lines()
            .enumerate()
            .filter(|(_, line)| !line.trim().is_empty())
        {
            let wrong = || format!("{}, line {}", file.display(), at + 1);
            let value: Value = serde_json::from_str(text).with_context(wrong)?;
            if value.get("sig").is_some() {
                // The text as it stands there: nothing is repaired by reading and writing it.
                self.events.push(text.to_owned());
                continue;
            }
            let item: Exported = serde_json::from_value(value).with_context(wrong)?;
            match (item.section.as_str(), item.entry()) {
                ("log", Some(entry)) => self.log.push(entry),
                ("adopted", Some(entry)) => self.adopted.push(entry),
                ("log" | "adopted", None) => {
                    return Err(misuse(format!(
                        "{}: an entry of a log lacks fields",
                        wrong()
                    )));
                }
                _ => self.events.push(item.event),
            }
        }
        Ok(())
    }
}
