//! What developers direct: the action on a network, and what each vote for it adds.

use crate::{ActionKey, Digest, NetworkId, Version};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;
use std::str::FromStr;
use url::Url;

/// A directive as one developer signed it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Directive {
    /// For which network.
    pub network: NetworkId,
    /// What is to be done.
    #[serde(flatten)]
    pub action: Action,
    /// To or with which version.
    pub version: Version,
    /// Of the program of that version.
    pub hash: Digest,
    /// What this vote adds: no part of the action's key.
    #[serde(default)]
    pub options: Options,
}

impl Directive {
    /// What votes for the same action have in common.
    pub fn key(&self) -> ActionKey {
        ActionKey::of(self)
    }
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "lowercase")]
pub enum Action {
    /// Run the program of another version.
    Upgrade,
    /// Begin anew from a genesis.
    Reboot {
        /// Where the genesis is: the text as it was signed, which is a URL in its normal form.
        #[serde(with = "url_text")]
        genesis_url: Url,
        /// When all nodes do it. Unix seconds.
        required_by: u64,
    },
}

impl Action {
    /// Which of the two.
    pub fn kind(&self) -> ActionKind {
        match self {
            Self::Upgrade => ActionKind::Upgrade,
            Self::Reboot { .. } => ActionKind::Reboot,
        }
    }

    /// When it has to be done. Unix seconds.
    pub fn required_by(&self) -> Option<u64> {
        match self {
            Self::Upgrade => None,
            Self::Reboot { required_by, .. } => Some(*required_by),
        }
    }

    /// Where its genesis is.
    pub fn genesis_url(&self) -> Option<&Url> {
        match self {
            Self::Upgrade => None,
            Self::Reboot { genesis_url, .. } => Some(genesis_url),
        }
    }
}

/// The word for an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ActionKind {
    /// Of a new version.
    Upgrade,
    /// From a genesis.
    Reboot,
}

impl ActionKind {
    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Upgrade => "upgrade",
            Self::Reboot => "reboot",
        }
    }
}

impl fmt::Display for ActionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for ActionKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "upgrade" => Ok(Self::Upgrade),
            "reboot" => Ok(Self::Reboot),
            _ => Err("an action is `upgrade` or `reboot`".to_owned()),
        }
    }
}

/// What one vote adds to an action. It binds this vote alone: a vote counts on a node only as far as its own options let
/// it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Options {
    /// On which part of the fleet the vote counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rollout: Option<Rollout>,
    /// The vote counts on nodes that run at least this version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_version: Option<Version>,
    /// The vote counts when all of these are met.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// Of the genesis, for a reboot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub genesis_hash: Option<Digest>,
}

/// A part of the fleet, and what stops it from doing more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollout {
    /// The nodes whose bucket is below this: 1 to 100.
    pub percent: u8,
    /// The share of successful reports below which no further node begins: 0 to 100.
    pub min_success_percent: u8,
}

impl Rollout {
    /// The share that is asked for where the tag names none.
    pub const DEFAULT_MIN_SUCCESS_PERCENT: u8 = 90;
}

/// What has to be met before a vote counts on a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Condition {
    /// The node has done this other action.
    After(ActionKey),
    /// The node's chain is at least this high.
    Height(u64),
    /// It is at least `from` and not yet `until`. Unix seconds.
    Between {
        /// The first second.
        from: u64,
        /// The second after the last.
        until: u64,
    },
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::After(key) => write!(f, "after {key}"),
            Self::Height(height) => write!(f, "height {height}"),
            Self::Between { from, until } => write!(f, "between {from} and {until}"),
        }
    }
}

mod url_text {
    //! A URL as its text.

    use super::{Deserialize, Deserializer, Serializer, Url, de};

    pub(super) fn serialize<S: Serializer>(url: &Url, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(url.as_str())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Url, D::Error> {
        let text = String::deserialize(deserializer)?;
        Url::parse(&text).map_err(de::Error::custom)
    }
}
