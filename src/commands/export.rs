//! `trellis export`: stored events as JSON lines.

use super::job::Request;
use super::output_file::OutputFile;
use super::terminal::Terminal;
use super::{ConfigFile, closed_pipe, filter_json};
use anyhow::Context as _;
use clap::Args;
use serde_json::Value;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use trellis_relay::admin::export::ExportJob;
use trellis_relay::admin::job::Job;
use trellis_relay::extension::Compiled;

#[derive(Debug, Args)]
#[command(after_help = "\
Everything stored comes out that has not expired, what extensions hide from clients as well: keep it as you keep the \
database. What is stored while the export runs stays out.

What keeps removed events away goes along as far as it is an event: deletions (NIP-09) and requests to vanish (NIP-62) \
that are still stored. To import into a new directory, name every address of this relay with --known-as.

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
    /// Write to this file, readable by you alone, instead of standard output. An older one is replaced in the end.
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
            Some(path) => Box::new(OutputFile::new(path.clone())),
            None => Box::new(io::stdout().lock()),
        };
        let out = Box::new(BufWriter::with_capacity(1 << 20, out));
        let mut terminal = Terminal::new(out, "events", self.quiet)?;
        let done = Request::new(&self.config, extensions, job).run(&mut terminal);
        let result = done.map(drop).with_context(|| match &self.output {
            Some(path) => format!("export to {}", path.display()),
            None => "export".to_owned(),
        });
        closed_pipe::forgive(result)
    }
}
