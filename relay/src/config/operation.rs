//! `[operation]`: modes in which the relay takes less than usual, and what users are told of them.
//!
//! Not here: changing the mode while the relay runs (`moderator`), and showing the notice (`http`, `announcer`).

use super::{TimeSpan, Timestamp};
use crate::reason::Reason;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Maintenance and other modes in which the relay takes less than usual.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Operation {
    /// "normal", "maintenance", "no_new_registrations", "no_new_groups" or "read_only". Default "normal".
    pub mode: Mode,
    /// When a planned maintenance begins. A time in UTC. Default none.
    pub maintenance_from: Option<Timestamp>,
    /// When it is over. A time in UTC, after `maintenance_from`. Default none.
    pub maintenance_until: Option<Timestamp>,
    /// How long what is running (calls, above all) may go on once maintenance begins; extensions that have such things
    /// keep to it. A time. Default "30m".
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

/// Where now is beside the announced maintenance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// None is announced.
    Unannounced,
    /// It will begin.
    Before,
    /// It is on.
    During,
    /// It is over.
    After,
}

/// Users should know of a maintenance so long before it begins. Seconds.
pub const NOTICE_AHEAD_S: u64 = 72 * 3_600;

impl Mode {
    /// As it is written in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Mode::Normal => "normal",
            Mode::Maintenance => "maintenance",
            Mode::NoNewRegistrations => "no_new_registrations",
            Mode::NoNewGroups => "no_new_groups",
            Mode::ReadOnly => "read_only",
        }
    }

    /// What is not taken, for people.
    const fn words(self) -> &'static str {
        match self {
            Mode::Normal | Mode::Maintenance => "nothing new begins for now",
            Mode::NoNewRegistrations => "no new members are taken for now",
            Mode::NoNewGroups => "no new groups are made for now",
            Mode::ReadOnly => "no events are taken for now; reading goes on",
        }
    }
}

impl Operation {
    /// The mode at a second. While an announced maintenance is on it is `maintenance`, whatever `mode` says, unless that
    /// takes even less.
    pub fn mode_at(&self, now_s: u64) -> Mode {
        match (self.mode, self.phase_at(now_s)) {
            (Mode::ReadOnly, _) => Mode::ReadOnly,
            (_, Phase::During) => Mode::Maintenance,
            (mode, _) => mode,
        }
    }

    /// Where a second is beside the announced maintenance; one end may be open.
    pub fn phase_at(&self, now_s: u64) -> Phase {
        let (from, until) = (self.maintenance_from, self.maintenance_until);
        if from.is_none() && until.is_none() {
            Phase::Unannounced
        } else if until.is_some_and(|until| now_s >= until.unix_secs()) {
            Phase::After
        } else if from.is_some_and(|from| now_s < from.unix_secs()) {
            Phase::Before
        } else {
            Phase::During
        }
    }

    /// What users are told at a second: the notice, or else when the maintenance is. Nothing once that is over.
    pub fn notice_at(&self, now_s: u64) -> Option<String> {
        let (from, until) = (self.maintenance_from, self.maintenance_until);
        match (self.phase_at(now_s), &self.notice) {
            (Phase::After, _) => None,
            (_, Some(notice)) => Some(notice.clone()),
            (Phase::Unannounced, None) => None,
            (Phase::Before | Phase::During, None) => Some(match (from, until) {
                (Some(from), Some(until)) => format!("Maintenance from {from} until {until}."),
                (Some(from), None) => format!("Maintenance from {from} on."),
                (None, Some(until)) => format!("Maintenance until {until}."),
                (None, None) => return None,
            }),
        }
    }

    /// Whether a maintenance will begin sooner than users should be told.
    pub fn is_short_notice_at(&self, now_s: u64) -> bool {
        self.phase_at(now_s) == Phase::Before
            && self
                .maintenance_from
                .is_some_and(|from| from.unix_secs() - now_s < NOTICE_AHEAD_S)
    }

    /// Why a mode refuses something: `blocked: maintenance ...`, with the notice.
    pub fn refusal(&self, mode: Mode, now_s: u64) -> Reason {
        let words = mode.words();
        match self.notice_at(now_s) {
            Some(notice) => Reason::blocked(format!("maintenance: {words}. {notice}")),
            None => Reason::blocked(format!("maintenance: {words}")),
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn operation(text: &str) -> Operation {
        toml::from_str(text).expect("operation")
    }

    #[test]
    fn c28_an_announced_maintenance_begins_and_ends_by_the_clock() {
        let planned = operation("maintenance_from = 1000\nmaintenance_until = 2000");
        let modes = [999, 1000, 1999, 2000].map(|now_s| planned.mode_at(now_s));
        let (normal, on) = (Mode::Normal, Mode::Maintenance);
        assert_eq!(modes, [normal, on, on, normal]);
        let words = "Maintenance from 1970-01-01T00:16:40Z until 1970-01-01T00:33:20Z.";
        assert_eq!(planned.notice_at(0).as_deref(), Some(words));
        assert_eq!(planned.notice_at(2000), None);
        assert_eq!(operation("maintenance_from = 1000").mode_at(u64::MAX), on);
        assert_eq!(operation("maintenance_until = 1000").mode_at(0), on);
        assert_eq!(operation("").phase_at(0), Phase::Unannounced);
    }

    #[test]
    fn c28_a_mode_that_takes_less_is_not_loosened_by_a_maintenance() {
        let both = operation("mode = 'read_only'\nmaintenance_from = 1000\nnotice = 'moving'");
        assert_eq!(both.mode_at(1500), Mode::ReadOnly);
        let reason = both.refusal(Mode::ReadOnly, 1500).to_string();
        let words = "blocked: maintenance: no events are taken for now; reading goes on. moving";
        assert_eq!(reason, words);
    }

    #[test]
    fn c28_less_than_72_hours_is_a_short_notice() {
        let planned = operation("maintenance_from = 1000000");
        assert!(planned.is_short_notice_at(1_000_000 - NOTICE_AHEAD_S + 1));
        assert!(!planned.is_short_notice_at(1_000_000 - NOTICE_AHEAD_S));
        assert!(!planned.is_short_notice_at(1_000_000), "it is on");
    }
}
