//! `trellis export`: stored events as JSON lines.

use super::job::Request;
use super::terminal::Terminal;
use super::{ConfigFile, filter_json};
use anyhow::Context as _;
use clap::Args;
use serde_json::Value;
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use trellis_relay::admin::export::ExportJob;
use trellis_relay::admin::job::Job;
use trellis_relay::extension::Compiled;

#[derive(Debug, Args)]
#[command(after_help = "\
Everything stored comes out that has not expired, what extensions hide from clients as well: keep it as you keep the \
database. What is stored while the export runs stays out.

Works on a stopped relay's database, or through the relay that has it open.

Examples:
  trellis export -c config/trellis.toml -o backup.jsonl
  trellis export -f '{\"kinds\":[0,3],\"limit\":1000}' | jq -r .pubkey | sort -u")]
pub(super) struct Export {
    #[command(flatten)]
    config: ConfigFile,
    /// Only events that match this filter (NIP-01), as JSON; its limit bounds their number.
    #[arg(short, long, value_name = "JSON", value_parser = filter_json)]
    filter: Option<Value>,
    /// Oldest first; without it newest first.
    #[arg(long)]
    oldest_first: bool,
    /// Write to this file, readable by you alone, instead of standard output.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Show no progress.
    #[arg(short, long)]
    quiet: bool,
}

impl Export {
    pub(super) fn run(self, extensions: &'static [Compiled]) -> anyhow::Result<()> {
        let job = Job::Export(ExportJob {
            filter: self.filter.unwrap_or_default(),
            oldest_first: self.oldest_first,
        });
        let out: Box<dyn Write> = match &self.output {
            Some(path) => Box::new(Lazy::new(path.clone())),
            None => Box::new(io::stdout().lock()),
        };
        let out = Box::new(BufWriter::with_capacity(1 << 20, out));
        let mut terminal = Terminal::new(out, "events", self.quiet)?;
        match Request::new(&self.config, extensions, job).run(&mut terminal) {
            Err(error) if is_closed_pipe(&error) => Ok(()),
            result => result.map(drop).with_context(|| match &self.output {
                Some(path) => format!("export to {}", path.display()),
                None => "export".to_owned(),
            }),
        }
    }
}

/// Whoever read has read enough.
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let mut causes = error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>());
    causes.any(|cause| cause.kind() == ErrorKind::BrokenPipe)
}

/// A file that is made with the first bytes or at the end, so that an export that cannot begin harms no older one.
struct Lazy {
    path: PathBuf,
    file: Option<File>,
}

impl Lazy {
    fn new(path: PathBuf) -> Self {
        Lazy { path, file: None }
    }

    fn file(&mut self) -> io::Result<&mut File> {
        if self.file.is_none() {
            let mut options = OpenOptions::new();
            options.create(true).truncate(true).write(true).mode(0o600);
            self.file = Some(options.open(&self.path)?);
        }
        self.file.as_mut().ok_or_else(|| ErrorKind::NotFound.into())
    }
}

impl Write for Lazy {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file()?.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        let file = self.file()?;
        // Pipes and devices cannot be synced.
        match file.metadata()?.is_file() {
            true => file.sync_all(),
            false => Ok(()),
        }
    }
}
