//! The name under which newer versions replace older ones: `kind:pubkey:d`.

use super::{Event, KindClass, PublicKey};
use std::fmt;

/// An address of a replaceable (empty `d`) or addressable event, as `a` tags write it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address {
    /// A replaceable or addressable kind.
    pub kind: u16,
    /// The author.
    pub pubkey: PublicKey,
    /// The identifier; empty for replaceable kinds.
    pub d: String,
}

impl Address {
    /// The address of an event: the first `d` tag counts wherever it stands, and a missing one is the empty string.
    pub fn of(event: &Event) -> Option<Self> {
        let d = match event.class() {
            KindClass::Replaceable => String::new(),
            KindClass::Addressable => event
                .first_tag_value("d")
                .map(|d| d.into_owned())
                .unwrap_or_default(),
            KindClass::Regular | KindClass::Ephemeral => return None,
        };
        Some(Address {
            kind: event.kind(),
            pubkey: *event.pubkey(),
            d,
        })
    }

    /// Reads `kind:pubkey:d`; `None` where it is not the address of a replaceable or addressable kind.
    pub fn parse(text: &str) -> Option<Self> {
        let (kind, rest) = text.split_once(':')?;
        let (pubkey, d) = rest.split_once(':').unwrap_or((rest, ""));
        let kind = kind.parse().ok()?;
        let d = match KindClass::of(kind) {
            KindClass::Replaceable => String::new(),
            KindClass::Addressable => d.to_owned(),
            KindClass::Regular | KindClass::Ephemeral => return None,
        };
        Some(Address {
            kind,
            pubkey: super::canonical::pubkey_from_hex(pubkey)?,
            d,
        })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.kind, self.pubkey.to_hex(), self.d)
    }
}
