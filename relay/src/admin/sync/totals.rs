//! What became of the events of a sync, in figures.
//!
//! Invariant: what a peer says in it is bounded and fit for a terminal.

use super::{Direction, plain};
use crate::event::EventId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// What became of the events so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncTotals {
    /// Events of ours that were compared.
    pub compared: u64,
    /// Events that only we have.
    pub have: u64,
    /// Events that only the peer has.
    pub need: u64,
    /// Events stored here.
    pub stored: u64,
    /// Events that the peer named, and that were here already or are known to be replaced or deleted.
    pub known: u64,
    /// Events that the peer named and did not send.
    pub missing: u64,
    /// Events that the peer sent and that were not stored, by reason.
    pub refused: Reasons,
    /// Events that the peer took.
    pub uploaded: u64,
    /// Events that the peer did not take, by its reason.
    pub not_taken: Reasons,
    /// Events that are not sent to anybody: see [`super`].
    pub kept_back: u64,
    /// Events that were replaced, deleted or expired here after they were compared.
    pub gone: u64,
    /// Events that were not sent, since the peer says that it takes no such long messages, or has shown it.
    pub too_long: Named,
    /// Events at which the peer has ended the connection, twice each.
    pub cut_at: Named,
    /// Seconds with more events than one side takes at once: they were not compared.
    pub left_out: LeftOut,
    /// Bytes of messages sent.
    pub sent_bytes: u64,
    /// Bytes of messages received.
    pub received_bytes: u64,
}

impl SyncTotals {
    /// How many events have been dealt with, of how many that are to be, so far as that is known.
    pub fn headway(&self, direction: Direction) -> (u64, u64) {
        let down = self.stored + self.known + self.missing + self.refused.total();
        let up = self.uploaded
            + self.not_taken.total()
            + self.kept_back
            + self.gone
            + self.too_long.events
            + self.cut_at.events;
        match direction {
            Direction::Down => (down, self.need),
            Direction::Up => (up, self.have),
            Direction::Both => (down + up, self.need + self.have),
        }
    }
}

/// Seconds that were left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// How many.
    pub seconds: u64,
    /// The first few: seconds since 1970, and whose limit it was.
    pub some: Vec<(u64, String)>,
}

impl LeftOut {
    const MOST_NAMED: usize = 20;

    pub(super) fn add(&mut self, second: u64, why: String) {
        self.seconds += 1;
        if self.some.len() < Self::MOST_NAMED {
            self.some.push((second, why));
        }
    }
}

/// How often each reason was given; rare ones are counted together where there are many.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reasons(pub BTreeMap<String, u64>);

impl Reasons {
    /// The peer may think of a new reason for each event.
    const MOST: usize = 20;
    const MOST_CHARS: usize = 200;

    pub(super) fn add(&mut self, reason: &str) {
        let mut reason = plain(reason, Self::MOST_CHARS);
        if self.0.len() >= Self::MOST && !self.0.contains_key(&reason) {
            reason = "other reasons".to_owned();
        }
        *self.0.entry(reason).or_default() += 1;
    }

    /// All of them together.
    pub fn total(&self) -> u64 {
        self.0.values().sum()
    }
}

/// Events that are told by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    /// How many.
    pub events: u64,
    /// The ids of the first few, in hex.
    pub some: Vec<String>,
}

impl Named {
    const MOST_NAMED: usize = 20;

    pub(super) fn add(&mut self, id: &EventId) {
        self.events += 1;
        if self.some.len() < Self::MOST_NAMED {
            self.some.push(id.to_hex());
        }
    }
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.some.join(", "))?;
        match self.events - self.some.len() as u64 {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c21_reasons_are_bounded_and_fit_a_terminal() {
        let mut reasons = Reasons::default();
        for i in 0..100 {
            reasons.add(&format!("reason {i}\x1b[2J\n{}", "x".repeat(1_000)));
        }
        assert_eq!(reasons.total(), 100);
        assert_eq!(reasons.0.len(), Reasons::MOST + 1);
        for reason in reasons.0.keys() {
            assert!(reason.chars().count() <= Reasons::MOST_CHARS);
            assert!(!reason.contains(char::is_control), "{reason:?}");
        }
    }
}
