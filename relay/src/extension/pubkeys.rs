//! A set of public keys, as config writes it.

use crate::config::Pubkey;
use crate::event::PublicKey;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::{Error as _, IgnoredAny};
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

/// What stands in the place of a list; whatever is none is not repeated in an error, as it may be a secret key.
#[derive(Deserialize)]
#[serde(untagged)]
enum Given {
    List(Vec<String>),
    Other(IgnoredAny),
}

impl<'de> Deserialize<'de> for Pubkeys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Given::List(texts) = Given::deserialize(deserializer)? else {
            return Err(D::Error::custom(
                "a list of public keys, each as npub1... or 64 hex digits",
            ));
        };
        let keys = texts.iter().zip(1..).map(|(text, number)| {
            let key: Result<Pubkey, _> = text.parse();
            key.map(|pubkey| *pubkey.key()).map_err(|wanted| {
                // A secret key in the wrong place is not told; where a list has thousands, these letters find the one.
                let shown = match text.starts_with("npub1") {
                    true => format!(", {:?}", text.chars().take(12).collect::<String>()),
                    false => String::new(),
                };
                D::Error::custom(format!("number {number}{shown}: {wanted}"))
            })
        });
        keys.collect()
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn c12_what_is_no_list_of_keys_is_told_by_its_place_and_no_secret_key() {
        const SECRET: &str = "nsec180cvv07tjdrrgpa0j7j7tmnyl2yr6yr7l8j4s3evf6u64th6gkwsyjh6w6";
        const WANTED: &str = "a public key, as npub1... or 64 hex digits";
        const LIST: &str = "a list of public keys, each as npub1... or 64 hex digits";
        let npub = "npub180cvv07tjdrrgpa0j7j7tmnyl2yr6yr7l8j4s3evf6u64th6gkwsyjh6w6";
        let cut = &npub[..20];
        let problem = |value: Value| {
            let keys = serde_json::from_value::<Pubkeys>(value);
            keys.expect_err("no list of keys").to_string()
        };
        for (value, told) in [
            (json!([npub, SECRET]), format!("number 2: {WANTED}")),
            (json!(["alice", npub]), format!("number 1: {WANTED}")),
            (
                json!([npub, npub, cut]),
                format!("number 3, \"npub180cvv07\": {WANTED}"),
            ),
            (json!(SECRET), LIST.to_owned()),
            (json!({ "key": SECRET }), LIST.to_owned()),
            (json!([npub, 7]), LIST.to_owned()),
        ] {
            assert_eq!(problem(value), told);
        }
        assert!(serde_json::from_value::<Pubkeys>(json!([])).is_ok_and(|keys| keys.is_empty()));
    }
}
