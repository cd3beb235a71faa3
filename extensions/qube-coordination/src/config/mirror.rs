//! `[extensions.qube_coordination.mirror]`

use trellis_relay::config::Secret;
use trellis_relay::extension::prelude::*;

/// A copy of directives, reports and history in PostgreSQL.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Mirror {
    /// `postgresql://...`, with several hosts where the database has them. Unset: no copy.
    pub(crate) url: Option<Secret>,
}

impl Mirror {
    /// Whether the table is right.
    pub(super) fn check(&self) -> Result<(), String> {
        Ok(())
    }
}
