//! The relay's configuration: one typed section a TOML table, read from a file and the environment.
//!
//! Invariant: a [`Config`] that was loaded has passed every check, and every key of it is documented, with its default,
//! in `config/trellis.toml`. Tables below `[extensions]` stay raw: the extension host reads them with the extension's
//! own type.

mod alias;
mod auth;
mod backup;
mod byte_size;
mod check;
mod data;
mod durability;
mod environment;
mod explain;
mod information;
mod ip_range;
mod limitation;
mod load;
mod log;
pub(crate) mod mask;
mod merge;
mod nearest;
mod negentropy;
mod network;
mod operation;
mod origin;
mod outbound;
mod own_events;
mod placeholder;
mod policy;
mod pow;
mod problem;
mod protection;
mod pubkey;
mod rate_limiter;
mod retention;
mod schema;
mod secret;
mod security_contact;
mod source_file;
mod switches;
mod thread;
mod time_span;
mod timestamp;
mod validate;
mod variable_text;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

pub use self::negentropy::Negentropy;
pub use crate::kinds::Kinds;
pub use auth::{Auth, EventAccess, ReqAccess};
pub use backup::{Backup, Place};
pub use byte_size::ByteSize;
pub use data::Data;
pub use durability::Ephemeral;
pub use environment::{Environment, is_setting, process_environment};
pub use explain::{Effective, Explanation, Outgoing};
pub use information::Information;
pub use ip_range::IpRange;
pub use limitation::Limitation;
pub use load::{Loaded, load, load_text};
pub use log::{Log, LogFormat};
pub(crate) use nearest::nearest;
pub use network::Network;
pub use operation::{Mode, NOTICE_AHEAD_S, Operation, Phase};
pub use origin::Origin;
pub use outbound::Outbound;
pub use own_events::OwnEvents;
pub use policy::{ACCEPTABLE_USE, DATA_PRACTICES, Policy, PolicySection};
pub use pow::Pow;
pub use problem::{ConfigError, Problem};
pub use protection::Protection;
pub use pubkey::Pubkey;
pub use rate_limiter::{ByteRate, ConnectionRate, Counted, MessageRate, RateLimiter};
pub use retention::{KeptPer, RetentionRule};
pub use schema::schema;
pub use secret::Secret;
pub use security_contact::SecurityContact;
pub use switches::{Count, Metrics, Search};
pub use thread::{Server, Thread};
pub use time_span::TimeSpan;
pub use timestamp::Timestamp;

/// Everything an operator can set.
///
/// `Debug` masks secrets; serializing shows those in extensions' tables, so show people [`Loaded::explain`] instead.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(title = "Trellis configuration")]
pub struct Config {
    /// What the relay says of itself in its NIP-11 document.
    pub information: Information,
    /// Where and how events are stored.
    pub data: Data,
    /// What is removed when it is old or when there is much of it; stated in the NIP-11 document. Default none: everything
    /// is kept.
    pub retention: Vec<RetentionRule>,
    /// Copies of everything stored, made while the relay runs, and what an empty database is restored from.
    pub backup: Backup,
    /// Listening, connections, timeouts and proxies.
    pub network: Network,
    /// What a client may send; stated in the NIP-11 document.
    pub limitation: Limitation,
    /// Metrics for Prometheus at `/metrics`.
    pub metrics: Metrics,
    /// Who may read and write.
    pub auth: Auth,
    /// How often clients may publish, ask and connect, and how much they may send.
    pub rate_limiter: RateLimiter,
    /// NIP-45: counting events.
    pub count: Count,
    /// NIP-77: reconciling sets of events.
    pub negentropy: Negentropy,
    /// NIP-50: searching events.
    pub search: Search,
    /// How many threads do the work.
    pub thread: Thread,
    /// Other names for `network.host`, `network.port` and `thread.http`.
    pub server: Server,
    /// NIP-13: proof of work that events of a kind must show.
    pub pow: Pow,
    /// Maintenance and other modes in which the relay takes less than usual.
    pub operation: Operation,
    /// The published policy.
    pub policy: Policy,
    /// Who takes reports of weaknesses.
    pub security_contact: SecurityContact,
    /// The way out for users with all own events.
    pub own_events: OwnEvents,
    /// Kinds that only their recipients may read.
    pub protection: Protection,
    /// What extensions may ask of other servers by HTTP.
    pub outbound: Outbound,
    /// What is logged, and how.
    pub log: Log,
    /// One table an extension, by the extension's name; each extension checks its own.
    #[schemars(with = "BTreeMap<String, serde_json::Map<String, serde_json::Value>>")]
    pub extensions: BTreeMap<String, toml::Table>,
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = serde_json::to_value(self).map_err(|_| fmt::Error)?;
        write!(f, "Config {}", mask::masked("", &shown))
    }
}

#[cfg(test)]
mod tests;
