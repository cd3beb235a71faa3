//! A public key in the configuration: `npub1...` or 64 hex digits.
//!
//! Profiles (`nprofile`) and `nostr:` links are refused: they carry more than the key, and the rest would be ignored.

use crate::event::PublicKey;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

/// What a public key may look like; error messages and the JSON Schema quote it.
pub(crate) const ALLOWED: &str = "a public key, as npub1... or 64 hex digits";

/// A public key that was written as npub or hex; extensions have it for a key of their tables as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pubkey(PublicKey);

impl Pubkey {
    /// The key as the rest of the relay has it.
    pub const fn key(&self) -> &PublicKey {
        &self.0
    }
}

impl From<PublicKey> for Pubkey {
    fn from(key: PublicKey) -> Self {
        Self(key)
    }
}

impl FromStr for Pubkey {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let looks_right = text.starts_with("npub1")
            || (text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit()));
        if !looks_right {
            return Err(ALLOWED);
        }
        PublicKey::parse(text).map(Self).map_err(|_| ALLOWED)
    }
}

impl fmt::Display for Pubkey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl Serialize for Pubkey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Pubkey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<'de, str>::deserialize(deserializer)?
            .parse()
            .map_err(D::Error::custom)
    }
}

impl JsonSchema for Pubkey {
    fn schema_name() -> Cow<'static, str> {
        "Pubkey".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^(npub1[a-z0-9]+|[0-9a-fA-F]{64})$", "x-allowed": ALLOWED })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c12_pubkeys_are_npub_or_hex() {
        let hex = "7e7e9c42a91bfef19fa929e5fda1b72e0ebc1a4c1141673e2794234d86addf4e";
        let npub = "npub10elfcs4fr0l0r8af98jlmgdh9c8tcxjvz9qkw038js35mp4dma8qzvjptg";
        assert_eq!(
            npub.parse::<Pubkey>().expect("npub"),
            hex.parse::<Pubkey>().expect("hex")
        );
        assert_eq!(npub.parse::<Pubkey>().expect("npub").to_string(), hex);
        for bad in [
            "",
            "npub1...",
            "npub1qqqq",
            &hex[1..],
            "alice",
            &format!("nostr:{npub}"),
        ] {
            assert!(bad.parse::<Pubkey>().is_err(), "{bad}");
        }
    }
}
