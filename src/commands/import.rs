//! `trellis import`: events from JSON lines into the store.

use super::job::Request;
use super::terminal::Terminal;
use super::{ConfigFile, WrongArguments};
use anyhow::Context as _;
use clap::Args;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Write as _};
use std::path::{Path, PathBuf};
use trellis_relay::admin::import::{ImportJob, ImportTotals};
use trellis_relay::admin::job::{Done, Job};
use trellis_relay::extension::Compiled;

#[derive(Debug, Args)]
#[command(after_help = "\
Lines that hold no event, and events that do not verify, are named on standard error and skipped. What is stored \
already is skipped before it is verified, so an import may simply be run again; --from-line saves reading it again. \
Ctrl-C ends after the batch at hand and says how to go on.

Works on a stopped relay's database, or hands the lines to the relay that has it open: its subscribers hear of them. \
The extensions that are switched on are asked as they are asked about any event that is stored.

Examples:
  trellis import -c config/trellis.toml events.jsonl
  zstd -dc backup.jsonl.zst | trellis import -c config/trellis.toml -")]
pub(super) struct Import {
    #[command(flatten)]
    config: ConfigFile,
    /// One event a line; - reads standard input.
    file: PathBuf,
    /// Trust ids and signatures: only for what a relay of yours has exported.
    #[arg(long)]
    no_verify: bool,
    /// Begin with this line, the first being 1.
    #[arg(long, value_name = "N", default_value_t = 1)]
    from_line: u64,
    /// On a stopped relay, do not start the extensions: nobody but the store has a say.
    #[arg(long)]
    without_extensions: bool,
    /// Show no progress.
    #[arg(short, long)]
    quiet: bool,
}

impl Import {
    pub(super) fn run(self, extensions: &'static [Compiled]) -> anyhow::Result<()> {
        if self.from_line == 0 {
            return Err(WrongArguments("--from-line: lines are counted from 1".to_owned()).into());
        }
        let (input, input_bytes) = open(&self.file)?;
        let mut terminal = Terminal::new(Box::new(io::sink()), "lines", self.quiet)?;
        terminal.input_bytes = input_bytes;
        let job = Job::Import(ImportJob {
            verify: !self.no_verify,
            from_line: self.from_line,
        });
        let request = Request {
            input,
            makes_database: true,
            without_extensions: self.without_extensions,
            ..Request::new(&self.config, extensions, job)
        };
        let done = request.run(&mut terminal);
        let go_on = |last_line: u64| {
            let from_line = self.from_line.max(last_line + 1);
            format!("the import stopped; go on with --from-line {from_line}")
        };
        match done {
            // A running relay ends an input that was cut off like any other.
            Ok(Done::Imported(totals)) if terminal.is_interrupted() => {
                report(&totals)?;
                anyhow::bail!(go_on(totals.lines))
            }
            Ok(Done::Imported(totals)) => Ok(report(&totals)?),
            Ok(_) => anyhow::bail!("the running relay answered another question"),
            Err(error) if terminal.last_line == 0 => Err(error),
            Err(error) => Err(error.context(go_on(terminal.last_line))),
        }
    }
}

/// The input and, for a file, its size.
fn open(path: &Path) -> anyhow::Result<(Box<dyn BufRead + Send>, Option<u64>)> {
    if path == Path::new("-") {
        return Ok((Box::new(BufReader::new(io::stdin())), None));
    }
    let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    let bytes = file.metadata().ok().map(|metadata| metadata.len());
    let buffered = BufReader::with_capacity(1 << 20, file);
    Ok((Box::new(buffered), bytes))
}

fn report(totals: &ImportTotals) -> io::Result<()> {
    writeln!(
        io::stdout(),
        "{} lines: {} stored, {} had before, {} superseded, {} deleted before, {} rejected",
        totals.lines,
        totals.stored,
        totals.duplicates,
        totals.superseded,
        totals.deleted,
        totals.rejected
    )
}
