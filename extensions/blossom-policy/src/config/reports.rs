//! `[extensions.blossom_policy.reports]`

use super::bounds::within;
use trellis_relay::extension::prelude::*;

/// `PUT /report`
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Reports {
    /// Whether reports are taken. Default: true.
    pub(crate) enabled: bool,
    /// Reports that wait for review at a time; those beyond are refused: 1 to 1000000. Default: 10000.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub(crate) max_open: u64,
    /// Blobs that one address may report in a day: 1 to 1000000. Default: 200.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub(crate) max_per_day_and_ip: u32,
}

impl Default for Reports {
    fn default() -> Self {
        Reports {
            enabled: true,
            max_open: 10_000,
            max_per_day_and_ip: 200,
        }
    }
}

impl Reports {
    pub(super) fn check(&self) -> Result<(), String> {
        within("reports.max_open", self.max_open, 1..=1_000_000)?;
        within(
            "reports.max_per_day_and_ip",
            self.max_per_day_and_ip,
            1..=1_000_000,
        )
    }
}
