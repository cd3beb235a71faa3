//! `[extensions.blossom_policy.rates]`

use super::bounds::within;
use trellis_relay::extension::prelude::*;

/// How often one may ask, in any minute.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Rates {
    /// Uploads, mirrors and media of one key: 1 to 1000000. Default: 20.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub(crate) uploads_per_minute: u32,
    /// The same for one address, whatever the keys: 1 to 1000000. Default: 60.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub(crate) uploads_per_minute_and_ip: u32,
    /// Signed requests from one address, whatever they are for: 1 to 1000000. Default: 600.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub(crate) requests_per_minute_and_ip: u32,
    /// Blobs that one address reads: 1 to 1000000, or 0 for any number. Default: 1200.
    #[schemars(range(max = 1_000_000))]
    pub(crate) downloads_per_minute_and_ip: u32,
    /// Reports from one address: 1 to 1000000. Default: 10.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub(crate) reports_per_minute_and_ip: u32,
}

impl Default for Rates {
    fn default() -> Self {
        Rates {
            uploads_per_minute: 20,
            uploads_per_minute_and_ip: 60,
            requests_per_minute_and_ip: 600,
            downloads_per_minute_and_ip: 1200,
            reports_per_minute_and_ip: 10,
        }
    }
}

impl Rates {
    pub(super) fn check(&self) -> Result<(), String> {
        for (key, found) in [
            ("uploads_per_minute", self.uploads_per_minute),
            ("uploads_per_minute_and_ip", self.uploads_per_minute_and_ip),
            (
                "requests_per_minute_and_ip",
                self.requests_per_minute_and_ip,
            ),
            ("reports_per_minute_and_ip", self.reports_per_minute_and_ip),
        ] {
            within(&format!("rates.{key}"), found, 1..=1_000_000)?;
        }
        within(
            "rates.downloads_per_minute_and_ip",
            self.downloads_per_minute_and_ip,
            0..=1_000_000,
        )
    }
}
