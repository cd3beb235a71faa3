//! `[rate_limiter]` and the rules below it: how often clients may publish, ask and connect, and how much they may send.
//!
//! Not here: counting, which is [`crate::rate_limit`]'s job.

use super::{ByteSize, IpRange, Kinds, TimeSpan};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How often clients may publish, ask and connect, and how much they may send.
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
    pub event: Vec<MessageRate>,
    /// Rules for REQ; one must pass every rule that has a kind it asks for, or no kinds. Default none.
    pub req: Vec<MessageRate>,
    /// Rules for COUNT, like those for REQ. Default none.
    pub count: Vec<MessageRate>,
    /// Rules for NEG-OPEN, like those for REQ. Default none.
    pub neg: Vec<MessageRate>,
    /// Rules for the bytes of all messages; a connection that has used them up is not read for a while. Default none.
    pub bytes: Vec<ByteRate>,
    /// Rules for new WebSocket connections; one too many is answered 429. Default none.
    pub connection: Vec<ConnectionRate>,
}

// The defaults let one key be read without the others; that the three without a sensible default are there is checked
// against the schema.
/// One rule: at most `limit` messages about these kinds in each `period`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(extend("required" = ["name", "period", "limit"]))]
pub struct MessageRate {
    /// The rule's name in logs and metrics; no two rules share one.
    pub name: String,
    /// What the rule is for. Default empty.
    pub description: String,
    /// The window. A time.
    pub period: TimeSpan,
    /// Events or requests in a window. Messages.
    #[schemars(range(min = 1))]
    pub limit: u32,
    /// Kinds and ranges the rule is about; a request without kinds asks for all. Default none: every kind.
    pub kinds: Option<Kinds>,
    /// Whether messages are counted by client address or by authenticated key. Default "ip".
    pub per: Counted,
    /// Clients from these addresses are not under this rule; CIDR. Default [].
    pub ip_whitelist: Vec<IpRange>,
}

/// One rule: at most `limit` bytes in each `period`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(extend("required" = ["name", "period", "limit"]))]
pub struct ByteRate {
    /// The rule's name in logs and metrics; no two rules share one.
    pub name: String,
    /// What the rule is for. Default empty.
    pub description: String,
    /// The window. A time.
    pub period: TimeSpan,
    /// What all messages of a window may have together. Bytes.
    pub limit: ByteSize,
    /// Whether bytes are counted by client address or by authenticated key. Default "ip".
    pub per: Counted,
    /// Clients from these addresses are not under this rule; CIDR. Default [].
    pub ip_whitelist: Vec<IpRange>,
}

/// One rule: at most `limit` new connections of one address in each `period`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(extend("required" = ["name", "period", "limit"]))]
pub struct ConnectionRate {
    /// The rule's name in logs and metrics; no two rules share one.
    pub name: String,
    /// What the rule is for. Default empty.
    pub description: String,
    /// The window. A time.
    pub period: TimeSpan,
    /// New connections in a window. Connections.
    #[schemars(range(min = 1))]
    pub limit: u32,
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
            req: Vec::new(),
            count: Vec::new(),
            neg: Vec::new(),
            bytes: Vec::new(),
            connection: Vec::new(),
        }
    }
}
