//! Events on their way to many subscribers at once: every one of them has to get every event once, as it was sent.

use super::answer::{self, Answer};
use super::batches::Batch;
use super::latency::Latencies;
use super::socket::Socket;
use anyhow::{Context as _, anyhow, bail, ensure};
use futures_util::future::{try_join, try_join_all};
use serde_json::{Map, Value};
use std::cell::RefCell;
use std::collections::HashMap;
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tokio::time::timeout_at;

/// What came.
#[derive(Debug)]
pub(super) struct Delivered {
    pub(super) deliveries: u64,
    /// From sending an event until the last subscriber had it.
    pub(super) latencies: Latencies,
    pub(super) wall: Duration,
}

/// What is published, as frames and as JSON, in the same order; and the subscription it has to come to.
pub(super) struct Sent<'s> {
    pub(super) batch: &'s Batch,
    pub(super) events: &'s [Vec<u8>],
    pub(super) sub: &'s str,
}

/// Publishes a batch, at most `in_flight` events that not everybody has, and waits until everybody has everything.
///
/// The last event goes alone, when all others have come: what comes twice comes before it and is noticed.
pub(super) async fn deliver(
    publisher: &mut Socket,
    subscribers: &mut [Socket],
    sent: &Sent<'_>,
    in_flight: usize,
    patience: Duration,
) -> anyhow::Result<Delivered> {
    let events = sent
        .batch
        .events
        .iter()
        .enumerate()
        .map(|(number, (_, id))| (*id, number));
    let round = Round {
        numbers: events.collect(),
        sent,
        spellings: RefCell::new(vec![None; sent.events.len()]),
        subscribers: subscribers.len(),
        progress: RefCell::new(Progress {
            delivered: vec![0; sent.events.len()],
            sent_at: Vec::with_capacity(sent.events.len()),
            complete: 0,
            latencies: Latencies::default(),
        }),
        news: Notify::new(),
    };
    let started = Instant::now();
    let receiving = subscribers.iter_mut().enumerate();
    let receiving = receiving.map(|(number, socket)| round.receive(number, socket));
    try_join(
        round.publish(publisher, sent.batch, in_flight, patience),
        try_join_all(receiving),
    )
    .await?;
    let progress = round.progress.into_inner();
    Ok(Delivered {
        deliveries: progress.delivered.iter().sum::<usize>() as u64,
        latencies: progress.latencies,
        wall: started.elapsed(),
    })
}

struct Round<'s> {
    sent: &'s Sent<'s>,
    /// By event, other spellings of the right JSON that the relay uses, so that each is parsed once.
    spellings: RefCell<Vec<Option<Vec<u8>>>>,
    numbers: HashMap<[u8; 32], usize>,
    subscribers: usize,
    progress: RefCell<Progress>,
    /// Another event has come to everybody.
    news: Notify,
}

struct Progress {
    /// By event, how many subscribers have it.
    delivered: Vec<usize>,
    sent_at: Vec<Instant>,
    complete: usize,
    latencies: Latencies,
}

impl Round<'_> {
    async fn publish(
        &self,
        socket: &mut Socket,
        batch: &Batch,
        in_flight: usize,
        patience: Duration,
    ) -> anyhow::Result<()> {
        let total = batch.events.len();
        let (mut sent, mut from, mut answered) = (0, 0, 0);
        let (mut state, mut advanced) = ((0, 0, 0), Instant::now());
        loop {
            let complete = self.progress.borrow().complete;
            if state != (sent, answered, complete) {
                (state, advanced) = ((sent, answered, complete), Instant::now());
            }
            if complete == total && answered == total {
                return Ok(());
            }
            let may_send = match sent + 1 == total {
                true => complete == sent,
                false => sent < total && sent - complete < in_flight,
            };
            if may_send {
                let end = batch.events[sent].0;
                self.progress.borrow_mut().sent_at.push(Instant::now());
                socket.send(&batch.frames[from..end]).await?;
                (sent, from) = (sent + 1, end);
                continue;
            }
            while let Some(message) = socket.next()? {
                if let Answer::Ok {
                    accepted, words, ..
                } = Answer::read(socket.text(&message))
                {
                    ensure!(
                        accepted,
                        "the relay refused an event: {:?}",
                        String::from_utf8_lossy(words)
                    );
                    answered += 1;
                }
            }
            let something = async {
                tokio::select! {
                    () = self.news.notified() => Ok(()),
                    received = socket.receive_whenever() => received,
                }
            };
            if self.progress.borrow().complete == complete
                && !(complete == total && answered == total)
            {
                ensure!(advanced.elapsed() < patience, self.state(patience));
                timeout_at((advanced + patience).into(), something)
                    .await
                    .map_err(|_| anyhow!(self.state(patience)))??;
            }
        }
    }

    async fn receive(&self, number: usize, socket: &mut Socket) -> anyhow::Result<()> {
        let mut has = vec![false; self.numbers.len()];
        let mut missing = has.len();
        while missing > 0 {
            while let Some(message) = socket.next()? {
                let (sub, json) = match Answer::read(socket.text(&message)) {
                    Answer::Event { sub, json } => (sub, json),
                    Answer::Closed { words, .. } | Answer::Notice { words } => {
                        bail!(
                            "subscriber {number} is told {:?}",
                            String::from_utf8_lossy(words)
                        );
                    }
                    _ => continue,
                };
                let id = answer::event_id(json).context("an event without an id")?;
                let event = self.numbers.get(&id);
                let event = *event.with_context(|| {
                    format!(
                        "subscriber {number} got {}, which was not sent now",
                        const_hex::encode(id)
                    )
                })?;
                ensure!(
                    sub == self.sent.sub.as_bytes(),
                    "subscriber {number} got {} for {:?}, which it did not ask for",
                    const_hex::encode(id),
                    String::from_utf8_lossy(sub)
                );
                ensure!(
                    self.is_as_sent(event, json),
                    "subscriber {number} got {} with other fields than were sent",
                    const_hex::encode(id)
                );
                let twice = std::mem::replace(&mut has[event], true);
                ensure!(
                    !twice,
                    "subscriber {number} got {} twice",
                    const_hex::encode(id)
                );
                missing -= 1;
                self.note(event);
            }
            if missing > 0 {
                socket
                    .receive_whenever()
                    .await
                    .with_context(|| format!("subscriber {number}"))?;
            }
        }
        Ok(())
    }

    /// Whether an event's JSON says what was sent, in whatever order and with whatever spaces.
    fn is_as_sent(&self, event: usize, json: &[u8]) -> bool {
        let sent = &self.sent.events[event];
        if sent == json {
            return true;
        }
        let mut spellings = self.spellings.borrow_mut();
        let spelling = &mut spellings[event];
        if spelling.as_deref() == Some(json) {
            return true;
        }
        let fields = |json: &[u8]| serde_json::from_slice::<Map<String, Value>>(json).ok();
        let (Some(sent), Some(got)) = (fields(sent), fields(json)) else {
            return false;
        };
        let is_right = sent
            .iter()
            .all(|(name, value)| got.get(name) == Some(value));
        if is_right {
            *spelling = Some(json.to_vec());
        }
        is_right
    }

    fn note(&self, event: usize) {
        let mut progress = self.progress.borrow_mut();
        progress.delivered[event] += 1;
        if progress.delivered[event] == self.subscribers {
            let took = progress.sent_at.get(event).map(Instant::elapsed);
            progress.latencies.add(took.unwrap_or_default());
            progress.complete += 1;
            self.news.notify_one();
        }
    }

    fn state(&self, patience: Duration) -> String {
        let progress = self.progress.borrow();
        let lacking = progress
            .delivered
            .iter()
            .find(|delivered| **delivered < self.subscribers);
        format!(
            "for {} s nothing came; {} events are with everybody, another with {} of {} subscribers",
            patience.as_secs(),
            progress.complete,
            lacking.copied().unwrap_or_default(),
            self.subscribers
        )
    }
}
