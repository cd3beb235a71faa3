//! `[extensions.qube_coordination.alerts]`

use super::bounds;
use std::time::Duration;
use trellis_relay::config::{Secret, TimeSpan};
use trellis_relay::extension::prelude::*;
use url::Url;

/// Most webhooks.
const WEBHOOKS_MAX: usize = 16;
/// Shortest secret, in bytes.
const SECRET_BYTES_MIN: usize = 16;

/// Who is told of what needs a person.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Alerts {
    /// Servers that are told, each by signed requests, in order; at most 16.
    #[schemars(length(max = 16))]
    pub(crate) webhooks: Vec<Webhook>,
    /// How long a server is tried that does not take an alert, before it is told the next one: 1m to 30d. Default: "24h".
    pub(crate) give_up_after: Option<TimeSpan>,
    /// Beginnings and ends of alerts that are kept, for servers that do not answer and for the page: 100 to 100000. Where
    /// more come, the oldest go. Default: 5000.
    #[schemars(range(min = 100, max = 100_000))]
    pub(crate) keep: Option<usize>,
}

/// One of `alerts.webhooks`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Webhook {
    /// Where requests go: http or https. A private address has to be in `outbound.allow_private`.
    pub(crate) url: Secret,
    /// What they are signed with: at least 16 characters, known to this server and the relay alone.
    pub(crate) secret: Secret,
}

impl Alerts {
    /// Whether the table is right.
    pub(super) fn check(&self) -> Result<(), String> {
        if self.webhooks.len() > WEBHOOKS_MAX {
            return Err(format!(
                "alerts.webhooks: found {}, wanted {WEBHOOKS_MAX} at most",
                self.webhooks.len()
            ));
        }
        for (place, webhook) in self.webhooks.iter().enumerate() {
            webhook.check(place + 1)?;
            let twice = |other: &Webhook| other.url.reveal() == webhook.url.reveal();
            if self.webhooks[..place].iter().any(twice) {
                return Err(format!(
                    "alerts.webhooks: found the url of number {} twice, wanted each once",
                    place + 1
                ));
            }
        }
        let day_s = 86_400;
        bounds::span(
            "alerts.give_up_after",
            self.give_up_after,
            day_s,
            60..=30 * day_s,
        )?;
        bounds::within("alerts.keep", self.keep, 5_000, 100..=100_000)?;
        Ok(())
    }

    /// `give_up_after`
    pub(crate) fn give_up_after(&self) -> Duration {
        let default = TimeSpan::from_secs(86_400);
        Duration::from_secs(self.give_up_after.unwrap_or(default).as_secs())
    }

    /// `keep`
    pub(crate) fn keep(&self) -> usize {
        self.keep.unwrap_or(5_000)
    }
}

impl Webhook {
    /// Its values are nobody's business: a URL may hold a token.
    fn check(&self, number: usize) -> Result<(), String> {
        let url = Url::parse(self.url.reveal()).ok();
        let is_right = |url: &Url| ["http", "https"].contains(&url.scheme()) && url.has_host();
        if !url.as_ref().is_some_and(is_right) {
            return Err(format!(
                "alerts.webhooks.url of number {number}: found something else, wanted an address such as \
                 \"https://alerts.example.com/qube\""
            ));
        }
        let secret_bytes = self.secret.reveal().len();
        if secret_bytes < SECRET_BYTES_MIN {
            return Err(format!(
                "alerts.webhooks.secret of number {number}: found {secret_bytes} characters, wanted {SECRET_BYTES_MIN} at least"
            ));
        }
        Ok(())
    }
}
