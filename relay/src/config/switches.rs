//! `[metrics]`, `[count]` and `[search]`: parts of the relay that can be switched on and off.

use super::Secret;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Metrics for Prometheus at `/metrics`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Metrics {
    /// Whether `/metrics` exists. Default true.
    pub enabled: bool,
    /// Key that a reader must show, as `?auth=KEY` or as a bearer token. Default none: only readers on this machine.
    pub auth: Option<Secret>,
}

/// NIP-45: counting events.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Count {
    /// Whether COUNT is answered; otherwise it ends in `CLOSED unsupported:`. Default true.
    pub enabled: bool,
}

/// NIP-50: searching events.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Search {
    /// Whether filters may hold `search`; not built yet, so true is refused. Default false.
    pub enabled: bool,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            enabled: true,
            auth: None,
        }
    }
}

impl Default for Count {
    fn default() -> Self {
        Self { enabled: true }
    }
}
