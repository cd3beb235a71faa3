//! `trellis qube audit`

use crate::out::{json, print, progress};
use crate::reader::Reader;
use crate::reading::{connect, filters, ledger_now, tell};
use crate::rest::{Exported, Routes};
use crate::settings::Settings;
use crate::span::{ago, now_s};
use crate::table::Table;
use anyhow::{Context as _, bail};
use clap::Subcommand;
use std::collections::BTreeSet;
use std::fs::{File, Permissions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;
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
    reader: Reader,
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
    reader: Reader,
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
        let settings = self.reader.settle()?;
        let network = settings.network()?;
        let ledger = ledger_now(&settings).await?;
        let mut signals = ledger.signals(&network.id);
        signals.retain(|signal| self.wants(signal));
        if settings.json {
            return json(&signals);
        }
        let now_s = now_s();
        let mut table = Table::new(&["SIGNED", "DEVELOPER", "ACTION", "VERSION", "KEY", "SIGNAL"]);
        for signal in signals {
            table.row([
                ago(signal.created_at, now_s),
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
        let settings = self.reader.settle()?;
        let (mut out, mut count) = (Out::open(self.out.as_deref())?, 0_usize);
        let mut write = |item: Exported| {
            count += 1;
            out.line(&serde_json::to_string(&item)?)
        };
        match settings.apis.first() {
            Some(api) => {
                if settings.apis.len() > 1 {
                    progress(format_args!(
                        "what {api} has; the others have logs of their own: one --api URL an export"
                    ));
                }
                let sections = ["log", "adopted", "signals", "acks"];
                let routes = Routes::new(api, &settings)?;
                routes.export_each(&sections, write).await?;
            }
            None => {
                progress(
                    "only what stands on the relays: --api URL adds the log of what was replaced",
                );
                standing(&settings)
                    .await?
                    .into_iter()
                    .try_for_each(&mut write)?;
            }
        }
        out.finish()?;
        progress(format_args!("{count} events"));
        Ok(())
    }
}

/// Where an export goes.
enum Out {
    /// Standard output, or what is no file, as a pipe.
    Stream(BufWriter<Box<dyn Write>>),
    /// Written beside, and given its name when it is whole.
    File {
        beside: BufWriter<NamedTempFile>,
        file: PathBuf,
    },
}

impl Out {
    fn open(file: Option<&Path>) -> anyhow::Result<Self> {
        let Some(file) = file else {
            return Ok(Self::stream(io::stdout()));
        };
        let writing = || format!("writing {}", file.display());
        if file.exists() && !file.is_file() {
            let open = File::options().write(true).open(file);
            return Ok(Self::stream(open.with_context(writing)?));
        }
        let folder = file
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        let beside = tempfile::Builder::new()
            .prefix(".export-")
            // As any new file: less what the umask takes away.
            .permissions(Permissions::from_mode(0o666))
            .tempfile_in(folder.unwrap_or(Path::new(".")));
        Ok(Self::File {
            beside: BufWriter::new(beside.with_context(writing)?),
            file: file.to_owned(),
        })
    }

    fn stream(to: impl Write + 'static) -> Self {
        Self::Stream(BufWriter::new(Box::new(to)))
    }

    fn line(&mut self, text: &str) -> anyhow::Result<()> {
        match self {
            Self::Stream(stream) => Ok(writeln!(stream, "{text}")?),
            Self::File { beside, file } => {
                writeln!(beside, "{text}").with_context(|| format!("writing {}", file.display()))
            }
        }
    }

    fn finish(self) -> anyhow::Result<()> {
        match self {
            Self::Stream(mut stream) => Ok(stream.flush()?),
            Self::File { beside, file } => {
                let whole = || -> io::Result<()> {
                    let whole = beside
                        .into_inner()
                        .map_err(io::IntoInnerError::into_error)?;
                    whole.as_file().sync_all()?;
                    whole.persist(&file)?;
                    Ok(())
                };
                whole().with_context(|| format!("writing {}", file.display()))
            }
        }
    }
}

async fn standing(settings: &Settings) -> anyhow::Result<Vec<Exported>> {
    let relays = connect(settings, settings.reader.as_ref()).await?;
    let (mut items, mut known) = (Vec::new(), BTreeSet::new());
    for filter in filters(settings) {
        let fetched = relays.fetch(&filter, settings.patience).await;
        for (url, problem) in &fetched.failed {
            tell(settings, url, problem);
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
