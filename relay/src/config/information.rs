//! `[information]`: what the relay says of itself.
//!
//! Not here: limits and supported NIPs. The NIP-11 document takes those from what is really enforced and switched on.

use super::Pubkey;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Fields of the NIP-11 document that the relay works out itself, so that `information.extra` may not set them.
pub(crate) const COMPUTED_FIELDS: [&str; 5] = [
    "supported_nips",
    "limitation",
    "self",
    "version",
    "payments_url",
];

/// What the relay says of itself in its NIP-11 document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Information {
    /// The relay's name. Default "Trellis".
    pub name: String,
    /// What the relay is for, in a sentence or two. Default "An extensible Nostr relay".
    pub description: String,
    /// Public key of the person or group that runs the relay, as npub or hex. Default none.
    pub pubkey: Option<Pubkey>,
    /// Where the operator can be reached: a `mailto:` or `https:` address. Default none.
    pub contact: Option<String>,
    /// Web address of a square picture. Default none.
    pub icon: Option<String>,
    /// Web address of a wide picture. Default none.
    pub banner: Option<String>,
    /// Web address of the software. Default none: the relay gives that of its package, or its name.
    pub software: Option<String>,
    /// Web address of the terms of service. Default none.
    pub terms_of_service: Option<String>,
    /// Web address of the privacy policy. Default none.
    pub privacy_policy: Option<String>,
    /// Web address of the posting policy. Default none.
    pub posting_policy: Option<String>,
    /// Further fields of the NIP-11 document, taken over as they stand. Default empty.
    #[schemars(with = "serde_json::Map<String, serde_json::Value>")]
    pub extra: toml::Table,
}

impl Default for Information {
    fn default() -> Self {
        Self {
            name: "Trellis".to_owned(),
            description: "An extensible Nostr relay".to_owned(),
            pubkey: None,
            contact: None,
            icon: None,
            banner: None,
            software: None,
            terms_of_service: None,
            privacy_policy: None,
            posting_policy: None,
            extra: toml::Table::new(),
        }
    }
}
