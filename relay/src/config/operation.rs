//! `[operation]`: modes in which the relay takes less than usual.
//!
//! Not here: showing the notice. Refusing what a mode excludes is not built, so every mode but normal is refused.

use super::{TimeSpan, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Maintenance and other modes in which the relay takes less than usual.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Operation {
    /// "normal", "maintenance", "no_new_registrations", "no_new_groups" or "read_only"; all but
    /// "normal" are not built yet and refused. Default "normal".
    pub mode: Mode,
    /// When a planned maintenance begins. A time in UTC. Default none.
    pub maintenance_from: Option<Timestamp>,
    /// When it is over. A time in UTC, after `maintenance_from`. Default none.
    pub maintenance_until: Option<Timestamp>,
    /// How long what is running (calls, above all) may go on once maintenance begins. A time. Default "30m".
    pub drain_timeout: TimeSpan,
    /// What users are told about it. Default none.
    pub notice: Option<String>,
}

/// What the relay takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Everything the rest of the configuration allows.
    #[default]
    Normal,
    /// No new calls or rooms.
    Maintenance,
    /// No new members.
    NoNewRegistrations,
    /// No new groups.
    NoNewGroups,
    /// No events at all; reading goes on.
    ReadOnly,
}

impl Default for Operation {
    fn default() -> Self {
        Self {
            mode: Mode::Normal,
            maintenance_from: None,
            maintenance_until: None,
            drain_timeout: TimeSpan::from_secs(1_800),
            notice: None,
        }
    }
}
