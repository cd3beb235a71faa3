//! A rate limiter that clients cannot make grow.

use super::http::ApiError;
use crate::clock::Clock;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// So many keys are counted one by one in a window; those that come later share one count.
const KEYS_MAX: usize = 50_000;

/// At most so many in any window, for each key: a sliding window, reckoned from the counts of this and the last fixed one.
///
/// ```
/// # use std::{sync::Arc, time::Duration};
/// use trellis_relay::extension::RateLimiter;
/// # use trellis_relay::clock::FakeClock;
/// # let clock = Arc::new(FakeClock::at_s(0));
/// let limiter = RateLimiter::new(1, Duration::from_secs(60), clock);
/// assert!(limiter.try_take("192.0.2.1").is_ok());
/// assert!(limiter.try_take("192.0.2.1").is_err());
/// ```
#[derive(Debug)]
pub struct RateLimiter {
    max: u32,
    window_ms: u64,
    clock: Arc<dyn Clock>,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    /// The number of the window that `current` counts.
    window: u64,
    current: HashMap<String, Taken>,
    last: HashMap<String, Taken>,
}

/// By one key.
#[derive(Clone, Copy, Debug, Default)]
struct Taken {
    now: u32,
    /// In the window before.
    before: u32,
}

impl RateLimiter {
    /// At most `max` in any `window`.
    pub fn new(max: u32, window: Duration, clock: Arc<dyn Clock>) -> Self {
        RateLimiter {
            max,
            window_ms: (window.as_millis() as u64).max(1),
            clock,
            counts: Mutex::default(),
        }
    }

    /// The same for a route: what is too much is answered with 429 and `Retry-After`.
    ///
    /// ```
    /// use trellis_relay::extension::RateLimiter;
    /// use trellis_relay::extension::prelude::*;
    /// async fn invite(limiter: &RateLimiter, signer: Nip98) -> Result<&'static str, ApiError> {
    ///     limiter.check_http(&signer.pubkey.to_hex())?;
    ///     Ok("invited")
    /// }
    /// ```
    pub fn check_http(&self, key: &str) -> Result<(), ApiError> {
        self.try_take(key).map_err(ApiError::too_many)
    }

    /// Counts one for the key. An `Err` says how long until the window has passed, and nothing is counted.
    pub fn try_take(&self, key: &str) -> Result<(), Duration> {
        let now_ms = self.clock.monotonic().as_millis() as u64;
        let (window, into_ms) = (now_ms / self.window_ms, now_ms % self.window_ms);
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let counts = &mut *counts;
        counts.turn_to(window);

        let left_ms = self.window_ms - into_ms;
        let has_room = |taken: &Taken| {
            // The share of the last window that a sliding one would still cover, rounded up.
            let before = (u64::from(taken.before) * left_ms).div_ceil(self.window_ms);
            before + u64::from(taken.now) < u64::from(self.max)
        };
        let took = match counts.current.get_mut(key) {
            Some(taken) => take(taken, has_room),
            None => counts.take_first(key, has_room),
        };
        match took {
            true => Ok(()),
            false => Err(Duration::from_millis(left_ms)),
        }
    }
}

/// Counts one more where there is room.
fn take(taken: &mut Taken, has_room: impl Fn(&Taken) -> bool) -> bool {
    let has_room = has_room(taken);
    taken.now += u32::from(has_room);
    has_room
}

impl Counts {
    /// Counts one for a key of which this window knows nothing.
    fn take_first(&mut self, key: &str, has_room: impl Fn(&Taken) -> bool) -> bool {
        let key = match self.current.len() >= KEYS_MAX {
            true => "",
            false => key,
        };
        if let Some(taken) = self.current.get_mut(key) {
            return take(taken, has_room);
        }
        let before = self.last.get(key).map_or(0, |taken| taken.now);
        let mut taken = Taken { now: 0, before };
        // Whoever gets nothing takes no place.
        let took = take(&mut taken, has_room);
        if took {
            self.current.insert(key.to_owned(), taken);
        }
        took
    }

    fn turn_to(&mut self, window: u64) {
        if window == self.window {
            return;
        }
        let ended = std::mem::take(&mut self.current);
        self.last = match window == self.window + 1 {
            true => ended,
            false => HashMap::new(),
        };
        self.window = window;
    }
}
