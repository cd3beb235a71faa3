//! `[extensions.mls_gateway.rate_limits]`: how often one may publish, and take KeyPackages.

use schemars::JsonSchema;
use serde::Deserialize;

/// `[extensions.mls_gateway.rate_limits]`, by authenticated key or else by address. Keys cost nothing, so what one address
/// sends with all of its keys has a bound, too.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RateLimits {
    /// Events of all the gateway's kinds in a minute. Default: 100.
    #[schemars(range(min = 1))]
    pub(crate) max_events_per_minute: u32,
    /// The same of one address, whoever has authenticated, and letters from it over HTTP. Default: ten times
    /// `max_events_per_minute`.
    #[schemars(range(min = 1))]
    pub(crate) max_events_per_minute_per_address: Option<u32>,
    /// KeyPackages of one author in an hour. Default: 10.
    #[schemars(range(min = 1))]
    pub(crate) max_keypackages_per_hour: u32,
    /// With "on_read": reads in an hour that take one owner's KeyPackages, by key and by address. Default: 10.
    #[schemars(range(min = 1))]
    pub(crate) max_keypackage_reads_per_hour: u32,
    /// Group messages in a minute. Default: 50.
    #[schemars(range(min = 1))]
    pub(crate) max_group_messages_per_minute: u32,
}

impl Default for RateLimits {
    fn default() -> Self {
        RateLimits {
            max_events_per_minute: 100,
            max_events_per_minute_per_address: None,
            max_keypackages_per_hour: 10,
            max_keypackage_reads_per_hour: 10,
            max_group_messages_per_minute: 50,
        }
    }
}

/// So many senders may share an address, each as busy as one may be.
const SENDERS_OF_ADDRESS: u32 = 10;

impl RateLimits {
    /// With what follows from other keys.
    pub(super) fn settled(self) -> Self {
        RateLimits {
            max_events_per_minute_per_address: Some(self.per_address()),
            ..self
        }
    }

    /// Events of one address in a minute.
    pub(crate) fn per_address(&self) -> u32 {
        let of_all = || {
            self.max_events_per_minute
                .saturating_mul(SENDERS_OF_ADDRESS)
        };
        self.max_events_per_minute_per_address
            .unwrap_or_else(of_all)
    }
}
