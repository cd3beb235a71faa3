//! What votes for the same action have in common, as a hash (rule Q9).

use crate::{BadId, Digest, Directive};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// SHA-256 of the JSON array `[action, version, hash, network, genesis_url, required_by]`: six strings without blanks
/// between them, the version without `v`, the last two empty for an upgrade. Written as lowercase hex.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ActionKey(Digest);

impl ActionKey {
    /// Of a directive; its options are left out.
    pub fn of(directive: &Directive) -> Self {
        let action = &directive.action;
        let parts = [
            action.kind().as_str().to_owned(),
            directive.version.to_string(),
            directive.hash.to_string(),
            directive.network.to_string(),
            action
                .genesis_url()
                .map(ToString::to_string)
                .unwrap_or_default(),
            action
                .required_by()
                .map(|at| at.to_string())
                .unwrap_or_default(),
        ];
        Self(Digest::of(serde_json::json!(parts).to_string().as_bytes()))
    }

    /// Of these bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Digest::from_bytes(bytes))
    }

    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// The first digits, for tables.
    pub fn short(&self) -> String {
        const_hex::encode(&self.as_bytes()[..6])
    }
}

impl fmt::Display for ActionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for ActionKey {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        text.parse().map(Self)
    }
}
