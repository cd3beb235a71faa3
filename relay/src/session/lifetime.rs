//! When a connection has lived its time (`network.connection_lifetime`).
//!
//! Invariant: connections that began together do not end together, and none lives longer than is configured but to answer
//! the events that were taken from it.

use std::cell::Cell;
use std::time::Duration;

/// Part of the time over which ends are spread.
const SPREAD: u32 = 7;
/// Answers that take longer are not waited for: the platform's own cut is near.
const ANSWERING: Duration = Duration::from_secs(10);

/// Of one connection.
#[derive(Debug)]
pub(super) struct Lifetime {
    /// By the relay's monotonic clock.
    began: Duration,
    /// How much earlier than others it ends, 0 to 1.
    share: f32,
    over_since: Cell<Option<Duration>>,
}

impl Lifetime {
    pub(super) fn begin(now: Duration) -> Self {
        Lifetime {
            began: now,
            share: rand::random(),
            over_since: Cell::new(None),
        }
    }

    /// Whether nothing more is taken from the client.
    pub(super) fn is_over(&self) -> bool {
        self.over_since.get().is_some()
    }

    /// Whether the connection is to end now. Once it has lived its time it is over, and ends when nothing waits for an
    /// answer. `longest` is 0 where connections live for ever.
    pub(super) fn ends(&self, now: Duration, longest: Duration, owes_answers: bool) -> bool {
        let since = match self.over_since.get() {
            Some(since) => since,
            None if longest.is_zero() || now < self.began + self.lasts(longest) => return false,
            None => {
                self.over_since.set(Some(now));
                now
            }
        };
        !owes_answers || now >= since + ANSWERING
    }

    fn lasts(&self, longest: Duration) -> Duration {
        longest - (longest / SPREAD).mul_f32(self.share)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn minutes(minutes: u64) -> Duration {
        Duration::from_secs(60 * minutes)
    }

    fn of_share(share: f32) -> Lifetime {
        Lifetime {
            share,
            ..Lifetime::begin(minutes(5))
        }
    }

    #[test]
    fn d3_connections_end_spread_over_the_last_seventh_of_their_time() {
        let lasts = |share| of_share(share).lasts(minutes(70));
        assert_eq!(lasts(0.0), minutes(70));
        assert_eq!(lasts(0.5), minutes(65));
        assert_eq!(lasts(1.0), minutes(60));
        let shares: Vec<f32> = (0..100)
            .map(|_| Lifetime::begin(minutes(0)).share)
            .collect();
        assert!(shares.iter().all(|share| (0.0..=1.0).contains(share)));
        assert!(shares.iter().any(|share| *share < 0.5) && shares.iter().any(|share| *share > 0.5));
    }

    #[test]
    fn d3_a_connection_ends_when_its_time_is_over_and_its_events_are_answered() {
        let lifetime = of_share(0.0);
        let over = minutes(75);
        assert!(!lifetime.ends(over - minutes(1), minutes(70), false));
        assert!(!lifetime.is_over());
        assert!(!lifetime.ends(over, minutes(70), true));
        assert!(lifetime.is_over(), "nothing more is taken");
        assert!(lifetime.ends(over, minutes(70), false));
        assert!(lifetime.ends(over + ANSWERING, minutes(70), true));
    }

    #[test]
    fn d3_without_a_lifetime_connections_live_for_ever() {
        assert!(!of_share(1.0).ends(minutes(1_000_000), Duration::ZERO, false));
    }
}
