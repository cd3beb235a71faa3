//! `[extensions.blossom_policy.mirror]`

use super::bounds::within;
use trellis_relay::config::{ByteSize, IpRange, TimeSpan};
use trellis_relay::extension::prelude::*;

/// `PUT /mirror`: blobs that the relay fetches from elsewhere.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Mirror {
    /// Whether it does. Default: true.
    pub(crate) enabled: bool,
    /// Whether only https is fetched. Default: true.
    pub(crate) https_only: bool,
    /// Longest blob that is fetched. Unset: `max_upload_bytes`.
    pub(crate) max_bytes: Option<ByteSize>,
    /// How long fetching may take: 1s to 1h. Default: "5m".
    pub(crate) timeout: TimeSpan,
    /// Addresses and ranges of `outbound.allow_private` from which blobs are fetched as well, for whoever asks. Default:
    /// none, so what is open for other services of the operator's is not open to strangers.
    pub(crate) allow_private: Vec<IpRange>,
}

impl Default for Mirror {
    fn default() -> Self {
        Mirror {
            enabled: true,
            https_only: true,
            max_bytes: None,
            timeout: TimeSpan::from_secs(300),
            allow_private: Vec::new(),
        }
    }
}

impl Mirror {
    pub(super) fn check(&self) -> Result<(), String> {
        if let Some(max_bytes) = self.max_bytes {
            within("mirror.max_bytes", max_bytes, 1..=1 << 40)?;
        }
        within("mirror.timeout", self.timeout, 1..=3600)
    }
}
