//! Names of networks and nodes: bounded, and checked before anything is kept under them.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// The longest name of a network. Bytes.
const MAX_NETWORK_BYTES: usize = 64;
/// The longest name of a node. Characters.
const MAX_NODE_CHARS: usize = 128;

/// A name that is too long, empty or has characters that it must not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadName {
    /// Not a network's.
    #[error("a network is called by 1 to 64 of a-z, 0-9, '_', '.' and '-'")]
    Network,
    /// Not a node's.
    #[error("a node id is 1 to 128 visible characters")]
    Node,
}

/// Which network: 1 to 64 of `a-z0-9_.-`. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NetworkId(Arc<str>);

/// Which node, as its operator calls it: 1 to 128 characters, no space and nothing invisible. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(Arc<str>);

impl NetworkId {
    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl NodeId {
    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for NetworkId {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        let allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'.' | b'-');
        let good = (1..=MAX_NETWORK_BYTES).contains(&text.len()) && text.bytes().all(allowed);
        good.then(|| Self(text.into())).ok_or(BadName::Network)
    }
}

impl FromStr for NodeId {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        // Four bytes are the most a character takes: no long text is walked.
        let short = !text.is_empty()
            && text.len() <= 4 * MAX_NODE_CHARS
            && text.chars().count() <= MAX_NODE_CHARS;
        let good = short && text.chars().all(is_visible);
        good.then(|| Self(text.into())).ok_or(BadName::Node)
    }
}

/// Whether a reader sees the character where it stands: nothing that is blank, that controls, or that turns the direction
/// of writing.
fn is_visible(character: char) -> bool {
    let unseen = matches!(character,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}');
    !character.is_whitespace() && !character.is_control() && !unseen
}

macro_rules! text {
    ($name:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?
                    .parse()
                    .map_err(de::Error::custom)
            }
        }
    };
}

text!(NetworkId);
text!(NodeId);
