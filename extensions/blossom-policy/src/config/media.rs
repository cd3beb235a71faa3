//! `[extensions.blossom_policy.media]`

use trellis_relay::extension::prelude::*;

/// `PUT /media`: pictures whose metadata are taken out before they are stored.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Media {
    /// Whether there is such a route. Default: true.
    pub(crate) strip: bool,
}

impl Default for Media {
    fn default() -> Self {
        Media { strip: true }
    }
}
