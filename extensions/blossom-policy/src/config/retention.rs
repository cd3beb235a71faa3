//! `[extensions.blossom_policy.retention]`

use super::bounds::within;
use trellis_relay::extension::prelude::*;

/// How long blobs are kept.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Retention {
    /// Days after its upload on which a blob is removed, which the header `Sunset` tells: 1 to 36500. Unset: blobs stay.
    #[schemars(range(min = 1, max = 36_500))]
    pub(crate) days: Option<u32>,
}

impl Retention {
    pub(super) fn check(&self) -> Result<(), String> {
        self.days
            .map_or(Ok(()), |days| within("retention.days", days, 1..=36_500))
    }

    /// When a blob is removed that was uploaded then, in milliseconds since 1970.
    pub(crate) fn ends_ms(&self, uploaded_ms: u64) -> Option<u64> {
        let days = u64::from(self.days?);
        Some(uploaded_ms.saturating_add(days * 86_400_000))
    }
}
