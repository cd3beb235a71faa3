//! How fast events are sent: fewer at a time where the peer finds it too fast, and those that it did not take again.
//!
//! Invariant: every event is tried a bounded number of times, and every pause is bounded.

use crate::event::{Event, EventId};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Events that are under way at a time.
const MOST_EVENTS: usize = 64;
const MOST_BYTES: usize = 1 << 20;
/// How often an event is sent again after `rate-limited:`.
const MOST_TRIES: u32 = 5;
const MOST_PAUSE_S: u64 = 60;

/// Events of which the peer has not said what became of them.
pub(super) struct Sent {
    events: HashMap<EventId, Try>,
    bytes: usize,
    /// What is to be sent again, and from when on.
    later: VecDeque<Try>,
    resume_at: Option<Instant>,
    /// How many at a time: one after a limit was met, and up again one by one.
    most_events: usize,
}

/// An event, and how often it was sent in vain.
#[derive(Clone)]
pub(super) struct Try {
    /// The event.
    pub(super) event: Arc<Event>,
    failed: u32,
}

impl Try {
    /// An event that was not sent yet.
    pub(super) fn first(event: Arc<Event>) -> Self {
        Try { event, failed: 0 }
    }
}

impl Sent {
    /// Nothing was sent.
    pub(super) fn new() -> Self {
        Sent {
            events: HashMap::new(),
            bytes: 0,
            later: VecDeque::new(),
            resume_at: None,
            most_events: MOST_EVENTS,
        }
    }

    /// Whether another may be sent.
    pub(super) fn has_room(&self) -> bool {
        self.later.is_empty() && self.events.len() < self.most_events && self.bytes < MOST_BYTES
    }

    /// Whether all is answered.
    pub(super) fn is_empty(&self) -> bool {
        self.events.is_empty() && self.later.is_empty()
    }

    /// One is under way.
    pub(super) fn add(&mut self, sent: Try) {
        self.bytes += sent.event.json().len();
        self.events.insert(*sent.event.id(), sent);
    }

    /// One is answered.
    pub(super) fn remove(&mut self, id: &EventId) -> Option<Try> {
        let sent = self.events.remove(id)?;
        self.bytes -= sent.event.json().len();
        Some(sent)
    }

    /// One was taken.
    pub(super) fn speed_up(&mut self) {
        self.most_events = MOST_EVENTS.min(self.most_events + 1);
    }

    /// One is to be sent again after a while; says whether that was not often enough already.
    pub(super) fn slow_down(&mut self, mut sent: Try, words: &str) -> bool {
        self.most_events = 1;
        sent.failed += 1;
        if sent.failed > MOST_TRIES {
            return false;
        }
        let pause_s = named_seconds(words).unwrap_or(1 << (sent.failed - 1));
        let pause = Duration::from_secs(pause_s.min(MOST_PAUSE_S));
        self.resume_at = self.resume_at.max(Some(Instant::now() + pause));
        self.later.push_back(sent);
        true
    }

    /// What is to be sent again, and when, once nothing else is under way.
    pub(super) fn again(&mut self) -> Option<(Instant, Try)> {
        if !self.events.is_empty() {
            return None;
        }
        let at = self.resume_at.unwrap_or_else(Instant::now);
        Some((at, self.later.pop_front()?))
    }

    /// All that is not answered, which is forgotten here.
    pub(super) fn take(&mut self) -> VecDeque<Try> {
        self.bytes = 0;
        let under_way = self.events.drain().map(|(_, sent)| sent);
        under_way.chain(self.later.drain(..)).collect()
    }
}

/// The last number of seconds that is named: "try again in 5 s", "wait 5 seconds", "5s".
fn named_seconds(words: &str) -> Option<u64> {
    let words: Vec<&str> = words.split_whitespace().collect();
    let named = |at: usize| {
        let word = *words.get(at)?;
        let after = word.find(|c: char| !c.is_ascii_digit());
        let (digits, unit) = word.split_at(after.unwrap_or(word.len()));
        let unit = match unit {
            "" => *words.get(at + 1)?,
            unit => unit,
        };
        let unit = unit.trim_end_matches(|c: char| !c.is_ascii_alphabetic());
        let is_seconds = ["s", "sec", "secs", "second", "seconds"].contains(&unit);
        digits.parse().ok().filter(|_| is_seconds)
    };
    (0..words.len()).rev().find_map(named)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c21_the_time_that_a_peer_names_is_read() {
        for (words, seconds) in [
            (
                "rate-limited: too many events (10 a minute); try again in 12 s",
                Some(12),
            ),
            ("rate-limited: wait 5 seconds.", Some(5)),
            ("rate-limited: 7s", Some(7)),
            ("rate-limited: 3 per hour", None),
            ("rate-limited: ä7s 99999999999999999999 s", None),
            ("", None),
        ] {
            assert_eq!(named_seconds(words), seconds, "{words}");
        }
    }
}
