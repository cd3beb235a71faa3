//! `trellis check`: whether every index of the database leads where it should, and every event has its index entries.

use super::ConfigFile;
use super::job::Request;
use super::terminal::Terminal;
use clap::Args;
use std::io::{self, Write as _};
use trellis_relay::admin::job::{CheckJob, Done, Job};
use trellis_relay::extension::Compiled;
use trellis_relay::store::CheckReport;

#[derive(Debug, Args)]
#[command(after_help = "\
The exit code is 1 where anything is wrong; standard output names the first things that are. Then export what can be \
read, and import it into a new directory.

Works on a stopped relay's database, or through the relay that has it open. There it reads from one state of the \
database until it is done, and the file grows by what is written meanwhile.

Example:
  trellis check -c config/trellis.toml")]
pub(super) struct Check {
    #[command(flatten)]
    config: ConfigFile,
    /// Do not compare ids with the hashes of their events.
    #[arg(long)]
    skip_ids: bool,
    /// Show no progress.
    #[arg(short, long)]
    quiet: bool,
}

impl Check {
    pub(super) fn run(self, extensions: &'static [Compiled]) -> anyhow::Result<()> {
        let job = Job::Check(CheckJob {
            verify_ids: !self.skip_ids,
        });
        let mut terminal = Terminal::new(Box::new(io::sink()), "events", self.quiet)?;
        let done = Request::new(&self.config, extensions, job).run(&mut terminal)?;
        let Done::Checked(report) = done else {
            anyhow::bail!("the running relay answered another question");
        };
        print(&report)?;
        anyhow::ensure!(
            report.is_sound(),
            "the database is damaged; export what can be read and import it into a new directory"
        );
        Ok(())
    }
}

fn print(report: &CheckReport) -> io::Result<()> {
    let mut out = io::stdout();
    for problem in &report.problems {
        writeln!(out, "{problem}")?;
    }
    let untold = report.problem_count - report.problems.len() as u64;
    if untold > 0 {
        writeln!(out, "and {untold} more")?;
    }
    let (events, entries) = (report.events, report.entries);
    let problems = report.problem_count;
    writeln!(
        out,
        "{events} events with {entries} index entries: {problems} problems"
    )
}
