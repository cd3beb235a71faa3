//! `trellis qube audit`

use crate::out::{json, print, progress};
use crate::reading::{connect, filters, ledger};
use crate::rest::{Exported, Routes};
use crate::settings::{Common, Settings};
use crate::table::{Table, harmless};
use anyhow::{Context as _, bail};
use clap::Subcommand;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use trellis_qube_protocol::{ActionKind, KIND_SIGNAL, Pubkey, Signal, Version};

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Every directive that is known, the replaced ones too (with --api).
    Query(Query),
    /// All that was signed, one JSON object a line, as `verify` reads it.
    Export(Export),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Query {
    #[command(flatten)]
    common: Common,
    /// Of this developer.
    #[arg(long, value_name = "PUBKEY")]
    by: Option<Pubkey>,
    /// Of this kind: upgrade or reboot.
    #[arg(long)]
    action: Option<ActionKind>,
    /// For this version.
    #[arg(long = "to", value_name = "VERSION")]
    version: Option<Version>,
    /// Signed from this moment on. Unix seconds.
    #[arg(long, default_value_t = 0)]
    since: u64,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Export {
    #[command(flatten)]
    common: Common,
    /// The file to write; without it, standard output.
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl AuditCommand {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Query(query) => query.run().await,
            Self::Export(export) => export.run().await,
        }
    }
}

impl Query {
    async fn run(self) -> anyhow::Result<()> {
        let settings = self.common.settle()?;
        let network = settings.network()?;
        let relays = connect(&settings, None).await?;
        let ledger = ledger(&settings, &relays).await?;
        relays.shut_down().await;
        let mut signals = ledger.signals(&network.id);
        signals.retain(|signal| self.wants(signal));
        if settings.json {
            return json(&signals);
        }
        let mut table = Table::new(&["SIGNED", "DEVELOPER", "ACTION", "VERSION", "KEY", "SIGNAL"]);
        for signal in signals {
            table.row([
                signal.created_at.to_string(),
                signal.developer.to_string()[..8].to_owned(),
                signal.directive.action.kind().to_string(),
                signal.directive.version.tagged(),
                signal.key().short(),
                signal.id.to_string(),
            ]);
        }
        print(table)
    }

    fn wants(&self, signal: &Signal) -> bool {
        let directive = &signal.directive;
        self.by.is_none_or(|by| by == signal.developer)
            && self
                .action
                .is_none_or(|action| action == directive.action.kind())
            && self
                .version
                .as_ref()
                .is_none_or(|version| *version == directive.version)
            && signal.created_at >= self.since
    }
}

impl Export {
    async fn run(self) -> anyhow::Result<()> {
        let settings = self.common.settle()?;
        let items = match settings.apis.first() {
            Some(api) => {
                if settings.apis.len() > 1 {
                    progress(format_args!(
                        "what {api} has; the others have logs of their own: one --api URL an export"
                    ));
                }
                let sections = ["log", "adopted", "signals", "acks"];
                Routes::new(api, &settings)?.export(&sections).await?
            }
            None => {
                progress(
                    "only what stands on the relays: --api URL adds the log of what was replaced",
                );
                standing(&settings).await?
            }
        };
        let mut text = String::new();
        for item in &items {
            text.push_str(&serde_json::to_string(item)?);
            text.push('\n');
        }
        match &self.out {
            None => print(text)?,
            Some(file) => {
                write(file, &text).with_context(|| format!("writing {}", file.display()))?;
            }
        }
        progress(format_args!("{} events", items.len()));
        Ok(())
    }
}

/// Writes a file beside and gives it its name when it is whole. What is no file, as a pipe, is written to as it is.
fn write(file: &Path, text: &str) -> io::Result<()> {
    if file.exists() && !file.is_file() {
        return fs::write(file, text);
    }
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let beside = file.with_file_name(format!(".{name}.part"));
    let written = File::create(&beside).and_then(|mut open| {
        open.write_all(text.as_bytes())?;
        open.sync_all()
    });
    let placed = written.and_then(|()| fs::rename(&beside, file));
    if placed.is_err() {
        let _not_there = fs::remove_file(&beside);
    }
    placed
}

async fn standing(settings: &Settings) -> anyhow::Result<Vec<Exported>> {
    let relays = connect(settings, None).await?;
    let (mut items, mut known) = (Vec::new(), BTreeSet::new());
    for filter in filters(settings) {
        let fetched = relays.fetch(&filter, settings.patience).await;
        for (url, problem) in &fetched.failed {
            progress(format_args!("{url}: {}", harmless(problem)));
        }
        if fetched.answered.is_empty() {
            bail!("no relay answered");
        }
        for event in fetched.events.iter().filter(|event| known.insert(event.id)) {
            let is_signal = event.kind.as_u16() == KIND_SIGNAL;
            items.push(Exported {
                section: if is_signal { "signals" } else { "acks" }.to_owned(),
                seq: None,
                at_s: None,
                kind: None,
                event: serde_json::to_string(event)?,
                previous: None,
                hash: None,
            });
        }
    }
    relays.shut_down().await;
    Ok(items)
}
