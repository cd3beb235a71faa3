//! `[extensions.blossom_policy.upstream]`

use super::bounds::address;
use trellis_relay::extension::prelude::*;

/// The server of the backend "upstream".
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Upstream {
    /// Where it is: http or https, without a path. An address of the operator's own network must stand in
    /// `outbound.allow_private`.
    pub(crate) url: Option<String>,
}

impl Upstream {
    pub(super) fn check(&self) -> Result<(), String> {
        match address("upstream.url", self.url.as_deref(), &["https", "http"])? {
            Some(_) => Ok(()),
            None => Err(
                "upstream.url: found nothing, wanted the server's URL; backend = \"upstream\" needs it"
                    .to_owned(),
            ),
        }
    }
}
