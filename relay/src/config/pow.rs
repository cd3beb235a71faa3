//! `[pow]`: proof of work that events of a kind must show (NIP-13).
//!
//! Invariant: the one table for core and extensions. Not here: counting bits.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error;
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// What an entry may look like; error messages and the JSON Schema quote it.
pub(crate) const ALLOWED: &str =
    "a kind (0 to 65535) and the bits it needs (0 to 256), such as 1 = 20";

/// Proof of work that events of a kind must show. `[pow]` holds one `kind = bits` a line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pow(BTreeMap<u16, u16>);

impl Pow {
    /// Leading zero bits that an event of `kind` needs; 0 where it needs none.
    pub fn bits(&self, kind: u16) -> u16 {
        self.0.get(&kind).copied().unwrap_or(0)
    }

    /// Every kind that needs proof of work, with its bits, ascending.
    pub fn iter(&self) -> impl Iterator<Item = (u16, u16)> + '_ {
        self.0.iter().map(|(kind, bits)| (*kind, *bits))
    }

    /// True if no kind needs any.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for Pow {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (kind, bits) in &self.0 {
            map.serialize_entry(&kind.to_string(), bits)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Pow {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        BTreeMap::<String, u16>::deserialize(deserializer)
            .map_err(|_| D::Error::custom(ALLOWED))?
            .into_iter()
            .map(|(kind, bits)| match kind.parse() {
                Ok(kind) if bits <= 256 => Ok((kind, bits)),
                _ => Err(D::Error::custom(ALLOWED)),
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

impl JsonSchema for Pow {
    fn schema_name() -> Cow<'static, str> {
        "Pow".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "propertyNames": { "pattern": "^[0-9]{1,5}$" },
            "additionalProperties": { "type": "integer", "minimum": 0, "maximum": 256 },
            "x-allowed": ALLOWED
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c06_bits_are_looked_up_by_kind() {
        let pow: Pow = toml::from_str("0 = 20\n9007 = 28").expect("table");
        assert_eq!((pow.bits(0), pow.bits(9007), pow.bits(1)), (20, 28, 0));
        assert_eq!(pow.iter().collect::<Vec<_>>(), [(0, 20), (9007, 28)]);
        for bad in ["1 = 257", "65536 = 1", "one = 1", "1 = -1", "1 = \"20\""] {
            assert!(toml::from_str::<Pow>(bad).is_err(), "{bad}");
        }
    }
}
