//! What of the configuration the operator has overruled while the relay runs.
//!
//! Invariant: a setting that is there beats the file, after a reload and a restart too; one that is not leaves the file
//! its say.

use crate::config::{Config, Mode, Timestamp};
use serde::{Deserialize, Serialize};

/// The settings.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// `information.name`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `information.description`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// `information.icon`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub icon: Option<String>,
    /// `operation.mode`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// `operation.notice`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notice: Option<String>,
    /// `operation.maintenance_from` and `operation.maintenance_until` together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window: Option<Window>,
}

/// From when until when; what is not there is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// The first second.
    pub from: Option<Timestamp>,
    /// The second after the last.
    pub until: Option<Timestamp>,
}

impl Settings {
    /// True if the file has its say in everything.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The keys of the configuration that are overruled.
    pub fn keys(&self) -> Vec<&'static str> {
        let keys = [
            ("information.name", self.name.is_some()),
            ("information.description", self.description.is_some()),
            ("information.icon", self.icon.is_some()),
            ("operation.mode", self.mode.is_some()),
            ("operation.notice", self.notice.is_some()),
            ("operation.maintenance_from", self.window.is_some()),
            ("operation.maintenance_until", self.window.is_some()),
        ];
        let overruled = keys.into_iter().filter(|(_, is_set)| *is_set);
        overruled.map(|(key, _)| key).collect()
    }

    /// Overrules a configuration.
    pub fn overrule(&self, config: &mut Config) {
        let information = &mut config.information;
        if let Some(name) = &self.name {
            information.name.clone_from(name);
        }
        if let Some(description) = &self.description {
            information.description.clone_from(description);
        }
        if self.icon.is_some() {
            information.icon.clone_from(&self.icon);
        }
        let operation = &mut config.operation;
        if let Some(mode) = self.mode {
            operation.mode = mode;
        }
        if self.notice.is_some() {
            operation.notice.clone_from(&self.notice);
        }
        if let Some(window) = self.window {
            operation.maintenance_from = window.from;
            operation.maintenance_until = window.until;
        }
    }
}
