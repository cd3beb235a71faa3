//! `trellis import`: JSON lines into the store of a relay that does not run.
//!
//! The extensions are not built for it, so their `admit` and `commit` hooks are not asked; their `stored` hooks see what
//! was imported when the relay runs again.

use super::{ConfigFile, store};
use anyhow::Context as _;
use clap::Args;
use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use trellis_relay::clock::{Clock as _, SystemClock};
use trellis_relay::extension::Compiled;
use trellis_relay::store::NoPolicy;
use trellis_relay::store::jsonl::{ImportNote, ImportOptions, ImportTotals, import};

#[derive(Debug, Args)]
pub(super) struct Import {
    #[command(flatten)]
    config: ConfigFile,
    /// One event a line; - reads standard input.
    file: PathBuf,
    /// Trust ids and signatures: only for what a relay of yours has exported.
    #[arg(long)]
    no_verify: bool,
}

impl Import {
    pub(super) fn run(self, extensions: &'static [Compiled]) -> anyhow::Result<()> {
        let loaded = self.config.load(extensions)?;
        let (input, input_bytes) = open(&self.file)?;
        let store = store::open(&loaded.config)?;
        let options = ImportOptions {
            verify: !self.no_verify,
            known_as: loaded.config.network.relay_url.clone(),
            ..ImportOptions::default()
        };
        let mut progress = Progress::new(input_bytes);
        let now = SystemClock.now_s();
        let totals = import(&store, &NoPolicy, input, now, &options, |note| {
            progress.tell(note);
        })
        .context("the import stopped; run it again, and what is stored already is skipped")?;
        progress.end(&totals)?;
        Ok(())
    }
}

/// The input and, for a file, its size.
fn open(path: &Path) -> anyhow::Result<(Box<dyn BufRead>, Option<u64>)> {
    if path == Path::new("-") {
        return Ok((Box::new(BufReader::new(io::stdin())), None));
    }
    let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    let bytes = file.metadata().ok().map(|metadata| metadata.len());
    let buffered = BufReader::with_capacity(1 << 20, file);
    Ok((Box::new(buffered), bytes))
}

/// Tells people how it goes, once a second; quiet when nobody looks. Bad lines are told always.
struct Progress {
    started: Instant,
    told: Instant,
    input_bytes: Option<u64>,
    shown: bool,
}

impl Progress {
    fn new(input_bytes: Option<u64>) -> Self {
        Progress {
            started: Instant::now(),
            told: Instant::now(),
            input_bytes,
            shown: io::stderr().is_terminal(),
        }
    }

    fn tell(&mut self, note: ImportNote<'_>) {
        match note {
            ImportNote::Rejected { line, reason } => eprintln!("line {line}: {reason}"),
            ImportNote::Progress(totals) => {
                if self.shown && self.told.elapsed() >= Duration::from_secs(1) {
                    self.told = Instant::now();
                    eprintln!("{} lines{}", totals.lines, self.pace(&totals));
                }
            }
        }
    }

    fn pace(&self, totals: &ImportTotals) -> String {
        let seconds = self.started.elapsed().as_secs_f64();
        let rate = totals.lines as f64 / seconds;
        let left = match self.input_bytes {
            Some(all) if totals.bytes > 0 => {
                let left =
                    seconds * (all.saturating_sub(totals.bytes)) as f64 / totals.bytes as f64;
                format!(", {left:.0} s left")
            }
            _ => String::new(),
        };
        format!(", {rate:.0} a second{left}")
    }

    fn end(&self, totals: &ImportTotals) -> io::Result<()> {
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
}
