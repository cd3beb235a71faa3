//! A set of event kinds as operators write it: numbers and half-open `[start, end)` ranges in one list.
//!
//! Invariant: ranges are sorted, disjoint and not adjacent, so equal sets are equal values.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error;
use serde::ser::SerializeSeq;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::ops::Range;

/// What a list of kinds may look like; error messages and the JSON Schema quote it.
pub(crate) const ALLOWED: &str =
    "a list of kinds (0 to 65535) and [start, end) ranges, such as [1, 445, [1000, 2000]]";

/// One past the highest kind.
const END: u32 = 65_536;

/// A set of event kinds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Kinds(Vec<Range<u32>>);

impl Kinds {
    /// True if `kind` is in the set.
    pub fn contains(&self, kind: u16) -> bool {
        let kind = u32::from(kind);
        let after = self.0.partition_point(|range| range.start <= kind);
        after > 0 && kind < self.0[after - 1].end
    }

    /// True if no kind is in the set.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Every kind of the set in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = u16> + '_ {
        self.0
            .iter()
            .cloned()
            .flatten()
            .filter_map(|kind| u16::try_from(kind).ok())
    }

    /// The half-open ranges that make up the set, ascending and disjoint.
    pub fn ranges(&self) -> &[Range<u32>] {
        &self.0
    }

    fn from_ranges(mut ranges: Vec<Range<u32>>) -> Self {
        ranges.sort_by_key(|range| (range.start, range.end));
        let mut merged: Vec<Range<u32>> = Vec::with_capacity(ranges.len());
        for range in ranges {
            match merged.last_mut() {
                Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
                _ => merged.push(range),
            }
        }
        Self(merged)
    }
}

impl FromIterator<u16> for Kinds {
    fn from_iter<I: IntoIterator<Item = u16>>(kinds: I) -> Self {
        Self::from_ranges(
            kinds
                .into_iter()
                .map(|kind| u32::from(kind)..u32::from(kind) + 1)
                .collect(),
        )
    }
}

impl<const N: usize> From<[u16; N]> for Kinds {
    fn from(kinds: [u16; N]) -> Self {
        kinds.into_iter().collect()
    }
}

/// One element of the list.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Item {
    One(u32),
    Range([u32; 2]),
}

impl Serialize for Kinds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.0.len()))?;
        for range in &self.0 {
            let one = range.end - range.start == 1;
            list.serialize_element(&if one {
                Item::One(range.start)
            } else {
                Item::Range([range.start, range.end])
            })?;
        }
        list.end()
    }
}

impl<'de> Deserialize<'de> for Kinds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let items =
            Vec::<Item>::deserialize(deserializer).map_err(|_| D::Error::custom(ALLOWED))?;
        let ranges: Vec<_> = items
            .into_iter()
            .map(|item| match item {
                Item::One(kind) => kind..kind.saturating_add(1),
                Item::Range([start, end]) => start..end,
            })
            .collect();
        if ranges
            .iter()
            .any(|range| range.is_empty() || range.end > END)
        {
            return Err(D::Error::custom(ALLOWED));
        }
        Ok(Self::from_ranges(ranges))
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
