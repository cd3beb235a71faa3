//! Publishes events over some connections, each with a window of events that wait for their OK.
//!
//! Invariant: every OK names an event that was sent on this connection and waits for one; anything else is an error.

use super::answer::{self, Answer};
use super::batches::{Batch, Feed};
use super::latency::Latencies;
use super::report::Report;
use super::socket::Socket;
use super::target::Target;
use anyhow::{Context as _, ensure};
use futures_util::future::try_join_all;
use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

/// Different words of refusal that are told apart.
const MAX_REASONS: usize = 20;

/// What became of the events.
#[derive(Debug, Default)]
pub(super) struct Uploaded {
    pub(super) accepted: u64,
    /// Answered with `duplicate:`, whether as accepted or not.
    pub(super) duplicates: u64,
    /// By words, with `#` for digits.
    refused: BTreeMap<String, u64>,
    notices: u64,
    pub(super) latencies: Latencies,
    pub(super) wall: Duration,
}

impl Uploaded {
    pub(super) fn events(&self) -> u64 {
        self.taken() + self.refused()
    }

    /// Those that the relay has now: what its figures are divided by.
    pub(super) fn taken(&self) -> u64 {
        self.accepted + self.duplicates
    }

    /// Refused as anything but duplicates.
    pub(super) fn refused(&self) -> u64 {
        self.refused.values().sum()
    }

    /// An error where more than one in a hundred were refused: then the figures are no longer those of storing events.
    pub(super) fn ensure_taken(&self) -> anyhow::Result<()> {
        let most = self.refused.iter().max_by_key(|(_, count)| **count);
        if let Some((words, count)) = most {
            ensure!(
                self.refused() * 100 <= self.events(),
                "the relay refused {} of {} events, {count} of them with {words:?}",
                self.refused(),
                self.events()
            );
        }
        Ok(())
    }

    /// Counts, and the words of refusals.
    pub(super) fn tell(&self, report: &mut Report) {
        report.count("accepted", self.accepted);
        report.count("duplicates", self.duplicates);
        report.count("refused", self.refused());
        let mut reasons = Report::default();
        for (words, count) in &self.refused {
            reasons.count(words, *count);
        }
        report.group_or_empty("refusals", reasons);
        report.count("notices", self.notices);
    }

    fn refuse(&mut self, words: &[u8]) {
        let words =
            String::from_utf8_lossy(words).replace(|letter: char| letter.is_ascii_digit(), "#");
        // A relay may put what it refuses into its words.
        let known = self.refused.contains_key(&words) || self.refused.len() < MAX_REASONS;
        let words = if known {
            words
        } else {
            "other words".to_owned()
        };
        *self.refused.entry(words).or_default() += 1;
    }
}

/// Sends all that the feed has, over connections that are open already, and waits for every OK.
pub(super) async fn upload(
    sockets: Vec<Socket>,
    window: usize,
    feed: &Feed,
) -> anyhow::Result<Uploaded> {
    let uploaded = RefCell::new(Uploaded::default());
    let started = Instant::now();
    let publishers = sockets.into_iter().map(|mut socket| {
        socket.wait_anew();
        let publisher = Publisher {
            socket,
            window,
            batch: Batch::default(),
            written_bytes: 0,
            sent: 0,
            waiting: VecDeque::new(),
            last_notice: None,
            is_challenged: false,
            uploaded: &uploaded,
        };
        publisher.publish(feed)
    });
    try_join_all(publishers).await?;
    let mut uploaded = uploaded.into_inner();
    uploaded.wall = started.elapsed();
    Ok(uploaded)
}

/// Opens connections.
pub(super) async fn connect(target: &Target, count: usize) -> anyhow::Result<Vec<Socket>> {
    let mut sockets = Vec::with_capacity(count);
    for _ in 0..count {
        sockets.push(Socket::connect(target).await?);
    }
    Ok(sockets)
}

struct Publisher<'u> {
    socket: Socket,
    window: usize,
    batch: Batch,
    /// Of the batch: bytes that were written, and events whose last byte was.
    written_bytes: usize,
    sent: usize,
    waiting: VecDeque<Waiting>,
    last_notice: Option<String>,
    /// The relay has asked for authentication.
    is_challenged: bool,
    uploaded: &'u RefCell<Uploaded>,
}

struct Waiting {
    id: [u8; 32],
    since: Instant,
    is_answered: bool,
}

impl Publisher<'_> {
    async fn publish(mut self, feed: &Feed) -> anyhow::Result<()> {
        let mut is_over = false;
        loop {
            if !is_over && self.sent == self.batch.events.len() {
                match feed.next().await? {
                    Some(batch) => {
                        (self.batch, self.written_bytes, self.sent) = (batch, 0, 0);
                        self.socket.wait_anew();
                    }
                    None => is_over = true,
                }
                if !is_over && self.batch.events.is_empty() {
                    continue;
                }
            }
            if is_over && self.waiting.is_empty() {
                return Ok(());
            }
            let due = self.due_end();
            let frames = &self.batch.frames[self.written_bytes..due];
            let written = self
                .socket
                .exchange(frames)
                .await
                .with_context(|| self.state())?;
            self.note_sent(written);
            self.take_answers()?;
        }
    }

    /// Up to which byte of the batch the window allows to write; a window is filled again when an eighth of it is free, as
    /// single frames would cost this program more than the relay.
    fn due_end(&self) -> usize {
        let free = self.window.saturating_sub(self.waiting.len());
        let begun = self.sent > 0 && self.written_bytes > self.batch.events[self.sent - 1].0
            || self.sent == 0 && self.written_bytes > 0;
        if !begun && free < (self.window / 8).max(1) {
            return self.written_bytes;
        }
        let last = (self.sent + free.max(1)).min(self.batch.events.len());
        match last {
            0 => 0,
            last => self.batch.events[last - 1].0.max(self.written_bytes),
        }
    }

    fn note_sent(&mut self, written: usize) {
        if written == 0 {
            return;
        }
        self.written_bytes += written;
        let since = Instant::now();
        while let Some(&(end, id)) = self.batch.events.get(self.sent) {
            if end > self.written_bytes {
                break;
            }
            self.waiting.push_back(Waiting {
                id,
                since,
                is_answered: false,
            });
            self.sent += 1;
        }
    }

    fn take_answers(&mut self) -> anyhow::Result<()> {
        let mut now = None;
        while let Some(message) = self.socket.next()? {
            let text = self.socket.text(&message);
            let (id, accepted, words) = match Answer::read(text) {
                Answer::Ok {
                    id,
                    accepted,
                    words,
                } => (id, accepted, words),
                Answer::Notice { words } => {
                    self.uploaded.borrow_mut().notices += 1;
                    self.last_notice = Some(String::from_utf8_lossy(words).into_owned());
                    continue;
                }
                _ => {
                    self.is_challenged |= answer::is_challenge(text);
                    continue;
                }
            };
            let id = answer::id(id).context("an OK without an id")?;
            let waiting = self
                .waiting
                .iter_mut()
                .find(|waiting| !waiting.is_answered && waiting.id == id);
            let waiting = waiting.with_context(|| {
                format!(
                    "an OK for {}, which was not sent or has its OK",
                    const_hex::encode(id)
                )
            })?;
            waiting.is_answered = true;
            let now = *now.get_or_insert_with(Instant::now);
            let mut uploaded = self.uploaded.borrow_mut();
            uploaded.latencies.add(now.duration_since(waiting.since));
            match accepted {
                _ if words.starts_with(b"duplicate:") => uploaded.duplicates += 1,
                true => uploaded.accepted += 1,
                false => uploaded.refuse(words),
            }
            drop(uploaded);
            while self
                .waiting
                .front()
                .is_some_and(|waiting| waiting.is_answered)
            {
                self.waiting.pop_front();
            }
        }
        Ok(())
    }

    fn state(&self) -> String {
        let uploaded = self.uploaded.borrow();
        let mut state = format!(
            "after {} OKs, while {} events of this connection wait",
            uploaded.events(),
            self.waiting.len()
        );
        if let Some(notice) = &self.last_notice {
            state += &format!("; the relay's last notice was {notice:?}");
        }
        if self.is_challenged {
            state += "; the relay has asked for AUTH, which this program does not answer";
        }
        state
    }
}
