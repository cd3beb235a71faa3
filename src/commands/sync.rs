//! `trellis sync`: exchanges events with another relay, from and into the store of a relay that does not run.
//!
//! The extensions are not built for it, so their `admit` and `commit` hooks are not asked; their `stored` hooks see what
//! came in when the relay runs again.

use super::{ConfigFile, store};
use anyhow::Context as _;
use clap::{Args, ValueEnum};
use std::io::{self, IsTerminal as _, Write as _};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};
use trellis_relay::admin::sync::{Direction, Reasons, SyncNote, SyncOptions, SyncTotals, sync};
use trellis_relay::admin::target::StoppedStore;
use trellis_relay::clock::SystemClock;
use trellis_relay::extension::Compiled;
use trellis_relay::filter::{Filter, FilterLimits};
use trellis_relay::relay_key;

#[derive(Debug, Args)]
pub(super) struct Sync {
    #[command(flatten)]
    config: ConfigFile,
    /// The other relay, which has to do NIP-77: wss://relay.example.com
    url: String,
    /// Only events that match this filter (NIP-01), as JSON: '{"authors":["..."],"since":1700000000}'.
    #[arg(short, long, value_name = "JSON")]
    filter: Option<String>,
    /// Which way events go.
    #[arg(long, value_enum, default_value_t = Way::Both)]
    dir: Way,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Way {
    /// To the other relay. Kinds that only their recipients may read here, and events that only their author may
    /// publish (NIP-70), are never sent.
    Up,
    /// From the other relay. Every event is verified.
    Down,
    /// Both ways.
    Both,
}

impl Sync {
    pub(super) fn run(self, extensions: &'static [Compiled]) -> anyhow::Result<()> {
        let filter = match &self.filter {
            Some(json) => Filter::parse(json, &FilterLimits { values: usize::MAX })
                .with_context(|| format!("--filter {json}"))?,
            None => Filter::default(),
        };
        let loaded = self.config.load(extensions)?;
        let store = store::open(&loaded.config)?;
        let options = SyncOptions {
            filter,
            direction: match self.dir {
                Way::Up => Direction::Up,
                Way::Down => Direction::Down,
                Way::Both => Direction::Both,
            },
            keys: Some(relay_key::load_or_make(&loaded.config.data.path)?),
            ..SyncOptions::new(self.url)
        };
        let target = StoppedStore {
            store: Arc::new(store),
            config: Arc::new(loaded.config),
            clock: Arc::new(SystemClock),
        };
        let mut progress = Progress::new(options.direction);
        let totals = sync(&target, &options, &mut |note| {
            progress.tell(&note);
            ControlFlow::Continue(())
        })
        .context("the sync stopped; run it again, and what was moved is not moved twice")?;
        report(&totals)?;
        Ok(())
    }
}

/// Tells people how it goes, once a second; quiet when nobody looks.
struct Progress {
    direction: Direction,
    started: Instant,
    told: Instant,
    shown: bool,
}

impl Progress {
    fn new(direction: Direction) -> Self {
        Progress {
            direction,
            started: Instant::now(),
            told: Instant::now(),
            shown: io::stderr().is_terminal(),
        }
    }

    fn tell(&mut self, note: &SyncNote) {
        let SyncNote::Progress(totals) = note;
        if !self.shown || self.told.elapsed() < Duration::from_secs(1) {
            return;
        }
        self.told = Instant::now();
        let (done, all) = totals.headway(self.direction);
        let rate = done as f64 / self.started.elapsed().as_secs_f64();
        let left = match done {
            0 => String::new(),
            _ => format!(", {:.0} s left", all.saturating_sub(done) as f64 / rate),
        };
        eprintln!("{done} of {all} events, {rate:.0} a second{left}");
    }
}

fn report(totals: &SyncTotals) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(
        out,
        "{} compared: {} only here, {} only there",
        totals.compared, totals.have, totals.need
    )?;
    writeln!(
        out,
        "down: {} stored, {} known, {} not sent, {} refused",
        totals.stored,
        totals.known,
        totals.missing,
        totals.refused.total()
    )?;
    reasons(&mut out, &totals.refused)?;
    writeln!(
        out,
        "up: {} taken, {} not taken, {} kept back",
        totals.uploaded,
        totals.not_taken.total(),
        totals.kept_back
    )?;
    reasons(&mut out, &totals.not_taken)?;
    writeln!(
        out,
        "{} bytes sent, {} received",
        totals.sent_bytes, totals.received_bytes
    )
}

fn reasons(out: &mut impl io::Write, reasons: &Reasons) -> io::Result<()> {
    for (reason, count) in &reasons.0 {
        writeln!(out, "  {count} times: {reason}")?;
    }
    Ok(())
}
