//! `[rate_limiter]` and `[[rate_limiter.event]]`: how often clients may publish.
//!
//! Not here: counting, which is [`crate::rate_limit`]'s job.

use super::{IpRange, Kinds, TimeSpan};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How often clients may publish.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RateLimiter {
    /// Whether the rules are applied. Default true.
    pub enabled: bool,
    /// Clients from these addresses are under no rule; CIDR. Default [].
    pub ip_whitelist: Vec<IpRange>,
    /// Addresses and keys remembered in all; when there are more, the one not heard of for longest is forgotten. Default
    /// 65536.
    #[schemars(range(min = 1))]
    pub max_tracked: u32,
    /// Rules for publishing; an event must pass every rule that has its kind. Default none.
    pub event: Vec<EventRate>,
}

// The defaults let one key be read without the others; that the three without a sensible default are there is checked
// against the schema.
/// One rule: at most `limit` events of these kinds in each `period`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(extend("required" = ["name", "period", "limit"]))]
pub struct EventRate {
    /// The rule's name in logs and metrics; no two rules share one.
    pub name: String,
    /// What the rule is for. Default empty.
    pub description: String,
    /// The window. A time.
    pub period: TimeSpan,
    /// Events in a window. Events.
    #[schemars(range(min = 1))]
    pub limit: u32,
    /// Kinds and ranges the rule is about. Default none: every kind.
    pub kinds: Option<Kinds>,
    /// Whether events are counted by client address or by authenticated key. Default "ip".
    pub per: Counted,
    /// Clients from these addresses are not under this rule; CIDR. Default [].
    pub ip_whitelist: Vec<IpRange>,
}

/// By what a rule counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Counted {
    /// By the client's address.
    #[default]
    Ip,
    /// By the key the client authenticated as; by address while it has not.
    Pubkey,
}

impl Default for RateLimiter {
    fn default() -> Self {
        Self {
            enabled: true,
            ip_whitelist: Vec::new(),
            max_tracked: 65_536,
            event: Vec::new(),
        }
    }
}
