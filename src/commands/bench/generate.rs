//! `trellis bench gen`: writes a corpus.

use super::corpus::{Corpus, Recipe, on_all_cores};
use super::now_secs;
use super::report::{Form, Report};
use anyhow::Context as _;
use clap::Args;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::PathBuf;
use std::time::Instant;

/// Events made at a time, so that memory does not grow with their number.
const PORTION: u64 = 16_384;

#[derive(Debug, Args)]
#[command(after_help = "\
Kinds 0, 1, 3, 7, 445, 1059 and 30023 by one author for every 20 events, some of whom write far more than others; about \
1.1 KB and 3.8 indexed tags an event. The same --seed, --events, --until and --days give the same bytes. The file is in \
the order in which events were written, but for those that come late.

Example:
  trellis bench gen --events 100000 -o corpus.jsonl")]
pub(super) struct Generate {
    /// How many events.
    #[arg(short = 'n', long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..))]
    events: u64,
    /// Which of all corpora.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// When the newest event was written, in seconds since 1970. Default: the last full hour.
    #[arg(long, value_name = "SECONDS")]
    until: Option<u64>,
    /// Days over which the events are spread.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=1000))]
    days: u64,
    /// The file to write.
    #[arg(short, long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    form: Form,
}

impl Generate {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let started = Instant::now();
        anyhow::ensure!(
            self.out.as_os_str() != "-",
            "name a file with --out: standard output is for what this says about it"
        );
        let until = match self.until {
            Some(until) => until,
            None => now_secs()? / 3_600 * 3_600,
        };
        let corpus = Corpus::new(Recipe {
            seed: self.seed,
            events: self.events,
            until,
            span_secs: self.days * 86_400,
            only_kind: None,
        })?;
        let what = || format!("write {}", self.out.display());
        let mut file =
            BufWriter::with_capacity(1 << 20, File::create(&self.out).with_context(what)?);
        let mut bytes = 0;
        for first in (0..self.events).step_by(PORTION as usize) {
            let count = PORTION.min(self.events - first);
            let lines = on_all_cores(count, |numbers| {
                let mut lines = Vec::with_capacity(1_200 * (numbers.end - numbers.start) as usize);
                for number in numbers {
                    corpus.append(first + number, &mut lines)?;
                    lines.push(b'\n');
                }
                Ok(vec![lines])
            })?;
            for lines in lines {
                bytes += lines.len() as u64;
                file.write_all(&lines).with_context(what)?;
            }
        }
        file.flush().with_context(what)?;

        let mut report = Report::default();
        report.text("file", &self.out.display().to_string());
        report.count("events", self.events);
        report.count("authors", corpus.author_count() as u64);
        report.count("bytes", bytes);
        report.number("bytes_per_event", bytes as f64 / self.events as f64);
        report.count("until", until);
        report.number("seconds", started.elapsed().as_secs_f64());
        report.print(&self.form)
    }
}
