//! `[extensions.blossom_policy.quota]`

use super::bounds::within;
use trellis_relay::config::ByteSize;
use trellis_relay::extension::prelude::*;

/// How much one may store.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Quota {
    /// Bytes of all blobs of one key, those of `[encrypted]` apart. Default: "1GiB".
    pub(crate) bytes_per_pubkey: ByteSize,
    /// Blobs of one key: 1 to 10000000. Default: 10000.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub(crate) blobs_per_pubkey: u64,
    /// Bytes of all blobs. Unset: as much as the disk has room for, but for `free_bytes`.
    pub(crate) total_bytes: Option<ByteSize>,
    /// Bytes of the disk that stay free. Default: "1GiB".
    pub(crate) free_bytes: ByteSize,
}

impl Default for Quota {
    fn default() -> Self {
        Quota {
            bytes_per_pubkey: ByteSize::from_mib(1024),
            blobs_per_pubkey: 10_000,
            total_bytes: None,
            free_bytes: ByteSize::from_mib(1024),
        }
    }
}

impl Quota {
    pub(super) fn check(&self) -> Result<(), String> {
        within(
            "quota.blobs_per_pubkey",
            self.blobs_per_pubkey,
            1..=10_000_000,
        )
    }
}
