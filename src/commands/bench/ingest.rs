//! `trellis bench ingest`: what publishing costs.

use super::batches::{self, Feed};
use super::floor::Floor;
use super::lines::Lines;
use super::on_one_thread;
use super::process::{CpuSpent, Watched};
use super::report::{Form, Report};
use super::target::Target;
use super::upload::{Uploaded, connect, upload};
use clap::Args;

#[derive(Debug, Args)]
#[command(after_help = "\
Frames are built and masked before the clock starts; a file of more than 4 GiB is read while it is sent, which costs this \
program more. Every OK is compared with what was sent; the exit code is 1 where more than one in a hundred \
events is refused, duplicates aside. With --pid the relay's own CPU time is told, user and system: the \
figure to compare, as it depends least on what else the machine does.

Example:
  taskset -c 0 trellis serve &
  trellis bench ingest -u ws://127.0.0.1:8080 -e corpus.jsonl -p $! --pin 1 --micro --lone 1000")]
pub(super) struct Ingest {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    lines: Lines,
    /// Connections that publish at once.
    #[arg(long, default_value_t = 8, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..))]
    connections: usize,
    /// Events of one connection that wait for their OK at most.
    #[arg(long, default_value_t = 512, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..))]
    window: usize,
    /// Of these, send so many of the last one at a time afterwards, each when the one before has its OK.
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    lone: usize,
    /// Read the file while it is sent, though memory could hold it.
    #[arg(long)]
    stream: bool,
    /// Measure the crypto cost as well, and say how many times that the relay needs.
    #[arg(long)]
    micro: bool,
    #[command(flatten)]
    form: Form,
}

impl Ingest {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let relay = self.target.prepare()?;
        let floor = self.micro.then(Floor::measure).transpose()?;
        let (feed, lone, is_prebuilt) = Feed::of_file(&self.lines, self.lone, self.stream)?;
        self.target.ensure_files_for(self.connections)?;
        let mut report = Report::default();
        let mut outcome = Ok(());
        on_one_thread(async {
            let sockets = connect(&self.target, self.connections).await?;
            let measured =
                Measured::of(relay, async || upload(sockets, self.window, &feed).await).await?;
            report.count("connections", self.connections as u64);
            report.count("window", self.window as u64);
            report.flag("prebuilt", is_prebuilt);
            outcome = measured.uploaded.ensure_taken();
            measured.tell(&mut report, floor.as_ref());
            if !lone.is_empty() {
                let feed = Feed::of(batches::batches(&lone)?);
                let socket = connect(&self.target, 1).await?;
                let measured = Measured::of(relay, async || upload(socket, 1, &feed).await).await?;
                if outcome.is_ok() {
                    outcome = measured.uploaded.ensure_taken();
                }
                let mut part = Report::default();
                measured.tell(&mut part, None);
                report.group("one_at_a_time", part);
            }
            Ok(())
        })?;
        report.print(&self.form)?;
        outcome
    }
}

/// An upload with what it cost.
pub(super) struct Measured {
    pub(super) uploaded: Uploaded,
    pub(super) relay: Option<CpuSpent>,
    own: CpuSpent,
    memory: Report,
}

impl Measured {
    pub(super) async fn of(
        relay: Option<Watched>,
        upload: impl AsyncFnOnce() -> anyhow::Result<Uploaded>,
    ) -> anyhow::Result<Self> {
        let own = Watched::own();
        let memory_before = relay.map(Watched::memory).transpose()?;
        let (relay_before, own_before) = (relay.map(Watched::cpu).transpose()?, own.cpu()?);
        let uploaded = upload().await?;
        let relay_cpu = match (relay, relay_before) {
            (Some(relay), Some(before)) => Some(relay.cpu()?.since(&before)),
            _ => None,
        };
        let own = own.cpu()?.since(&own_before);
        let mut memory = Report::default();
        if let (Some(before), Some(relay)) = (memory_before, relay) {
            let after = relay.memory()?;
            memory.count("rss_before_kib", before.rss_kib);
            memory.count("rss_after_kib", after.rss_kib);
            memory.count("anonymous_before_kib", before.anonymous_kib);
            memory.count("anonymous_after_kib", after.anonymous_kib);
            memory.count("rss_peak_since_start_kib", after.peak_kib);
        }
        Ok(Measured {
            uploaded,
            relay: relay_cpu,
            own,
            memory,
        })
    }

    /// What the relay spent on one event that it has now. Microseconds; nothing where it took none.
    pub(super) fn relay_us_per_event(&self) -> Option<f64> {
        let taken = self.uploaded.taken();
        let relay = self.relay.filter(|_| taken > 0);
        relay.map(|spent| spent.total_us / taken as f64)
    }

    pub(super) fn tell(self, report: &mut Report, floor: Option<&Floor>) {
        let events = self.uploaded.events();
        let taken = self.uploaded.taken();
        let each = taken as f64;
        let relay = self.relay.filter(|_| taken > 0);
        let seconds = self.uploaded.wall.as_secs_f64();
        report.count("events", events);
        self.uploaded.tell(report);
        report.number("wall_seconds", seconds);
        report.number("events_per_second", each / seconds.max(1e-9));
        report.number_if(
            "relay_cpu_us_per_event",
            relay.map(|spent| spent.total_us / each),
        );
        report.number_if(
            "relay_user_us_per_event",
            relay.map(|spent| spent.user_us / each),
        );
        report.number_if(
            "relay_system_us_per_event",
            relay.map(|spent| spent.system_us / each),
        );
        if let Some(floor) = floor {
            report.number("crypto_cost_us", floor.crypto_us());
            let ratio = self.relay_us_per_event().map(|us| us / floor.crypto_us());
            report.number_if("relay_cpu_over_crypto_cost", ratio);
        }
        report.number_if(
            "generator_cpu_us_per_event",
            (taken > 0).then_some(self.own.total_us / each),
        );
        report.group_or_empty("ok_latency", self.uploaded.latencies.report());
        report.group("relay_memory", self.memory);
    }
}
