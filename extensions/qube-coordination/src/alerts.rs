//! Tells operators what needs them: on the page, in the metrics, and through webhooks.
//!
//! Invariant: the beginning and the end of an alert are told once each, across restarts. What raises one is the fleet's state
//! (`conditions`) and what other parts note (`noted`); what was told is in rows (`books`); each server is told in order
//! (`webhook`).

mod alert;
mod books;
mod conditions;
mod noted;
mod one_at_a_time;
mod signature;
mod webhook;

pub(crate) use alert::{Alert, Kind, News, Turn};
pub(crate) use books::Open;

use crate::QubeCoordination;
use crate::config::Settings;
use crate::holdings::Holdings;
use crate::metering;
use books::Books;
use futures_util::future::try_join_all;
use noted::Noted;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use trellis_relay::extension::prelude::*;
use trellis_relay::store::StoreError;
use url::Url;
use webhook::Messenger;

/// The time alone changes some things; they are looked at so often.
const LOOK: Duration = Duration::from_secs(1);
/// After a start peers, sync and nodes have so long to bring what the relay has missed, before what is not there raises an
/// alert that would have held at the start already. Seconds.
pub(crate) const CATCH_UP_S: u64 = 300;
/// Alerts that are over and shown.
const PAST_MAX: usize = 20;

/// What holds, and what was told of it.
pub(crate) struct Alerts {
    settings: Arc<Settings>,
    books: Mutex<Books>,
    noted: Mutex<Noted>,
    heard: tokio::sync::watch::Sender<u64>,
}

/// Who ended something.
#[derive(Clone, Copy, PartialEq, Eq)]
enum StoppedBy {
    Itself,
    Relay,
}

impl Alerts {
    /// Nothing, until the task has read what was left.
    pub(crate) fn new(settings: Arc<Settings>) -> Self {
        Alerts {
            settings,
            books: Mutex::default(),
            noted: Mutex::default(),
            heard: tokio::sync::watch::Sender::new(0),
        }
    }

    /// The mirror's database answers, or does not: why.
    pub(crate) fn note_mirror(&self, why: Option<&str>) {
        self.noted().outage(Kind::DatabaseDown, MIRROR, why);
    }

    /// What holds, longest first.
    pub(crate) fn open(&self) -> Vec<Open> {
        let mut open: Vec<Open> = self.books().open.values().cloned().collect();
        open.sort_by_key(|it| (it.since, it.alert.kind));
        open
    }

    /// What was over lately, newest first.
    pub(crate) fn past(&self) -> Vec<Arc<News>> {
        let books = self.books();
        let over = |news: &&Arc<News>| news.status == Turn::Resolved;
        let past = books.log.iter().rev().filter(over);
        past.take(PAST_MAX).cloned().collect()
    }

    /// Tells that something began or ended.
    pub(crate) fn heard(&self) -> tokio::sync::watch::Receiver<u64> {
        self.heard.subscribe()
    }

    /// Follows the fleet and tells servers, until the relay stops.
    pub(crate) async fn run(
        &self,
        me: &QubeCoordination,
        stop: &StopToken,
    ) -> Result<(), TaskError> {
        let host = &me.host;
        let _turn = tokio::select! {
            turn = one_at_a_time::turn(host.data_dir()) => turn,
            () = stop.stopped() => return Ok(()),
        };
        self.resume(host).await?;
        let webhooks = self.settings.alerts.webhooks.iter().zip(1..);
        let mut messengers = Vec::new();
        for (webhook, number) in webhooks {
            messengers.push(Messenger::open(host, self, webhook, number).await?);
        }
        let telling = messengers.into_iter().map(|messenger| messenger.run(stop));
        tokio::try_join!(try_join_all(telling), self.follow(me, stop))?;
        Ok(())
    }

    /// Reads what was left.
    async fn resume(&self, host: &Host) -> Result<(), StoreError> {
        let (books, now_s) = (Books::load(host).await?, host.clock().now_s());
        let asked: BTreeSet<&str> = self.asked().collect();
        let mut noted = self.noted();
        for open in books.open.values() {
            noted.resume(&open.alert, |name| asked.contains(name), now_s);
        }
        drop(noted);
        *self.books() = books;
        self.tell_readers();
        Ok(())
    }

    /// Names of the servers that somebody looks at, and notes.
    fn asked(&self) -> impl Iterator<Item = &str> {
        let peers = self.settings.peers.iter().map(Url::as_str);
        let mirror = self.settings.mirror.url.as_ref().map(|_| MIRROR);
        peers.chain(mirror)
    }

    async fn follow(&self, me: &QubeCoordination, stop: &StopToken) -> Result<(), TaskError> {
        let mut changes = me.holdings.changes();
        let (mut attempts, mut peers) = (me.attempts.changes(), me.peers.changes());
        let mut attempts_seen = 0;
        let started_s = me.host.clock().now_s();
        while !stop.is_stopped() {
            attempts_seen = self.note_all(me, attempts_seen);
            self.look(&me.host, &me.holdings, started_s).await?;
            tokio::select! {
                () = stop.stopped() => {}
                () = tokio::time::sleep(LOOK) => {}
                // Not at once: many reports come together.
                Ok(()) = changes.changed() => tokio::time::sleep(LOOK / 5).await,
                Ok(()) = attempts.changed() => tokio::time::sleep(LOOK / 5).await,
                Ok(()) = peers.changed() => {}
            }
        }
        Ok(())
    }

    /// Notes attempts after this number, and how peers are; the number of the last attempt.
    fn note_all(&self, me: &QubeCoordination, attempts_seen: u64) -> u64 {
        let mut noted = self.noted();
        for peer in me.peers.status() {
            if peer.asked_at_s.is_some() {
                let problem = peer.problem.as_deref();
                noted.outage(Kind::PeerDown, peer.url.as_str(), problem);
            }
        }
        let attempts = me.attempts.after(attempts_seen);
        for attempt in &attempts {
            // What strangers call a network is none.
            let network = attempt.network.as_deref();
            let network = network.filter(|name| me.networks.keys().any(|id| id.as_str() == *name));
            noted.attempt(network, &attempt.author, attempt.at_s);
        }
        attempts.last().map_or(attempts_seen, |last| last.number)
    }

    /// Compares what holds with what was told, and makes the difference durable.
    async fn look(
        &self,
        host: &Host,
        holdings: &Holdings,
        started_s: u64,
    ) -> Result<(), StoreError> {
        let now_s = host.clock().now_s();
        let ttl_s = self.settings.proposal_ttl_s;
        let of_state = conditions::of_state(&holdings.state(), now_s, ttl_s);
        let noted = self.noted().alerts(now_s);
        let mut now = books::by_id(of_state.into_iter().chain(noted));
        let news = {
            let at_the_start = || {
                let state = holdings.state_at(started_s);
                books::by_id(conditions::of_state(&state, started_s, ttl_s))
            };
            let mut books = self.books();
            if now_s < started_s.saturating_add(CATCH_UP_S) {
                books.put_off(&mut now, at_the_start);
            }
            books.hold(&mut now, now_s);
            books.reword(&now);
            books.compare(&now, now_s)
        };
        for news in news {
            self.append(host, Arc::new(news)).await?;
        }
        metering::open_alerts(self.books().open.values().map(|open| open.alert.kind));
        Ok(())
    }

    async fn append(&self, host: &Host, news: Arc<News>) -> Result<(), StoreError> {
        books::append(host, &news).await?;
        metering::alert(news.alert.kind, news.status);
        log(&news);
        let (id, keep) = (news.id.clone(), self.settings.alerts.keep());
        let (open, cut) = {
            let mut books = self.books();
            books.take(news);
            let surplus = books.log.len().saturating_sub(keep);
            let cut: Vec<u64> = books.log.drain(..surplus).map(|it| it.seq).collect();
            (books.open.get(&id).cloned(), cut)
        };
        books::save_open(host, &id, open.as_ref()).await?;
        for seq in cut {
            books::cut(host, seq).await?;
        }
        self.tell_readers();
        Ok(())
    }

    fn tell_readers(&self) {
        let seq = self.last_seq();
        self.heard.send_replace(seq);
    }

    fn after(&self, seq: u64) -> Option<Arc<News>> {
        self.books().after(seq)
    }

    fn last_seq(&self) -> u64 {
        self.books().last_seq()
    }

    fn waiting(&self, seq: u64) -> usize {
        self.books().waiting(seq)
    }

    fn give_up_after(&self) -> Duration {
        self.settings.alerts.give_up_after()
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn noted(&self) -> MutexGuard<'_, Noted> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the mirror's database is called in alerts.
const MIRROR: &str = "mirror";

/// For an operator's log. What strangers wrote is told by the page and the webhooks alone.
fn log(news: &News) {
    let Alert { kind, network, .. } = &news.alert;
    let (kind, network) = (kind.name(), network.as_deref().unwrap_or("-"));
    match news.status {
        Turn::Firing => tracing::warn!(kind, network, seq = news.seq, "an alert begins"),
        Turn::Resolved => tracing::info!(kind, network, seq = news.seq, "an alert ends"),
    }
}

#[cfg(test)]
mod tests;
