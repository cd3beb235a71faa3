//! `trellis compact`: gives the disk back what removals have left empty.

use super::ConfigFile;
use super::job::Request;
use super::terminal::Terminal;
use clap::Args;
use std::io::{self, Write as _};
use trellis_relay::admin::job::{Done, Job};
use trellis_relay::extension::Compiled;

#[derive(Debug, Args)]
#[command(after_help = "\
Everything is written anew into a second file, which then takes the place of the first, so it needs as much free disk \
as the database uses. It may be interrupted, or killed, at any moment: either file is whole.

Works on a stopped relay's database, or in the relay that has it open. There reading goes on, and publishers wait for \
their OK until the copy is done; for a large database, choose a quiet hour.

Example:
  trellis compact -c config/trellis.toml")]
pub(super) struct Compact {
    #[command(flatten)]
    config: ConfigFile,
    /// Show no progress.
    #[arg(short, long)]
    quiet: bool,
}

impl Compact {
    pub(super) fn run(self, extensions: &'static [Compiled]) -> anyhow::Result<()> {
        let mut terminal = Terminal::new(Box::new(io::sink()), "entries", self.quiet)?;
        let done = Request::new(&self.config, extensions, Job::Compact).run(&mut terminal)?;
        let Done::Compacted(report) = done else {
            anyhow::bail!("the running relay answered another question");
        };
        let (before, after) = (report.before_bytes, report.after_bytes);
        writeln!(
            io::stdout(),
            "{} entries written anew: {} before, {} after",
            report.entries,
            mebibytes(before),
            mebibytes(after)
        )?;
        Ok(())
    }
}

fn mebibytes(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}
