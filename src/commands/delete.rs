//! `trellis delete`: removes the events that a filter names.

use super::job::Request;
use super::terminal::Terminal;
use super::{ConfigFile, closed_pipe, filter_json};
use clap::Args;
use serde_json::Value;
use std::io::{self, Write as _};
use trellis_relay::admin::delete::DeleteJob;
use trellis_relay::admin::job::{Done, Job};
use trellis_relay::extension::Compiled;

#[derive(Debug, Args)]
#[command(after_help = "\
Run it with --dry-run first. What an extension guards is kept and counted. Removed events leave no mark behind: they may \
be published or imported again. A removal frees room for new events; `trellis compact` gives it back to the disk.

Works on a stopped relay's database, or through the relay that has it open.

Examples:
  trellis delete -f '{\"kinds\":[7],\"until\":1700000000}' --dry-run
  trellis delete -f '{\"authors\":[\"82341f882b6eabcd2ba7f1ef90aad961cf074af15b9ef44a09f9d2a8fbfbe6a2\"]}'")]
pub(super) struct Delete {
    #[command(flatten)]
    config: ConfigFile,
    /// Which events (NIP-01), as JSON; with a limit the newest of them.
    #[arg(short, long, value_name = "JSON", value_parser = filter_json)]
    filter: Value,
    /// Only say how many there are.
    #[arg(long)]
    dry_run: bool,
    /// Allow a filter without ids, authors, kinds and tags, as {} or {"until":1700000000}, which may mean every event.
    #[arg(long)]
    all: bool,
    /// Why, for the log of decisions (`trellis decisions`); must name nobody.
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
    /// On a stopped relay, do not start the extensions: what they guard is removed as well.
    #[arg(long)]
    without_extensions: bool,
    /// Show no progress.
    #[arg(short, long)]
    quiet: bool,
}

impl Delete {
    pub(super) fn run(self, extensions: &'static [Compiled]) -> anyhow::Result<()> {
        let job = Job::Delete(DeleteJob {
            filter: self.filter,
            all: self.all,
            dry_run: self.dry_run,
            reason: self.reason,
        });
        let mut terminal = Terminal::new(Box::new(io::sink()), "events", self.quiet)?;
        let request = Request {
            without_extensions: self.without_extensions,
            ..Request::new(&self.config, extensions, job)
        };
        let Done::Deleted(totals) = request.run(&mut terminal)? else {
            anyhow::bail!("the running relay answered another question");
        };
        let mut out = io::stdout();
        closed_pipe::forgive(match self.dry_run {
            true => writeln!(out, "{} events match; nothing was removed", totals.matched),
            false => writeln!(
                out,
                "{} events removed, {} kept by extensions",
                totals.removed, totals.kept
            ),
        })
    }
}
