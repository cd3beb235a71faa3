//! Directives of those who direct nothing here: remembered for alerts, and told to the log now and then.
//!
//! Invariant: however many there are, so many are remembered, and the log gets a line a minute at most.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;
use trellis_qube_protocol::{EventId, Pubkey};
use trellis_relay::clock::Clock;

/// So many are remembered.
const KEPT_MAX: usize = 100;
/// Seconds between two lines in the log.
const LOG_EVERY_S: u64 = 60;

/// A directive that was refused because of its author.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Attempt {
    /// Its place among all of this process, from 1 on.
    pub(crate) number: u64,
    /// When it came. Unix seconds.
    pub(crate) at_s: u64,
    /// Whose it is.
    pub(crate) author: Pubkey,
    /// The event that was refused.
    pub(crate) id: EventId,
    /// What its tag `network` says, as far as that can be read.
    pub(crate) network: Option<String>,
}

/// The last ones.
pub(crate) struct Attempts {
    clock: Arc<dyn Clock>,
    kept: Mutex<Kept>,
    newest: watch::Sender<u64>,
}

#[derive(Default)]
struct Kept {
    last: VecDeque<Attempt>,
    count: u64,
    logged_at_s: Option<u64>,
    unlogged: u64,
}

impl Attempts {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Attempts {
            clock,
            kept: Mutex::default(),
            newest: watch::Sender::new(0),
        }
    }

    /// Those with a number beyond `number`, oldest first, as far as they are remembered.
    pub(crate) fn after(&self, number: u64) -> Vec<Attempt> {
        let kept = self.kept();
        let newer = kept.last.iter().filter(|it| it.number > number);
        newer.cloned().collect()
    }

    /// Tells the number of the newest one.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.newest.subscribe()
    }

    /// One more, unless it is one of the last that came again; whether it is one more.
    pub(crate) fn note(&self, author: Pubkey, id: EventId, network: Option<String>) -> bool {
        let now_s = self.clock.now_s();
        let mut kept = self.kept();
        if kept.last.iter().any(|it| it.id == id) {
            return false;
        }
        kept.count += 1;
        let number = kept.count;
        if kept.last.len() == KEPT_MAX {
            kept.last.pop_front();
        }
        kept.last.push_back(Attempt {
            number,
            at_s: now_s,
            author,
            id,
            network,
        });
        kept.unlogged += 1;
        let is_due = kept
            .logged_at_s
            .is_none_or(|at_s| now_s >= at_s.saturating_add(LOG_EVERY_S));
        if is_due {
            tracing::warn!(
                attempts = kept.unlogged,
                "a directive was refused: its author directs no network here"
            );
            kept.logged_at_s = Some(now_s);
            kept.unlogged = 0;
        }
        drop(kept);
        self.newest.send_replace(number);
        true
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use trellis_relay::clock::FakeClock;

    #[test]
    fn q14_attempts_are_remembered_up_to_a_bound() {
        let attempts = Attempts::new(Arc::new(FakeClock::at_s(1_000)));
        let author = Pubkey::from_bytes([7; 32]);
        let id = |number: u16| {
            let mut bytes = [0; 32];
            bytes[..2].copy_from_slice(&number.to_be_bytes());
            EventId::from_bytes(bytes)
        };
        for number in 0..300 {
            assert!(attempts.note(author, id(number), None));
        }
        assert!(!attempts.note(author, id(299), None), "the same once more");
        let kept = attempts.after(0);
        assert_eq!(kept.len(), KEPT_MAX);
        assert_eq!((kept[0].number, kept[99].number), (201, 300));
        assert_eq!(attempts.after(299).len(), 1);
        assert_eq!(*attempts.changes().borrow(), 300);
    }
}
