//! `trellis backup`: what an operator does with the copies that a relay makes of everything stored.

use super::job::ask_running_relay;
use super::progress::Progress;
use super::{ConfigFile, WrongArguments, closed_pipe};
use anyhow::Context as _;
use clap::{Args, Subcommand};
use std::io::{self, Write as _};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use trellis_relay::admin::backup::{BackupJob, Written};
use trellis_relay::admin::job::{Done, Job};
use trellis_relay::backup::by_hand::{self, Listed, Restored};
use trellis_relay::backup::{Keeps, Target, verifying};
use trellis_relay::clock::SystemClock;
use trellis_relay::config::{Config, Timestamp};
use trellis_relay::extension::Compiled;
use trellis_relay::parts::{self, PartsError};
use trellis_relay::store::StoreError;

#[derive(Debug, Subcommand)]
pub(super) enum BackupCommand {
    /// Bring what is stored to the backup now.
    Now(Now),
    /// Show what is in the backup: histories, copies, points in time.
    List(List),
    /// Read the whole backup and say what is wrong with it.
    Verify(Verify),
    /// Restore into an empty data.path.
    Restore(Restore),
}

impl BackupCommand {
    pub(super) fn run(self, extensions: &'static [Compiled]) -> anyhow::Result<()> {
        match self {
            BackupCommand::Now(now) => now.run(extensions),
            BackupCommand::List(list) => list.run(extensions),
            BackupCommand::Verify(verify) => verify.run(extensions),
            BackupCommand::Restore(restore) => restore.run(extensions),
        }
    }
}

#[derive(Debug, Args)]
#[command(after_help = "\
Through the running relay, which goes on, or from the database of a stopped one.

Example:
  trellis backup now -c config/trellis.toml --snapshot")]
pub(super) struct Now {
    #[command(flatten)]
    config: ConfigFile,
    /// Copy everything anew.
    #[arg(long)]
    snapshot: bool,
    /// On a stopped relay, put its database in the place of whatever is backed up there; what is there stays for as long as
    /// backup.retention says.
    #[arg(long)]
    take_over: bool,
}

#[derive(Debug, Args)]
pub(super) struct List {
    #[command(flatten)]
    config: ConfigFile,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
The exit code is 1 where anything is wrong; standard output names the first things that are. It downloads everything.

Example:
  trellis backup verify -c config/trellis.toml --signatures")]
pub(super) struct Verify {
    #[command(flatten)]
    config: ConfigFile,
    /// Verify the signature of every event too, and not only its id.
    #[arg(long)]
    signatures: bool,
    /// Show no progress.
    #[arg(short, long)]
    quiet: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
The directory that data.path names must hold no database, or an empty one. Nobody who writes to the backup is disturbed; \
a relay that is started on what was restored goes on from there, and the other one stops storing.

Examples:
  trellis backup restore -c config/trellis.toml
  trellis backup restore -c config/trellis.toml --until 2030-01-31T22:00:00Z")]
pub(super) struct Restore {
    #[command(flatten)]
    config: ConfigFile,
    /// As it was at this time (UTC), or just before.
    #[arg(long, value_name = "TIME")]
    until: Option<Timestamp>,
    /// Show no progress.
    #[arg(short, long)]
    quiet: bool,
}

impl Now {
    fn run(self, extensions: &'static [Compiled]) -> anyhow::Result<()> {
        let config = with_backup(&self.config, extensions)?;
        let path = &config.data.path;
        anyhow::ensure!(
            path.join("data.mdb").is_file(),
            "there is no database in {}, the directory that data.path names",
            path.display()
        );
        let written = match parts::open_store(&config) {
            Ok(store) => by_hand::write(
                &config.backup,
                Arc::new(store),
                Arc::new(SystemClock),
                Keeps::of(extensions),
                (self.snapshot, self.take_over),
            )?,
            Err(PartsError::Store {
                source: source @ StoreError::InUse(_),
                ..
            }) => self.ask(&config, source)?,
            Err(error) => return Err(error.into()),
        };
        let Written {
            lineage,
            sequence,
            row,
            snapshot,
        } = written;
        let copied = if snapshot { ", everything anew" } else { "" };
        closed_pipe::forgive(writeln!(
            io::stdout(),
            "everything up to row {row} is in the backup: {lineage}, segment {sequence}{copied}"
        ))
    }

    fn ask(&self, config: &Config, in_use: StoreError) -> anyhow::Result<Written> {
        if self.take_over {
            let words = "--take-over: a relay runs here and writes its own backup; stop it first";
            return Err(WrongArguments(words.to_owned()).into());
        }
        let job = Job::Backup(BackupJob {
            snapshot: self.snapshot,
        });
        let mut terminal = super::terminal::Terminal::new(Box::new(io::sink()), "rows", true)?;
        let input = Box::new(io::empty());
        match ask_running_relay(config, in_use, &job, input, &mut terminal)? {
            Done::BackedUp(written) => Ok(written),
            _ => anyhow::bail!("the running relay answered another question"),
        }
    }
}

impl List {
    fn run(self, extensions: &'static [Compiled]) -> anyhow::Result<()> {
        let config = with_backup(&self.config, extensions)?;
        let listed = by_hand::list(&Target::open(&config.backup.url)?)?;
        closed_pipe::forgive(match self.json {
            true => writeln!(io::stdout(), "{}", serde_json::to_string_pretty(&listed)?),
            false => print(&listed, &mut io::stdout()),
        })
    }
}

fn print(listed: &[Listed], out: &mut dyn io::Write) -> io::Result<()> {
    if listed.is_empty() {
        return writeln!(out, "there is nothing");
    }
    for one in listed {
        let state = match (one.is_head, one.has_ended) {
            (true, false) => ", written now",
            (true, true) => ", ended, the newest",
            (false, true) => ", ended",
            (false, false) => "",
        };
        writeln!(
            out,
            "{} begun {}{state}",
            one.lineage,
            time(one.begun_at_ms)
        )?;
        match &one.parent {
            Some((parent, Some(sequence))) => {
                writeln!(out, "  goes on from {parent} after segment {sequence}")?;
            }
            Some((parent, None)) => writeln!(out, "  was to go on from {parent}")?,
            None => {}
        }
        if let (Some(first), Some(last)) = (one.first_at_ms, one.last_at_ms) {
            writeln!(
                out,
                "  {} segments, {}, {} to {}",
                one.segments,
                size(one.segment_bytes),
                time(first),
                time(last)
            )?;
        }
        for snapshot in &one.snapshots {
            writeln!(
                out,
                "  snapshot of {}: {} events, {}, after segment {}",
                time(snapshot.at_ms),
                snapshot.events,
                size(snapshot.bytes),
                snapshot.after_sequence
            )?;
        }
    }
    Ok(())
}

impl Verify {
    fn run(self, extensions: &'static [Compiled]) -> anyhow::Result<()> {
        let config = with_backup(&self.config, extensions)?;
        let target = Target::open(&config.backup.url)?;
        let mut progress = Progress::new(self.quiet);
        let verified = verifying::verify(&target, self.signatures, &mut |objects| {
            progress.show(objects, "objects", None);
            ControlFlow::Continue(())
        });
        progress.clear();
        let verified = verified?;
        let mut out = io::stdout();
        for problem in &verified.problems {
            closed_pipe::forgive(writeln!(out, "{problem}"))?;
        }
        let untold = verified.problem_count - verified.problems.len() as u64;
        if untold > 0 {
            closed_pipe::forgive(writeln!(out, "and {untold} more"))?;
        }
        closed_pipe::forgive(writeln!(
            out,
            "{} objects with {} events: {} problems",
            verified.objects, verified.events, verified.problem_count
        ))?;
        anyhow::ensure!(verified.problem_count == 0, "the backup is damaged");
        Ok(())
    }
}

impl Restore {
    fn run(self, extensions: &'static [Compiled]) -> anyhow::Result<()> {
        let config = with_backup(&self.config, extensions)?;
        let until_ms = self.until.map(|until| until.unix_secs() * 1_000);
        let mut progress = Progress::new(self.quiet);
        let open = |directory: &Path| parts::open_store_in(directory, &config);
        let restored = by_hand::restore(&config, until_ms, &SystemClock, &open, &mut |at| {
            let share = at.objects as f64 / at.objects_in_all.max(1) as f64;
            progress.show(at.events, "events", Some(share));
        });
        progress.clear();
        let restored = restored.context("nothing was restored")?;
        let path = config.data.path.display();
        closed_pipe::forgive(write!(
            io::stdout(),
            "{path} is as it was at {}: {} events were read\n{}",
            time(restored.point.at_ms),
            restored.progress.events,
            read_from(&restored, self.until.is_some())
        ))
    }
}

/// Which history and copy were read, and why not the newest.
fn read_from(restored: &Restored, has_until: bool) -> String {
    let Restored {
        point,
        lineage,
        snapshot,
        segments,
        instead_of,
        ..
    } = restored;
    let read = format!(
        "read: the snapshot of {} in {lineage}, after segment {}, and the {segments} segments after that, up to {} of {}\n",
        time(snapshot.at_ms),
        snapshot.after_sequence,
        point.sequence,
        point.lineage
    );
    match instead_of {
        None => read,
        Some(head) if has_until => format!(
            "{read}{head}, the newest history, has no whole copy of that time: this is what it took the place of\n"
        ),
        Some(head) => format!(
            "{read}{head}, the newest history, has no whole copy yet: this is what it took the place of, and what was \
             stored in it is not here\n"
        ),
    }
}

fn with_backup(file: &ConfigFile, extensions: &'static [Compiled]) -> anyhow::Result<Config> {
    let config = file.load(extensions)?.config;
    match config.backup.is_on() {
        true => Ok(config),
        false => {
            let words = "backup.url is \"\": the configuration names no backup; add -c FILE";
            Err(WrongArguments(words.to_owned()).into())
        }
    }
}

fn time(at_ms: u64) -> Timestamp {
    Timestamp::from_unix_secs(at_ms / 1_000)
}

fn size(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}
