//! What many subscriptions that match nothing cost those who publish.
//!
//! Publishing is measured three times, with the subscriptions the second time only, so that what comes of a growing
//! database stands on both sides.

use super::batches::{Feed, batches};
use super::corpus::{Corpus, Recipe, on_all_cores};
use super::ingest::Measured;
use super::now_secs;
use super::process::Watched;
use super::report::Report;
use super::signer::Signer;
use super::socket::Socket;
use super::subscription::{arrived, next_event, subscribe};
use super::target::Target;
use super::upload::{connect, upload};
use anyhow::{Context as _, bail, ensure};
use clap::Args;
use serde_json::json;
use std::collections::BTreeSet;

/// Subscriptions that are shown to be alive, in the end.
const PROBED: usize = 50;

const CONNECTIONS: usize = 8;
const WINDOW: usize = 512;

#[derive(Debug, Args)]
pub(super) struct Narrow {
    /// Then open so many subscriptions, each to an author of its own, and publish with them and without.
    #[arg(long = "narrow", value_name = "NUMBER", default_value_t = 0)]
    narrow_subscriptions: usize,
    /// Such subscriptions on one connection; many relays allow 20.
    #[arg(long = "narrow-per-connection", value_name = "NUMBER", default_value_t = 20,
          value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..))]
    per_connection: usize,
    /// Events to publish each time meanwhile.
    #[arg(long = "narrow-events", value_name = "NUMBER", default_value_t = 20_000,
          value_parser = clap::value_parser!(u64).range(1..))]
    events_each_time: u64,
}

impl Narrow {
    /// How many connections the subscriptions take.
    pub(super) fn connections(&self) -> usize {
        self.narrow_subscriptions.div_ceil(self.per_connection)
    }

    pub(super) async fn run(
        &self,
        target: &Target,
        relay: Option<Watched>,
        seed: u64,
        report: &mut Report,
    ) -> anyhow::Result<()> {
        if self.narrow_subscriptions == 0 {
            return Ok(());
        }
        let before = self.publish(target, relay, seed).await?;
        let authors = on_all_cores(self.narrow_subscriptions as u64, |numbers| {
            numbers.map(|number| Signer::of(!seed, number)).collect()
        })?;
        let mut sockets = Vec::new();
        for (at, some) in authors.chunks(self.per_connection).enumerate() {
            let mut socket = Socket::connect(target).await?;
            let subscriptions = some.iter().enumerate().map(|(number, author)| {
                let filter = json!({"authors": [const_hex::encode(author.pubkey())], "kinds": [1]});
                (format!("n{}", at * self.per_connection + number), filter)
            });
            subscribe(&mut socket, &subscriptions.collect::<Vec<_>>()).await?;
            sockets.push(socket);
        }
        let during = self.publish(target, relay, seed + 1).await?;
        self.probe(target, seed, &authors, &mut sockets).await?;
        drop(sockets);
        let after = self.publish(target, relay, seed + 2).await?;

        let mut part = Report::default();
        part.count("subscriptions", self.narrow_subscriptions as u64);
        part.count("subscriptions_of_a_connection", self.per_connection as u64);
        part.count("events_each_time", self.events_each_time);
        let all = [&before, &during, &after].map(Measured::relay_us_per_event);
        if let [Some(before), Some(during), Some(after)] = all {
            let without = f64::midpoint(before, after);
            part.number("relay_cpu_us_per_event_before", before);
            part.number("relay_cpu_us_per_event_with_subscriptions", during);
            part.number("relay_cpu_us_per_event_after", after);
            part.number("more_percent", (during / without - 1.0) * 100.0);
        }
        report.group("narrow_subscriptions", part);
        Ok(())
    }

    async fn publish(
        &self,
        target: &Target,
        relay: Option<Watched>,
        seed: u64,
    ) -> anyhow::Result<Measured> {
        let corpus = Corpus::new(Recipe {
            seed,
            events: self.events_each_time,
            until: now_secs()?,
            span_secs: 3_600,
            only_kind: None,
        })?;
        let events = on_all_cores(self.events_each_time, |numbers| {
            numbers.map(|number| corpus.event(number)).collect()
        })?;
        let feed = Feed::of(batches(&events)?);
        drop(events);
        let sockets = connect(target, CONNECTIONS).await?;
        let measured = Measured::of(relay, async || upload(sockets, WINDOW, &feed).await).await?;
        let refused = measured.uploaded.refused();
        // Versions that are older than the stored one may be refused.
        ensure!(
            refused * 5 < self.events_each_time,
            "the relay refused {refused} of {} events",
            self.events_each_time
        );
        Ok(measured)
    }

    /// Whether each of some subscriptions gets what its author writes, and none has got anything else.
    async fn probe(
        &self,
        target: &Target,
        seed: u64,
        authors: &[Signer],
        sockets: &mut [Socket],
    ) -> anyhow::Result<()> {
        let every = (authors.len() / PROBED).max(1);
        let probed = authors.iter().enumerate().step_by(every);
        let mut events = Vec::new();
        let mut expected = BTreeSet::new();
        for (number, author) in probed {
            let corpus = Corpus::by(author.clone(), seed + number as u64, now_secs()?);
            let event = corpus.event(0)?;
            if let Some(id) = super::answer::event_id(&event) {
                expected.insert((format!("n{number}"), id));
            }
            events.push(event);
        }
        let feed = Feed::of(batches(&events)?);
        let uploaded = upload(connect(target, 1).await?, 1, &feed).await?;
        ensure!(
            uploaded.accepted == events.len() as u64,
            "the relay refused an event"
        );
        // What must come may come after its OK. What should not is looked for when all of it is there.
        for number in authors
            .iter()
            .enumerate()
            .step_by(every)
            .map(|(number, _)| number)
        {
            let socket = sockets.get_mut(number / self.per_connection);
            let socket = socket.context("a subscription without a connection")?;
            let arrived = next_event(socket).await;
            let arrived = arrived.with_context(|| format!("at the subscription n{number}"))?;
            ensure!(
                expected.remove(&arrived),
                "the subscription {} got {}, which is not for it",
                arrived.0,
                const_hex::encode(arrived.1)
            );
        }
        for (at, socket) in sockets.iter_mut().enumerate() {
            let last = ((at + 1) * self.per_connection).min(authors.len()) - 1;
            if let Some((sub, id)) = arrived(socket, &format!("n{last}")).await?.first() {
                bail!(
                    "the subscription {sub} got {}, which is not for it",
                    const_hex::encode(id)
                );
            }
        }
        Ok(())
    }
}
