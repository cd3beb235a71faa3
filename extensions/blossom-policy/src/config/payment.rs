//! `[extensions.blossom_policy.payment]`

use super::bounds::{checked_url, within};
use trellis_relay::config::{Secret, TimeSpan};
use trellis_relay::extension::prelude::*;

/// Who is asked whether an upload has to be paid for (BUD-07).
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Payment {
    /// A service of the operator's that is asked by POST. Unset: uploads cost nothing.
    pub(crate) url: Option<String>,
    /// What it knows us by: `Authorization: Bearer` and this.
    pub(crate) token: Option<Secret>,
    /// How long it has to answer: 1s to 1m. Default: "5s".
    pub(crate) timeout: TimeSpan,
}

impl Default for Payment {
    fn default() -> Self {
        Payment {
            url: None,
            token: None,
            timeout: TimeSpan::from_secs(5),
        }
    }
}

impl Payment {
    pub(super) fn check(&self) -> Result<(), String> {
        checked_url("payment.url", self.url.as_deref(), &["https", "http"])?;
        within("payment.timeout", self.timeout, 1..=60)
    }
}
