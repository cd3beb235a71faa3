//! `[extensions.blossom_policy.block_lists]`

use super::bounds::within;
use trellis_relay::config::TimeSpan;
use trellis_relay::extension::prelude::*;

/// Lists of hashes of what is not stored.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct BlockLists {
    /// Files with one hash a line, in hex: sha256, or md5 or sha1 where a list has nothing better.
    pub(crate) files: Vec<String>,
    /// How often they are looked at for changes: 1s to 1d. Default: "1m".
    pub(crate) reload_interval: TimeSpan,
}

impl Default for BlockLists {
    fn default() -> Self {
        BlockLists {
            files: Vec::new(),
            reload_interval: TimeSpan::from_secs(60),
        }
    }
}

impl BlockLists {
    pub(super) fn check(&self) -> Result<(), String> {
        within(
            "block_lists.reload_interval",
            self.reload_interval,
            1..=86_400,
        )
    }
}
