//! Where time comes from, so that tests can set it.

use std::fmt::Debug;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Tells the time. Timers of the async runtime do not ask it.
pub trait Clock: Send + Sync + Debug + 'static {
    /// Milliseconds since 1970.
    fn now_ms(&self) -> u64;

    /// Time that only moves forward, since some moment of this process.
    fn monotonic(&self) -> Duration;

    /// Seconds since 1970.
    fn now_s(&self) -> u64 {
        self.now_ms() / 1000
    }
}

/// The computer's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

impl Clock for SystemClock {
    fn now_ms(&self) -> u64 {
        // A clock before 1970 is as good as none.
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
        since_epoch.unwrap_or_default().as_millis() as u64
    }

    fn monotonic(&self) -> Duration {
        START.elapsed()
    }
}

/// A clock that stands still until it is told to go on.
///
/// ```
/// use std::time::Duration;
/// use trellis_relay::clock::{Clock, FakeClock};
/// let clock = FakeClock::at_s(1_700_000_000);
/// clock.advance(Duration::from_secs(5));
/// assert_eq!(clock.now_s(), 1_700_000_005);
/// assert_eq!(clock.monotonic(), Duration::from_secs(5));
/// ```
#[derive(Debug, Default)]
pub struct FakeClock {
    now_ms: AtomicU64,
    monotonic_ms: AtomicU64,
}

impl FakeClock {
    /// Stands at these seconds since 1970.
    pub fn at_s(seconds: u64) -> Self {
        FakeClock {
            now_ms: AtomicU64::new(seconds * 1000),
            monotonic_ms: AtomicU64::new(0),
        }
    }

    /// Sets the seconds since 1970, forwards or backwards; the monotonic time stays.
    pub fn set_s(&self, seconds: u64) {
        self.now_ms.store(seconds * 1000, Relaxed);
    }

    /// Moves on, to the millisecond.
    pub fn advance(&self, by: Duration) {
        let by_ms = by.as_millis() as u64;
        self.now_ms.fetch_add(by_ms, Relaxed);
        self.monotonic_ms.fetch_add(by_ms, Relaxed);
    }
}

impl Clock for FakeClock {
    fn now_ms(&self) -> u64 {
        self.now_ms.load(Relaxed)
    }

    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.monotonic_ms.load(Relaxed))
    }
}
