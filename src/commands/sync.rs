//! `trellis sync`: exchanges events with another relay.

use super::job::Request;
use super::terminal::Terminal;
use super::{ConfigFile, closed_pipe, filter_json};
use anyhow::Context as _;
use clap::{Args, ValueEnum};
use serde_json::Value;
use std::io::{self, Write as _};
use trellis_relay::admin::job::{Done, Job};
use trellis_relay::admin::sync::{Direction, Reasons, SyncJob, SyncTotals};
use trellis_relay::extension::Compiled;

#[derive(Debug, Args)]
#[command(after_help = "\
The two relays compare their events by NIP-77, which takes few bytes where they have much in common. What comes is \
verified. What a stranger would not be shown here (kinds for recipients alone, and what extensions hide), and events \
that only their author may publish (NIP-70), are kept back. What was replaced, deleted or expired here after it was compared, often by what the other relay sent, is \
gone meanwhile. Where the other relay asks for authentication, this relay's own key answers. A sync that was \
interrupted is run again; what was moved is not moved twice.

The other relay's limits are read from its information document (NIP-11), which is not asked for over wss. An event \
at which it ends the connection twice is left out and named. A second with more events than one of the two relays \
compares at once is left out, and the exit code is 1.

Works on a stopped relay's database, or through the relay that has it open.

Examples:
  trellis sync wss://relay.example.com --dir down -f '{\"kinds\":[0,3,10002]}'
  trellis sync -c config/trellis.toml wss://backup.example.com --dir up -f '{\"since\":1700000000}'")]
pub(super) struct Sync {
    #[command(flatten)]
    config: ConfigFile,
    /// The other relay: wss://relay.example.com
    url: String,
    /// Only events that match this filter (NIP-01), as JSON.
    #[arg(short, long, value_name = "JSON", value_parser = filter_json)]
    filter: Option<Value>,
    /// Which way events go.
    #[arg(long, value_enum, default_value_t = Way::Both)]
    dir: Way,
    /// On a stopped relay, do not start the extensions: what they would refuse is stored as well. For --dir down.
    #[arg(long)]
    without_extensions: bool,
    /// Show no progress.
    #[arg(short, long)]
    quiet: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Way {
    /// To the other relay.
    Up,
    /// From the other relay.
    Down,
    /// Both ways.
    Both,
}

impl Sync {
    pub(super) fn run(self, extensions: &'static [Compiled]) -> anyhow::Result<()> {
        let direction = match self.dir {
            Way::Up => Direction::Up,
            Way::Down => Direction::Down,
            Way::Both => Direction::Both,
        };
        let job = Job::Sync(SyncJob {
            url: self.url,
            filter: self.filter.unwrap_or_default(),
            direction,
        });
        let mut terminal = Terminal::new(Box::new(io::sink()), "events", self.quiet)?;
        let request = Request {
            makes_database: direction != Direction::Up,
            without_extensions: self.without_extensions,
            ..Request::new(&self.config, extensions, job)
        };
        let done = request
            .run(&mut terminal)
            .context("the sync did not end; run it again, and what was moved is not moved twice")?;
        let Done::Synced(totals) = done else {
            anyhow::bail!("the running relay answered another question");
        };
        closed_pipe::forgive(report(&totals))?;
        let seconds = totals.left_out.seconds;
        anyhow::ensure!(
            seconds == 0,
            "{} left out: more events than one of the two relays compares at once; see above",
            match seconds {
                1 => "one second was".to_owned(),
                _ => format!("{seconds} seconds were"),
            }
        );
        Ok(())
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
        "up: {} taken, {} not taken, {} kept back, {} gone meanwhile",
        totals.uploaded,
        totals.not_taken.total(),
        totals.kept_back,
        totals.gone
    )?;
    reasons(&mut out, &totals.not_taken)?;
    for (events, what) in [
        (&totals.too_long, "too long for the peer"),
        (
            &totals.cut_at,
            "left out, since the peer ends the connection at it",
        ),
    ] {
        if events.events > 0 {
            writeln!(out, "  {} {what}: {events}", events.events)?;
        }
    }
    for (second, why) in &totals.left_out.some {
        writeln!(out, "left out the second {second}: {why}")?;
    }
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
