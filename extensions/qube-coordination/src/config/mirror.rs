//! `[extensions.qube_coordination.mirror]`

use crate::mirror;
use trellis_relay::config::Secret;
use trellis_relay::extension::prelude::*;

/// A copy of directives, reports and history in PostgreSQL.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Mirror {
    /// `postgresql://user:password@host/database`, with several hosts where the database has them
    /// (`host-a:5432,host-b:5432`): they are tried in turn, and one that only reads is passed over. Unset: no copy.
    pub(crate) url: Option<Secret>,
}

impl Mirror {
    /// Whether the table is right.
    pub(super) fn check(&self) -> Result<(), String> {
        match &self.url {
            Some(url) => mirror::check_address(url).map_err(|why| format!("mirror.url: {why}")),
            None => Ok(()),
        }
    }
}
