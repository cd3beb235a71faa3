//! `[extensions.blossom_policy.encrypted]`

use super::bounds::within;
use trellis_relay::config::ByteSize;
use trellis_relay::extension::prelude::*;

/// Blobs that nobody here can look into: clients of MLS groups encrypt media and upload them as `application/octet-stream`.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Encrypted {
    /// Whether they are stored. Default: false.
    pub(crate) allow: bool,
    /// Bytes of all such blobs of one key. Default: "256MiB".
    pub(crate) bytes_per_pubkey: ByteSize,
    /// Longest of them, 1 byte to 1TiB. Default: "100MiB".
    pub(crate) max_upload_bytes: ByteSize,
}

impl Default for Encrypted {
    fn default() -> Self {
        Encrypted {
            allow: false,
            bytes_per_pubkey: ByteSize::from_mib(256),
            max_upload_bytes: ByteSize::from_mib(100),
        }
    }
}

impl Encrypted {
    pub(super) fn check(&self) -> Result<(), String> {
        within(
            "encrypted.max_upload_bytes",
            self.max_upload_bytes,
            1..=1 << 40,
        )
    }
}
