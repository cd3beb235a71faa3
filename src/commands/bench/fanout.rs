//! `trellis bench fanout`: what it costs to hand an event to everybody who waits for it.

use super::batches::{Batch, batches};
use super::corpus::{Corpus, Recipe};
use super::delivery::{Sent, deliver};
use super::narrow::Narrow;
use super::process::Watched;
use super::report::{Form, Report};
use super::socket::Socket;
use super::subscription::subscribe;
use super::target::Target;
use super::upload::connect;
use super::{now_secs, on_one_thread};
use clap::Args;
use serde_json::json;
use std::time::{SystemTime, UNIX_EPOCH};

/// The subscription of each subscriber.
const SUB: &str = "live";

#[derive(Debug, Args)]
#[command(after_help = "\
Subscribers have a connection each and ask for kind 1 from now on, so nobody else should publish meanwhile. New notes are \
published by one more connection: first --in-flight at a time, then one at a time, each when everybody has the one before. \
Everybody has to get every one once, with the fields that were sent. A latency is the time from sending an event until the last subscriber has it; it \
contains this program's own reading.

Example:
  trellis bench fanout -u ws://127.0.0.1:8080 -p $(pgrep -x trellis) --pin 1 --narrow 10000")]
pub(super) struct Fanout {
    #[command(flatten)]
    target: Target,
    /// Connections that wait for events.
    #[arg(long, default_value_t = 500, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..))]
    subscribers: usize,
    /// Events to publish.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..))]
    events: u64,
    /// Events on their way at once.
    #[arg(long, default_value_t = 16, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..))]
    in_flight: usize,
    /// Events to publish one at a time.
    #[arg(long, default_value_t = 100)]
    singly: u64,
    #[command(flatten)]
    narrow: Narrow,
    #[command(flatten)]
    form: Form,
}

impl Fanout {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let relay = self.target.prepare()?;
        let connections = self.subscribers.max(self.narrow.connections());
        // Besides these, those that publish.
        self.target.ensure_files_for(connections + 8)?;
        // New events each time: what a relay has already, it does not hand on.
        let seed = SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos() as u64;
        let mut report = Report::default();
        on_one_thread(async {
            let mut sockets = Vec::with_capacity(self.subscribers);
            for _ in 0..self.subscribers {
                let mut socket = Socket::connect(&self.target).await?;
                subscribe(
                    &mut socket,
                    &[(SUB.to_owned(), json!({"kinds": [1], "limit": 0}))],
                )
                .await?;
                sockets.push(socket);
            }
            report.count("subscribers", self.subscribers as u64);
            let phases = [
                ("together", self.events, self.in_flight),
                ("one_at_a_time", self.singly, 1),
            ];
            for (number, (name, events, in_flight)) in (0..).zip(phases) {
                if events > 0 {
                    let (batch, events) = notes(seed + number, events)?;
                    let sent = Sent {
                        batch: &batch,
                        events: &events,
                        sub: SUB,
                    };
                    let part = self.phase(relay, &mut sockets, &sent, in_flight).await?;
                    report.group(name, part);
                }
            }
            drop(sockets);
            self.narrow
                .run(&self.target, relay, seed + 2, &mut report)
                .await
        })?;
        report.print(&self.form)
    }

    async fn phase(
        &self,
        relay: Option<Watched>,
        sockets: &mut [Socket],
        sent: &Sent<'_>,
        in_flight: usize,
    ) -> anyhow::Result<Report> {
        let own = Watched::own();
        let mut publishers = connect(&self.target, 1).await?;
        let (relay_before, own_before) = (relay.map(Watched::cpu).transpose()?, own.cpu()?);
        let mut report = Report::default();
        report.count("events", sent.events.len() as u64);
        report.count("in_flight", in_flight as u64);
        let patience = self.target.patience();
        for publisher in &mut publishers {
            let delivered = deliver(publisher, sockets, sent, in_flight, patience).await?;
            let deliveries = delivered.deliveries.max(1) as f64;
            report.count("deliveries", delivered.deliveries);
            if let (Some(relay), Some(before)) = (relay, &relay_before) {
                let spent = relay.cpu()?.since(before);
                report.number("relay_cpu_us_per_delivery", spent.total_us / deliveries);
                report.number("relay_user_us_per_delivery", spent.user_us / deliveries);
                report.number("relay_system_us_per_delivery", spent.system_us / deliveries);
            }
            let spent = own.cpu()?.since(&own_before);
            report.number("generator_cpu_us_per_delivery", spent.total_us / deliveries);
            report.number(
                "deliveries_per_second",
                deliveries / delivered.wall.as_secs_f64().max(1e-9),
            );
            report.group_or_empty("latency", delivered.latencies.report());
        }
        Ok(report)
    }
}

/// New notes in one batch, and their JSON.
fn notes(seed: u64, events: u64) -> anyhow::Result<(Batch, Vec<Vec<u8>>)> {
    let corpus = Corpus::new(Recipe {
        seed,
        events,
        until: now_secs()?,
        span_secs: 60,
        only_kind: Some(1),
    })?;
    let events: Vec<Vec<u8>> = (0..events)
        .map(|number| corpus.event(number))
        .collect::<Result<_, _>>()?;
    let mut all = Batch::default();
    for batch in batches(&events)? {
        let from = all.frames.len();
        all.frames.extend_from_slice(&batch.frames);
        all.events
            .extend(batch.events.iter().map(|(end, id)| (from + end, *id)));
    }
    Ok((all, events))
}
