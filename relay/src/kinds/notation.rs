//! How operators write a set of kinds: numbers and half-open `[start, end)` ranges in one list.

use super::Kinds;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error;
use serde::ser::SerializeSeq;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;

/// What a list of kinds may look like; error messages and the JSON Schema quote it.
const ALLOWED: &str =
    "a list of kinds (0 to 65535) and [start, end) ranges, such as [1, 445, [1000, 2000]]";

/// One element of the list.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Item {
    One(u32),
    Range([u32; 2]),
}

impl Serialize for Kinds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.ranges().len()))?;
        for &(first, last) in self.ranges() {
            list.serialize_element(&if first == last {
                Item::One(first.into())
            } else {
                Item::Range([first.into(), u32::from(last) + 1])
            })?;
        }
        list.end()
    }
}

impl<'de> Deserialize<'de> for Kinds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let items =
            Vec::<Item>::deserialize(deserializer).map_err(|_| D::Error::custom(ALLOWED))?;
        let ranges: Option<Vec<_>> = items
            .into_iter()
            .map(|item| {
                let (first, last) = match item {
                    Item::One(kind) => (kind, kind),
                    Item::Range([start, end]) => (start, end.checked_sub(1)?),
                };
                let range = (u16::try_from(first).ok()?, u16::try_from(last).ok()?);
                (range.0 <= range.1).then_some(range)
            })
            .collect();
        match ranges {
            Some(ranges) => Ok(Self::from_ranges(ranges)),
            None => Err(D::Error::custom(ALLOWED)),
        }
    }
}

impl JsonSchema for Kinds {
    fn schema_name() -> Cow<'static, str> {
        "Kinds".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "array",
            "items": { "anyOf": [
                { "type": "integer", "minimum": 0, "maximum": 65_535 },
                {
                    "type": "array",
                    "items": { "type": "integer", "minimum": 0, "maximum": 65_536 },
                    "minItems": 2,
                    "maxItems": 2
                }
            ] },
            "x-allowed": ALLOWED
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Kinds, serde_json::Error> {
        serde_json::from_str(json)
    }

    #[test]
    fn c12_kinds_are_numbers_and_half_open_ranges() {
        let kinds = read("[445, [443, 445], [1000, 2000], 0, 65535]").expect("kinds");
        for (kind, inside) in [
            (0, true),
            (1, false),
            (443, true),
            (444, true),
            (445, true),
            (446, false),
            (1999, true),
            (2000, false),
            (65535, true),
        ] {
            assert_eq!(kinds.contains(kind), inside, "{kind}");
        }
        assert_eq!(
            serde_json::to_string(&kinds).expect("json"),
            "[0,[443,446],[1000,2000],65535]"
        );
        assert_eq!(kinds.iter().count(), 1 + 3 + 1000 + 1);
    }

    #[test]
    fn c12_kinds_that_make_no_sense_are_refused() {
        for bad in [
            "[65536]",
            "[-1]",
            "[[5, 5]]",
            "[[7, 3]]",
            "[[1, 2, 3]]",
            "[[0, 65537]]",
            r#"["1"]"#,
            "[1.5]",
            "7",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
