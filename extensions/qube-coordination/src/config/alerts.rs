//! `[extensions.qube_coordination.alerts]`

use trellis_relay::config::Secret;
use trellis_relay::extension::prelude::*;

/// Who is told of what needs a person.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Alerts {
    /// Servers that are told, each by signed requests.
    pub(crate) webhooks: Vec<Webhook>,
}

/// One of `alerts.webhooks`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Webhook {
    /// Where requests go: http or https.
    pub(crate) url: String,
    /// What they are signed with.
    pub(crate) secret: Secret,
}

impl Alerts {
    /// Whether the table is right.
    pub(super) fn check(&self) -> Result<(), String> {
        Ok(())
    }
}
