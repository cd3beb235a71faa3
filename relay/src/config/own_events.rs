//! `[own_events]`: how users take along what they have published.

use super::TimeSpan;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The way out for users: whoever signs a request gets all own events, at `/own/events`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OwnEvents {
    /// Whether there is this way. Default true.
    pub enabled: bool,
    /// Streams at one time, of all users; one address has a quarter of them, and one key one. Default 16.
    #[schemars(range(min = 1))]
    pub max_at_a_time: u32,
    /// Streams that one key may begin in any hour. Default 10.
    #[schemars(range(min = 1))]
    pub max_per_hour: u32,
    /// Requests of one address in any hour, refused ones included; loopback addresses are not counted. Default 120.
    #[schemars(range(min = 1))]
    pub max_per_hour_per_ip: u32,
    /// How long a stream has its place at least, when others wait for one: then the one that runs longest ends, and goes on
    /// with `?since=`. A time. Default "5m".
    pub min_time: TimeSpan,
    /// How long one stream may last; what broke off goes on with `?since=`. A time. Default "1h".
    pub max_time: TimeSpan,
}

impl Default for OwnEvents {
    fn default() -> Self {
        Self {
            enabled: true,
            max_at_a_time: 16,
            max_per_hour: 10,
            max_per_hour_per_ip: 120,
            min_time: TimeSpan::from_secs(300),
            max_time: TimeSpan::from_secs(3_600),
        }
    }
}
