//! `[protection]`: kinds that only their recipients may read.
//!
//! Not here: deciding who may see an event, which is the visibility check that every exit calls.

use super::Kinds;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Kinds that only their recipients may read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Protection {
    /// Kinds that are given only to clients authenticated as a key the event `p`-tags. Kinds and ranges. Default
    /// [1059, 21059].
    pub read_protected_kinds: Kinds,
}

impl Default for Protection {
    fn default() -> Self {
        Self {
            read_protected_kinds: Kinds::from([1059, 21059]),
        }
    }
}
