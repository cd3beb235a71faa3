//! `trellis bench idle`: what connections cost that do nothing but wait.

use super::on_one_thread;
use super::process::Watched;
use super::report::{Form, Report};
use super::signer::Signer;
use super::socket::Socket;
use super::subscription::{arrived, subscribe};
use super::target::Target;
use anyhow::Context as _;
use clap::Args;
use futures_util::future::try_join_all;
use serde_json::json;
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// Memory counts as settled when it has not grown for so long.
const SETTLED: Duration = Duration::from_millis(500);
const SETTLING_ENDS: Duration = Duration::from_secs(10);

#[derive(Debug, Args)]
#[command(after_help = "\
Each connection has one subscription, to the notes of an author who writes none. In the end every connection is asked \
whether it is still there. Memory without connections is what the relay has when this begins: start it afresh.

Example:
  trellis bench idle -u ws://127.0.0.1:8080 -p $(pgrep -x trellis) --pin 1")]
pub(super) struct Idle {
    #[command(flatten)]
    target: Target,
    /// Connections to open.
    #[arg(long, default_value_t = 5_000, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..))]
    connections: usize,
    /// How long to watch the relay wait.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: u64,
    #[command(flatten)]
    form: Form,
}

impl Idle {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let relay = self.target.prepare()?;
        let relay = relay.context(
            "idle connections show in the relay's memory and CPU alone: name its process, --pid",
        )?;
        self.target.ensure_files_for(self.connections)?;
        let mut report = Report::default();
        on_one_thread(self.measure(relay, &mut report))?;
        report.print(&self.form)
    }

    async fn measure(&self, relay: Watched, report: &mut Report) -> anyhow::Result<()> {
        let (memory_before, cpu_before) = (relay.memory()?, relay.cpu()?);
        let started = Instant::now();
        let mut sockets = Vec::with_capacity(self.connections);
        for number in 0..self.connections {
            let author = Signer::of(0, number as u64)?;
            let filter =
                json!({"authors": [const_hex::encode(author.pubkey())], "kinds": [1], "limit": 1});
            let opened = async {
                let mut socket = Socket::connect(&self.target).await?;
                subscribe(&mut socket, &[("idle".to_owned(), filter)]).await?;
                socket.rest();
                anyhow::Ok(socket)
            };
            sockets.push(
                opened
                    .await
                    .with_context(|| format!("connection {}", number + 1))?,
            );
        }
        let opening = started.elapsed();
        let each = self.connections as f64;
        let cpu_opened = relay.cpu()?;

        tokio::select! {
            settled = settle(relay) => settled?,
            lost = keep(&mut sockets) => lost?,
        }
        let (cpu_idle, started) = (relay.cpu()?, Instant::now());
        tokio::select! {
            () = sleep(Duration::from_secs(self.seconds)) => {}
            lost = keep(&mut sockets) => lost?,
        }
        let spent = relay.cpu()?.since(&cpu_idle);
        let percent = spent.total_us / started.elapsed().as_secs_f64() / 1e4;
        let memory = relay.memory()?;
        for socket in &mut sockets {
            arrived(socket, "idle").await?;
        }

        let more = |now: u64, then: u64| (now as f64 - then as f64) / each;
        report.count("connections", self.connections as u64);
        report.count("rss_without_connections_kib", memory_before.rss_kib);
        report.count(
            "anonymous_without_connections_kib",
            memory_before.anonymous_kib,
        );
        report.count("rss_kib", memory.rss_kib);
        report.number(
            "rss_kib_per_connection",
            more(memory.rss_kib, memory_before.rss_kib),
        );
        let anonymous = more(memory.anonymous_kib, memory_before.anonymous_kib);
        report.number("anonymous_kib_per_connection", anonymous);
        report.number("idle_cpu_percent", percent);
        report.count("watched_seconds", self.seconds);
        report.number(
            "relay_cpu_us_per_opening",
            cpu_opened.since(&cpu_before).total_us / each,
        );
        report.number("opening_seconds", opening.as_secs_f64());
        Ok(())
    }
}

/// Answers pings, until a connection is lost.
async fn keep(sockets: &mut [Socket]) -> anyhow::Result<()> {
    let kept = sockets.iter_mut().map(|socket| async {
        loop {
            socket
                .receive_whenever()
                .await
                .context("an idle connection was lost")?;
            anyhow::ensure!(
                socket.next()?.is_none(),
                "something came over an idle connection"
            );
            socket.rest();
        }
    });
    let _: Vec<()> = try_join_all(kept).await?;
    Ok(())
}

async fn settle(relay: Watched) -> anyhow::Result<()> {
    let started = Instant::now();
    let mut last = relay.memory()?.rss_kib;
    loop {
        sleep(SETTLED).await;
        let now = relay.memory()?.rss_kib;
        if now <= last || started.elapsed() > SETTLING_ENDS {
            return Ok(());
        }
        last = now;
    }
}
