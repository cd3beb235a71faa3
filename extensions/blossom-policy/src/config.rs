//! The table `[extensions.blossom_policy]`.

use trellis_relay::extension::prelude::*;

/// The operator's rules.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {}
