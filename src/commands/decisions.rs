//! `trellis decisions`: the log of enforcement decisions.

use super::job::Request;
use super::terminal::Terminal;
use super::{ConfigFile, closed_pipe};
use clap::Args;
use std::io;
use trellis_relay::admin::decisions::DecisionsJob;
use trellis_relay::admin::job::Job;
use trellis_relay::extension::Compiled;

#[derive(Debug, Args)]
#[command(after_help = "\
One decision a line, as JSON, oldest first: bans and blocks by the management API (NIP-86), `trellis delete`, and what \
extensions have decided, each with the rule and the reason. Each line has a sha256 that covers all lines before it: keep \
the last one elsewhere, and a log that was shortened shows. One that was changed ends in an error.

Works on a stopped relay's database, or through the relay that has it open.

Examples:
  trellis decisions -c config/trellis.toml | tail
  trellis decisions --after 120 | jq -r '[.at, .action, .rule, .reason] | @tsv'")]
pub(super) struct Decisions {
    #[command(flatten)]
    config: ConfigFile,
    /// Only decisions with higher numbers than this.
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    after: u64,
}

impl Decisions {
    pub(super) fn run(self, extensions: &'static [Compiled]) -> anyhow::Result<()> {
        let job = Job::Decisions(DecisionsJob { after: self.after });
        let out = Box::new(io::BufWriter::new(io::stdout().lock()));
        let mut terminal = Terminal::new(out, "decisions", true)?;
        let done = Request::new(&self.config, extensions, job).run(&mut terminal);
        // What was printed before an error is the operator's all the same.
        let flushed = terminal.finish();
        closed_pipe::forgive(done.map(drop))?;
        closed_pipe::forgive(flushed)
    }
}
