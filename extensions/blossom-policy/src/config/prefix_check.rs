//! `[extensions.blossom_policy.prefix_check]`

use super::bounds::{checked_url, within};
use trellis_relay::config::TimeSpan;
use trellis_relay::extension::prelude::*;

/// A service that knows hashes of what is not to be stored, and is told the first digits of a hash alone.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct PrefixCheck {
    /// Where it is, https; the digits are appended. Unset: nobody is asked.
    pub(crate) url: Option<String>,
    /// How many hex digits it is told: 4 to 8. Default: 5.
    #[schemars(range(min = 4, max = 8))]
    pub(crate) prefix_digits: u32,
    /// An answer with fewer hashes would tell too much, and is not believed: 1 to 100000. Default: 100.
    #[schemars(range(min = 1, max = 100_000))]
    pub(crate) min_candidates: u32,
    /// How long an answer is remembered: 1m to 7d. Default: "1h".
    pub(crate) cache_ttl: TimeSpan,
    /// What becomes of an upload when the service does not answer: "open" (it is stored) or "closed" (it is not). Default:
    /// "closed".
    pub(crate) on_failure: OnFailure,
}

/// `prefix_check.on_failure`
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum OnFailure {
    /// It is stored.
    Open,
    /// It is refused.
    #[default]
    Closed,
}

impl Default for PrefixCheck {
    fn default() -> Self {
        PrefixCheck {
            url: None,
            prefix_digits: 5,
            min_candidates: 100,
            cache_ttl: TimeSpan::from_secs(3600),
            on_failure: OnFailure::default(),
        }
    }
}

impl PrefixCheck {
    pub(super) fn check(&self) -> Result<(), String> {
        checked_url("prefix_check.url", self.url.as_deref(), &["https", "http"])?;
        within("prefix_check.prefix_digits", self.prefix_digits, 4..=8)?;
        within(
            "prefix_check.min_candidates",
            self.min_candidates,
            1..=100_000,
        )?;
        within("prefix_check.cache_ttl", self.cache_ttl, 60..=7 * 86_400)
    }
}
