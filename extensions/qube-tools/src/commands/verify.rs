//! `trellis qube verify`: no relay is asked.

use crate::Unwell;
use crate::out::{json, line};
use crate::rest::Exported;
use crate::settings::{Common, Settings, misuse};
use crate::span::now_s;
use crate::table::harmless;
use anyhow::Context as _;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use trellis_qube_protocol::chain::{self, Entry};
use trellis_qube_protocol::replay::{Replayed, replay};

#[derive(Debug, clap::Args)]
pub(crate) struct Verify {
    #[command(flatten)]
    common: Common,
    /// What `audit export` wrote of one relay, or signed events, one JSON object a line; several files are verified one by one.
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
        // Each relay has a log of its own: what several wrote does not make one chain.
        let mut verified = Vec::with_capacity(self.files.len());
        for file in &self.files {
            let mut histories = Histories::default();
            histories.read(file)?;
            if histories.is_empty() {
                let name = file.display();
                return Err(Unwell(format!(
                    "{name}: there is nothing in it, which proves nothing"
                ))
                .into());
            }
            verified.push((file, self.verified(&settings, histories)));
        }
        let sound = verified.iter().all(|(_, verified)| verified.is_sound());
        match (settings.json, &verified[..]) {
            (true, [(_, one)]) => json(&one.as_json())?,
            (true, several) => {
                let of = |(file, verified): &(&PathBuf, Verified)| {
                    let mut value = verified.as_json();
                    value["file"] = json!(file);
                    value
                };
                let files: Vec<Value> = several.iter().map(of).collect();
                json(&json!({"sound": sound, "files": files}))?;
            }
            (false, several) => {
                for (file, verified) in several {
                    if several.len() > 1 {
                        line(format_args!("{}:", file.display()))?;
                    }
                    verified.show()?;
                }
            }
        }
        match sound {
            true => Ok(()),
            false => Err(Unwell("the history is not sound".to_owned()).into()),
        }
    }

    fn verified(&self, settings: &Settings, histories: Histories) -> Verified {
        let adopted = histories.adopted.iter().map(|entry| entry.event.as_str());
        let events = adopted.chain(histories.events.iter().map(String::as_str));
        let replayed = replay(
            events,
            &histories.log,
            settings.networks.clone(),
            settings.scope,
            self.at.unwrap_or_else(now_s),
        );
        Verified {
            replayed,
            adopted: histories.adopted.len(),
            adopted_broken: chain::verify(&histories.adopted)
                .err()
                .map(|broken| broken.to_string()),
        }
    }
}

/// What was found in one file.
struct Verified {
    replayed: Replayed,
    adopted: usize,
    adopted_broken: Option<String>,
}

impl Verified {
    fn is_sound(&self) -> bool {
        self.replayed.is_sound() && self.adopted_broken.is_none()
    }

    fn as_json(&self) -> Value {
        json!({
            "sound": self.is_sound(),
            "history": self.replayed,
            "adopted_entries": self.adopted,
            "adopted_chain_broken": self.adopted_broken,
        })
    }

    fn show(&self) -> anyhow::Result<()> {
        let replayed = &self.replayed;
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
        let (entries, chain) = (self.adopted, broken(&self.adopted_broken));
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
        line(match self.is_sound() {
            true => "sound",
            false => "NOT SOUND",
        })
    }
}

impl Histories {
    fn is_empty(&self) -> bool {
        self.log.is_empty() && self.adopted.is_empty() && self.events.is_empty()
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
