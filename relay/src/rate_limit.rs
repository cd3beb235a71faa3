//! How often something may happen: a sliding window a rule and a client, bounded in memory.
//!
//! Invariant: time is what the caller's monotonic clock says, in milliseconds; a clock set back frees nobody. At most
//! `max_tracked` clients are remembered, and the one heard of least recently goes first. Not here: what a client is told,
//! which is the caller's.

mod recency;
mod window;

pub use window::{Rate, Verdict};

use crate::config::{Config, Counted, IpRange, Kinds, MessageRate, RateLimiter};
use crate::event::PublicKey;
use recency::RecencyMap;
use std::net::IpAddr;
use window::Window;

/// What a rule counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// EVENT.
    Event,
    /// REQ.
    Req,
    /// COUNT.
    Count,
    /// NEG-OPEN.
    Neg,
    /// The bytes of every message.
    Bytes,
    /// A new WebSocket connection.
    Connection,
}

impl Action {
    /// What there is too much of, for people.
    pub const fn plural(self) -> &'static str {
        match self {
            Action::Event => "events",
            Action::Req => "requests",
            Action::Count => "counts",
            Action::Neg => "reconciliations",
            Action::Bytes => "bytes",
            Action::Connection => "connections",
        }
    }

    /// Whether a configuration has any rule for it; where it has none, nothing needs to be locked or asked.
    pub fn has_rules(self, config: &RateLimiter) -> bool {
        config.enabled
            && match self {
                Action::Event => !config.event.is_empty(),
                Action::Req => !config.req.is_empty(),
                Action::Count => !config.count.is_empty(),
                Action::Neg => !config.neg.is_empty(),
                Action::Bytes => !config.bytes.is_empty(),
                Action::Connection => !config.connection.is_empty(),
            }
    }
}

/// Who does something.
#[derive(Clone, Copy, Debug)]
pub struct Actor<'k> {
    /// From where.
    pub ip: IpAddr,
    /// As whom; what is counted by key counts for each of them, so that one more key frees nobody.
    pub keys: &'k [PublicKey],
}

/// A rule that somebody met once too often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limited<'r> {
    /// The rule's name.
    pub rule: &'r str,
    /// How long until it may be tried again.
    pub retry_after_ms: u64,
}

/// The rules of `[rate_limiter]` and their counts.
#[derive(Debug)]
pub struct Limits {
    rules: Vec<Rule>,
    exempt: Vec<IpRange>,
    table: RateTable,
    /// Numbers from here on were never given to a rule.
    next_number: u32,
}

/// One rule. Its number names its counts.
#[derive(Clone, Debug)]
struct Rule {
    number: u32,
    terms: Terms,
}

/// What makes two rules the same.
#[derive(Clone, Debug, PartialEq)]
struct Terms {
    action: Action,
    name: String,
    rate: Rate,
    kinds: Option<Kinds>,
    per: Counted,
    exempt: Vec<IpRange>,
}

impl Limits {
    /// The rules that a configuration has; none if they are switched off.
    pub fn from_config(config: &Config) -> Self {
        let limiter = &config.rate_limiter;
        let mut limits = Self {
            rules: Vec::new(),
            exempt: Vec::new(),
            table: RateTable::new(usize::try_from(limiter.max_tracked).unwrap_or(usize::MAX)),
            next_number: 0,
        };
        limits.reconfigure(config);
        limits
    }

    /// Takes over the rules of a new configuration. Counts go on for every rule that stays the same, so that reloading for
    /// another reason frees nobody; another `max_tracked` begins anew.
    pub fn reconfigure(&mut self, config: &Config) {
        let limiter = &config.rate_limiter;
        let capacity = usize::try_from(limiter.max_tracked).unwrap_or(usize::MAX);
        if self.table.capacity() != capacity.max(1) {
            self.table = RateTable::new(capacity);
        }
        let old = std::mem::take(&mut self.rules);
        for terms in terms(limiter) {
            let known = old.iter().find(|rule| rule.terms == terms);
            let number = known.map_or(self.next_number, |rule| rule.number);
            self.next_number = self.next_number.max(number + 1);
            self.rules.push(Rule { number, terms });
        }
        self.exempt.clone_from(&limiter.ip_whitelist);
    }

    /// True if there is no rule, so that nothing needs to be asked.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Whether somebody may do something once more; `kinds` are those it is about, `None` where it is about all. The
    /// first rule that says no ends the matter; rules before it have counted.
    pub fn check(
        &mut self,
        now_ms: u64,
        action: Action,
        actor: Actor<'_>,
        kinds: Option<&[u16]>,
    ) -> Result<(), Limited<'_>> {
        self.ask(action, actor, kinds, |table, rule, client| {
            table.check(now_ms, rule.number, rule.terms.rate, client)
        })
    }

    /// Counts bytes that have come. Whether more may is [`Limits::room`]'s answer.
    pub fn add_bytes(&mut self, now_ms: u64, actor: Actor<'_>, bytes: u64) {
        let added = self.ask(Action::Bytes, actor, None, |table, rule, client| {
            table.add(now_ms, rule.number, rule.terms.rate, client, bytes);
            Verdict::Allowed
        });
        debug_assert!(added.is_ok(), "every rule counts");
    }

    /// Whether further bytes may come; counts nothing.
    pub fn room(&mut self, now_ms: u64, actor: Actor<'_>) -> Result<(), Limited<'_>> {
        self.ask(Action::Bytes, actor, None, |table, rule, client| {
            table.room(now_ms, rule.number, rule.terms.rate, client)
        })
    }

    fn ask(
        &mut self,
        action: Action,
        actor: Actor<'_>,
        kinds: Option<&[u16]>,
        mut ask: impl FnMut(&mut RateTable, &Rule, Client) -> Verdict,
    ) -> Result<(), Limited<'_>> {
        let holds = |ranges: &[IpRange]| ranges.iter().any(|range| range.contains(actor.ip));
        if self.rules.is_empty() || holds(&self.exempt) {
            return Ok(());
        }
        for rule in &self.rules {
            let terms = &rule.terms;
            let concerned = terms.kinds.as_ref().is_none_or(|own| own.overlaps(kinds));
            if terms.action != action || !concerned || holds(&terms.exempt) {
                continue;
            }
            let keys = match terms.per {
                Counted::Pubkey => actor.keys,
                Counted::Ip => &[],
            };
            let address = keys.is_empty().then(|| Client::from_address(actor.ip));
            let clients = keys.iter().map(|key| Client::Key(*key)).chain(address);
            for client in clients {
                if let Verdict::Limited { retry_after_ms } = ask(&mut self.table, rule, client) {
                    return Err(Limited {
                        rule: &terms.name,
                        retry_after_ms,
                    });
                }
            }
        }
        Ok(())
    }
}

/// Whatever the kind of rule, in one form.
fn terms(limiter: &RateLimiter) -> Vec<Terms> {
    if !limiter.enabled {
        return Vec::new();
    }
    let messages = |action: Action, rules: &[MessageRate]| -> Vec<Terms> {
        let terms = rules.iter().map(|rule| Terms {
            action,
            name: rule.name.clone(),
            rate: Rate {
                limit: rule.limit.into(),
                period_ms: rule.period.as_millis(),
            },
            kinds: rule.kinds.clone(),
            per: rule.per,
            exempt: rule.ip_whitelist.clone(),
        });
        terms.collect()
    };
    let bytes = limiter.bytes.iter().map(|rule| Terms {
        action: Action::Bytes,
        name: rule.name.clone(),
        rate: Rate {
            limit: rule.limit.bytes(),
            period_ms: rule.period.as_millis(),
        },
        kinds: None,
        per: rule.per,
        exempt: rule.ip_whitelist.clone(),
    });
    let connections = limiter.connection.iter().map(|rule| Terms {
        action: Action::Connection,
        name: rule.name.clone(),
        rate: Rate {
            limit: rule.limit.into(),
            period_ms: rule.period.as_millis(),
        },
        kinds: None,
        per: Counted::Ip,
        exempt: rule.ip_whitelist.clone(),
    });
    let mut all = messages(Action::Event, &limiter.event);
    all.extend(messages(Action::Req, &limiter.req));
    all.extend(messages(Action::Count, &limiter.count));
    all.extend(messages(Action::Neg, &limiter.neg));
    all.extend(bytes);
    all.extend(connections);
    all
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
        self.window(now_ms, rule, client).check(now_ms, rate)
    }

    /// Counts so many, room or not.
    pub fn add(&mut self, now_ms: u64, rule: u32, rate: Rate, client: Client, amount: u64) {
        self.window(now_ms, rule, client).add(now_ms, rate, amount);
    }

    /// Whether a client may do it once more under a rule; counts nothing.
    pub fn room(&mut self, now_ms: u64, rule: u32, rate: Rate, client: Client) -> Verdict {
        self.window(now_ms, rule, client).room(now_ms, rate)
    }

    /// Pairs of rule and client that can be remembered.
    pub fn capacity(&self) -> usize {
        self.windows.capacity()
    }

    /// Pairs of rule and client that are remembered.
    pub fn tracked(&self) -> usize {
        self.windows.len()
    }

    fn window(&mut self, now_ms: u64, rule: u32, client: Client) -> &mut Window {
        self.windows
            .get_or_insert_with((rule, client), || Window::starting_at(now_ms))
    }
}

#[cfg(test)]
mod tests;
