//! A sliding window: what happened in it, and how long until something more may.

/// Whether something may happen now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// It may.
    Allowed,
    /// It may not.
    Limited {
        /// How long until it may, if nothing else is counted meanwhile.
        retry_after_ms: u64,
    },
}

/// So many in each window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How many.
    pub limit: u64,
    /// The window.
    pub period_ms: u64,
}

/// Two neighbouring windows. What happened in the earlier one counts by the part of it that a window ending now still
/// covers, as if it had happened evenly.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    start_ms: u64,
    count: u64,
    previous: u64,
}

impl Window {
    pub(super) fn starting_at(now_ms: u64) -> Self {
        Self {
            start_ms: now_ms,
            count: 0,
            previous: 0,
        }
    }

    /// Whether there is room for one more; counts it if there is.
    pub(super) fn check(&mut self, now_ms: u64, rate: Rate) -> Verdict {
        let verdict = self.room(now_ms, rate);
        if verdict == Verdict::Allowed {
            self.count = self.count.saturating_add(1);
        }
        verdict
    }

    /// Counts so many, room or not.
    pub(super) fn add(&mut self, now_ms: u64, rate: Rate, amount: u64) {
        self.turn(now_ms, rate);
        self.count = self.count.saturating_add(amount);
    }

    /// Whether there is room for one more; counts nothing.
    pub(super) fn room(&mut self, now_ms: u64, rate: Rate) -> Verdict {
        let period_ms = rate.period_ms.max(1);
        self.turn(now_ms, rate);
        let into_ms = now_ms.saturating_sub(self.start_ms);
        let covered_ms = u128::from(period_ms - into_ms);
        // Rounded up, so that a limit is never passed by a fraction.
        let earlier = (u128::from(self.previous) * covered_ms).div_ceil(u128::from(period_ms));
        let (used, limit) = (earlier + u128::from(self.count), u128::from(rate.limit));
        if used < limit {
            return Verdict::Allowed;
        }
        Verdict::Limited {
            retry_after_ms: self.retry_after_ms(period_ms, into_ms, rate.limit),
        }
    }

    /// Goes on to the window that it is now.
    fn turn(&mut self, now_ms: u64, rate: Rate) {
        let period_ms = rate.period_ms.max(1);
        let passed = now_ms.saturating_sub(self.start_ms) / period_ms;
        if passed > 0 {
            self.previous = if passed == 1 { self.count } else { 0 };
            self.count = 0;
            self.start_ms += passed * period_ms;
        }
    }

    /// Time until the counts have faded enough. Counts fade over the window that follows theirs, so it is the earlier
    /// window that fades now, and the present one only after its end.
    fn retry_after_ms(&self, period_ms: u64, into_ms: u64, limit: u64) -> u64 {
        let fade = |count: u64, room: u64| match (count, room) {
            (_, 0) => period_ms,
            (count, room) if count < room => 0,
            // The first instant at which at most `room - 1` of `count` are left.
            (count, room) => {
                let left_ms = u128::from(period_ms) * u128::from(room - 1) / u128::from(count);
                period_ms - u64::try_from(left_ms).unwrap_or(period_ms)
            }
        };
        if self.count < limit {
            fade(self.previous, limit - self.count)
                .saturating_sub(into_ms)
                .max(1)
        } else {
            period_ms - into_ms + fade(self.count, limit)
        }
    }
}
