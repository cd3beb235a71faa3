//! How often something may happen: a sliding window a rule and a client, bounded in memory.
//!
//! Invariant: time is what the caller's monotonic clock says, in milliseconds; a clock set back frees nobody. At most
//! `max_tracked` clients are remembered, and the one heard of least recently goes first. Not here: which event meets
//! which rule of the configuration is [`EventLimits`]' answer, what a client is told is the caller's.

mod recency;

use crate::config::{Config, Counted, EventRate, IpRange, RateLimiter};
use crate::event::PublicKey;
use recency::RecencyMap;
use std::net::IpAddr;

/// Whether something may happen now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// It may, and was counted.
    Allowed,
    /// It may not; nothing was counted.
    Limited {
        /// How long until it may, if nothing else is counted meanwhile.
        retry_after_ms: u64,
    },
}

/// Whom a rule counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Client {
    /// Whoever comes from this address; of IPv6 the first 64 bits, since one subscriber owns them all.
    Address(IpAddr),
    /// Whoever authenticated as this key.
    Key(PublicKey),
}

impl Client {
    /// The client behind an address.
    pub fn from_address(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V6(v6) => Self::Address(IpAddr::V6((u128::from(v6) >> 64 << 64).into())),
            v4 => Self::Address(v4),
        }
    }
}

/// One rule: so many in each window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How many.
    pub limit: u32,
    /// The window.
    pub period_ms: u64,
}

/// Counts of every client under every rule.
#[derive(Debug)]
pub struct RateTable {
    windows: RecencyMap<(u32, Client), Window>,
}

impl RateTable {
    /// An empty table that remembers at most so many pairs of rule and client.
    pub fn new(max_tracked: usize) -> Self {
        Self {
            windows: RecencyMap::new(max_tracked),
        }
    }

    /// Whether a client may do it once more under a rule, and if so, counts it. `rule` is the caller's number for it.
    pub fn check(&mut self, now_ms: u64, rule: u32, rate: Rate, client: Client) -> Verdict {
        let window = self
            .windows
            .get_or_insert_with((rule, client), || Window::starting_at(now_ms));
        window.check(now_ms, rate)
    }

    /// Pairs of rule and client that can be remembered.
    pub fn capacity(&self) -> usize {
        self.windows.capacity()
    }

    /// Pairs of rule and client that are remembered.
    pub fn tracked(&self) -> usize {
        self.windows.len()
    }
}

/// Two neighbouring windows. What happened in the earlier one counts by the part of it that a window ending now still
/// covers, as if it had happened evenly.
#[derive(Clone, Copy, Debug)]
struct Window {
    start_ms: u64,
    count: u32,
    previous: u32,
}

impl Window {
    fn starting_at(now_ms: u64) -> Self {
        Self {
            start_ms: now_ms,
            count: 0,
            previous: 0,
        }
    }

    fn check(&mut self, now_ms: u64, rate: Rate) -> Verdict {
        let period_ms = rate.period_ms.max(1);
        let passed = now_ms.saturating_sub(self.start_ms) / period_ms;
        if passed > 0 {
            self.previous = if passed == 1 { self.count } else { 0 };
            self.count = 0;
            self.start_ms += passed * period_ms;
        }
        let into_ms = now_ms.saturating_sub(self.start_ms);
        let covered_ms = u128::from(period_ms - into_ms);
        // Rounded up, so that a limit is never passed by a fraction.
        let earlier = (u128::from(self.previous) * covered_ms).div_ceil(u128::from(period_ms));
        let (used, limit) = (earlier + u128::from(self.count), u128::from(rate.limit));
        if used < limit {
            self.count = self.count.saturating_add(1);
            return Verdict::Allowed;
        }
        Verdict::Limited {
            retry_after_ms: self.retry_after_ms(period_ms, into_ms, rate.limit),
        }
    }

    /// Time until the counts have faded enough. Counts fade over the window that follows theirs, so it is the earlier
    /// window that fades now, and the present one only after its end.
    fn retry_after_ms(&self, period_ms: u64, into_ms: u64, limit: u32) -> u64 {
        let fade = |count: u32, room: u32| match (count, room) {
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

/// The rules of `[[rate_limiter.event]]` and their counts.
#[derive(Debug)]
pub struct EventLimits {
    rules: Vec<EventRate>,
    exempt: Vec<IpRange>,
    table: RateTable,
}

/// A rule that an event met once too often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limited<'r> {
    /// The rule's name.
    pub rule: &'r str,
    /// How long until such an event may be sent again.
    pub retry_after_ms: u64,
}

impl EventLimits {
    /// The rules that a configuration has; none if they are switched off.
    pub fn from_config(config: &Config) -> Self {
        let RateLimiter {
            enabled,
            ip_whitelist,
            max_tracked,
            event,
        } = &config.rate_limiter;
        Self {
            rules: if *enabled { event.clone() } else { Vec::new() },
            exempt: ip_whitelist.clone(),
            table: RateTable::new(usize::try_from(*max_tracked).unwrap_or(usize::MAX)),
        }
    }

    /// Takes over the rules of a new configuration. Counts go on where the rules are the same, so that reloading for
    /// another reason frees nobody.
    pub fn reconfigure(&mut self, config: &Config) {
        let new = Self::from_config(config);
        if new.rules == self.rules && new.table.capacity() == self.table.capacity() {
            self.exempt = new.exempt;
        } else {
            *self = new;
        }
    }

    /// True if there is no rule, so that nothing needs to be asked.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Whether a client may publish one more event of a kind. `session` is the key it authenticated as, if it has. The
    /// first rule that says no ends the matter; rules before it have counted the event.
    pub fn check(
        &mut self,
        now_ms: u64,
        ip: IpAddr,
        session: Option<&PublicKey>,
        kind: u16,
    ) -> Result<(), Limited<'_>> {
        if self.rules.is_empty() || self.exempt.iter().any(|range| range.contains(ip)) {
            return Ok(());
        }
        for (number, rule) in (0..).zip(&self.rules) {
            let concerns = rule.kinds.as_ref().is_none_or(|kinds| kinds.contains(kind));
            if !concerns || rule.ip_whitelist.iter().any(|range| range.contains(ip)) {
                continue;
            }
            let client = match (rule.per, session) {
                (Counted::Pubkey, Some(key)) => Client::Key(*key),
                _ => Client::from_address(ip),
            };
            let rate = Rate {
                limit: rule.limit,
                period_ms: rule.period.as_millis(),
            };
            if let Verdict::Limited { retry_after_ms } =
                self.table.check(now_ms, number, rate, client)
            {
                return Err(Limited {
                    rule: &rule.name,
                    retry_after_ms,
                });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
