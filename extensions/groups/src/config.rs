//! `[extensions.groups]`: its keys, their units and defaults.

use trellis_relay::extension::prelude::*;

/// `[extensions.groups]`
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {}
