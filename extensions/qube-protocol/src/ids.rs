//! Thirty-two bytes that name something: events, keys and contents, each a type of its own, written as lowercase hex.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest as _, Sha256};
use std::fmt;
use std::io::{self, Read};
use std::str::FromStr;

/// A text that is not what it should name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{found:?} is not {expected}")]
pub struct BadId {
    found: String,
    expected: &'static str,
}

impl BadId {
    fn new(found: &str, expected: &'static str) -> Self {
        let found = found.chars().take(80).collect();
        Self { found, expected }
    }
}

macro_rules! bytes32 {
    ($(#[$docs:meta])* $name:ident) => {
        $(#[$docs])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 32]);

        impl $name {
            /// Of these bytes.
            pub const fn from_bytes(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }

            /// Its bytes.
            pub const fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&const_hex::encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
            }
        }
    };
}

bytes32! {
    /// The id of an event.
    EventId
}

bytes32! {
    /// A public key: of a developer or of a node. Read as hex or as `npub1...`, written as hex.
    Pubkey
}

bytes32! {
    /// A SHA-256.
    Digest
}

impl Digest {
    /// Of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Of all that can be read, which need not fit into memory.
    pub fn of_reader(mut reader: impl Read) -> io::Result<Self> {
        let mut hash = Sha256::new();
        let mut piece = vec![0; 64 << 10];
        loop {
            match reader.read(&mut piece) {
                Ok(0) => return Ok(Self(hash.finalize().into())),
                Ok(read) => hash.update(&piece[..read]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// Lowercase only: the text is part of what is compared and hashed elsewhere.
fn lowercase_hex(text: &str) -> Option<[u8; 32]> {
    let plain = text.len() == 64 && !text.bytes().any(|byte| byte.is_ascii_uppercase());
    plain.then(|| const_hex::decode_to_array(text).ok())?
}

impl FromStr for EventId {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        let bytes = lowercase_hex(text);
        bytes
            .map(Self)
            .ok_or_else(|| BadId::new(text, "an event id of 64 lowercase hex digits"))
    }
}

impl FromStr for Digest {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        let bytes = lowercase_hex(text);
        bytes
            .map(Self)
            .ok_or_else(|| BadId::new(text, "a SHA-256 of 64 lowercase hex digits"))
    }
}

impl FromStr for Pubkey {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        let bytes = match text.starts_with("npub1") {
            true => nostr::key::PublicKey::parse(text)
                .ok()
                .map(|key| *key.as_bytes()),
            false => lowercase_hex(text),
        };
        let expected = "a public key: npub1... or 64 lowercase hex digits";
        bytes.map(Self).ok_or_else(|| BadId::new(text, expected))
    }
}

impl From<nostr::key::PublicKey> for Pubkey {
    fn from(key: nostr::key::PublicKey) -> Self {
        Self(*key.as_bytes())
    }
}

impl From<nostr::event::EventId> for EventId {
    fn from(id: nostr::event::EventId) -> Self {
        Self(id.to_bytes())
    }
}
