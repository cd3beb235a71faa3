//! Skips a hook that fails again and again, for a while that doubles until it answers.
//!
//! Invariant: a hook without recent faults costs one relaxed load.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// When a hook is skipped, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BreakerSettings {
    /// So many faults in a row open the breaker.
    pub trip_after: u32,
    /// How long it stays open the first time.
    pub open_for: Duration,
    /// It doubles up to this while every trial fails.
    pub open_for_max: Duration,
}

impl Default for BreakerSettings {
    fn default() -> Self {
        BreakerSettings {
            trip_after: 5,
            open_for: Duration::from_secs(2),
            open_for_max: Duration::from_secs(120),
        }
    }
}

/// Times are of the monotonic clock, in milliseconds.
pub(super) struct Breaker {
    settings: BreakerSettings,
    /// Faults since the last good answer. While it is 0 nothing else is looked at.
    in_a_row: AtomicU32,
    open_until_ms: AtomicU64,
    /// Times it opened since the last good answer.
    trips: AtomicU32,
}

impl Breaker {
    pub(super) fn new(settings: BreakerSettings) -> Self {
        Breaker {
            settings,
            in_a_row: AtomicU32::new(0),
            open_until_ms: AtomicU64::new(0),
            trips: AtomicU32::new(0),
        }
    }

    #[inline]
    pub(super) fn is_troubled(&self) -> bool {
        self.in_a_row.load(Relaxed) != 0
    }

    pub(super) fn is_open(&self, now: Duration) -> bool {
        self.is_troubled() && (now.as_millis() as u64) < self.open_until_ms.load(Relaxed)
    }

    /// A good answer after faults. One that was under way when the breaker opened does not close it: it may be the very
    /// call that overran.
    pub(super) fn good(&self, now: Duration) {
        if !self.is_open(now) {
            self.trips.store(0, Relaxed);
            self.in_a_row.store(0, Relaxed);
        }
    }

    /// One more fault; for how long the hook is skipped, if that opened the breaker. Once open, a single fault after
    /// the wait opens it again.
    pub(super) fn bad(&self, now: Duration) -> Option<Duration> {
        let in_a_row = self.in_a_row.fetch_add(1, Relaxed).saturating_add(1);
        // Calls that were under way when it opened do not prolong it.
        (in_a_row >= self.settings.trip_after && !self.is_open(now)).then(|| self.open(now))
    }

    /// A fault that opens the breaker at once.
    pub(super) fn trip(&self, now: Duration) -> Option<Duration> {
        self.in_a_row.fetch_max(self.settings.trip_after, Relaxed);
        (!self.is_open(now)).then(|| self.open(now))
    }

    fn open(&self, now: Duration) -> Duration {
        let doublings = self.trips.fetch_add(1, Relaxed).min(16);
        let wait = (self.settings.open_for * (1 << doublings)).min(self.settings.open_for_max);
        self.open_until_ms
            .store((now + wait).as_millis() as u64, Relaxed);
        wait
    }
}
