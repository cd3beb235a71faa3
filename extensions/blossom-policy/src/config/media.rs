//! `[extensions.blossom_policy.media]`

use super::bounds::within;
use trellis_relay::config::ByteSize;
use trellis_relay::extension::prelude::*;

/// `PUT /media`: pictures whose metadata are taken out before they are stored.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Media {
    /// Whether there is such a route. Default: true.
    pub(crate) strip: bool,
    /// Longest picture, 1 byte to 1GiB; `max_upload_bytes` counts where it is less. Two pictures at a time are in memory,
    /// each up to twice. Default: "32MiB".
    pub(crate) max_bytes: ByteSize,
}

impl Default for Media {
    fn default() -> Self {
        Media {
            strip: true,
            max_bytes: ByteSize::from_mib(32),
        }
    }
}

impl Media {
    pub(super) fn check(&self) -> Result<(), String> {
        within("media.max_bytes", self.max_bytes, 1..=1 << 30)
    }
}
