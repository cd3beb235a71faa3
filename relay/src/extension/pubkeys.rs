//! A set of public keys, as config writes it.

use crate::config::Pubkey;
use crate::event::PublicKey;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer};
use std::borrow::Cow;

/// Public keys, each `npub1...` or 64 hex digits.
///
/// ```
/// use trellis_relay::extension::Pubkeys;
/// let npub = "npub180cvv07tjdrrgpa0j7j7tmnyl2yr6yr7l8j4s3evf6u64th6gkwsyjh6w6";
/// let members: Pubkeys = serde_json::from_value(vec![npub].into())?;
/// assert!(members.iter().all(|member| members.contains(member)));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pubkeys {
    sorted: Vec<PublicKey>,
}

impl Pubkeys {
    /// Whether the key is in the set.
    pub fn contains(&self, pubkey: &PublicKey) -> bool {
        self.sorted.binary_search(pubkey).is_ok()
    }

    /// Whether one of these keys is; `viewer.pubkeys()`, say.
    pub fn contains_any(&self, pubkeys: &[PublicKey]) -> bool {
        pubkeys.iter().any(|pubkey| self.contains(pubkey))
    }

    /// Whether the set is empty.
    pub fn is_empty(&self) -> bool {
        self.sorted.is_empty()
    }

    /// How many keys are in the set.
    pub fn len(&self) -> usize {
        self.sorted.len()
    }

    /// The keys, sorted.
    pub fn iter(&self) -> std::slice::Iter<'_, PublicKey> {
        self.sorted.iter()
    }
}

impl FromIterator<PublicKey> for Pubkeys {
    fn from_iter<I: IntoIterator<Item = PublicKey>>(pubkeys: I) -> Self {
        let mut sorted: Vec<_> = pubkeys.into_iter().collect();
        sorted.sort_unstable();
        sorted.dedup();
        Pubkeys { sorted }
    }
}

impl<'de> Deserialize<'de> for Pubkeys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let keys = Vec::<Pubkey>::deserialize(deserializer)?;
        Ok(keys.iter().map(|pubkey| *pubkey.key()).collect())
    }
}

impl JsonSchema for Pubkeys {
    fn schema_name() -> Cow<'static, str> {
        "Pubkeys".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Vec::<Pubkey>::json_schema(generator)
    }
}
