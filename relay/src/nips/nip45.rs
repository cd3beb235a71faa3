//! NIP-45: registers from which clients estimate how many different authors several relays have counted together.
//!
//! Invariant: which bits of a key are looked at depends on the client's own filter alone, so that registers of different
//! relays can be merged. Not here: which events are counted.

use crate::event::{PublicKey, lowercase_hex};
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use sha2::{Digest as _, Sha256};
use std::fmt;

/// How many registers there are: one for each value of a byte.
const REGISTERS: usize = 256;

/// The registers of one count.
#[derive(Clone, Debug)]
pub struct HyperLogLog {
    /// Which byte of a key chooses the register: 8 to 23.
    offset: usize,
    registers: Box<[u8; REGISTERS]>,
}

impl HyperLogLog {
    /// Empty registers for a filter's JSON; none where the filter has no tag attribute with a value. The order in which
    /// attributes and values stand matters, so this takes the text and not a filter.
    pub fn of_filter(json: &str) -> Option<Self> {
        let FirstTagValue(value) = serde_json::from_str(json).ok()?;
        Some(HyperLogLog {
            offset: offset_for(&value?),
            registers: Box::new([0; REGISTERS]),
        })
    }

    /// Counts an author, who may have been counted before.
    pub fn add(&mut self, author: &PublicKey) {
        let key = author.as_bytes();
        let register = &mut self.registers[usize::from(key[self.offset])];
        let mut rank = 1;
        for byte in &key[self.offset + 1..] {
            rank += byte.leading_zeros() as u8;
            if *byte != 0 {
                break;
            }
        }
        *register = rank.max(*register);
    }

    /// The registers.
    pub fn registers(&self) -> &[u8; REGISTERS] {
        &self.registers
    }
}

/// The 33rd digit of what the value stands for, plus 8.
fn offset_for(value: &str) -> usize {
    let digest: [u8; 32] = lowercase_hex(value)
        .or_else(|| pubkey_of_address(value))
        .unwrap_or_else(|| Sha256::digest(value.as_bytes()).into());
    usize::from(digest[16] >> 4) + 8
}

/// Of `kind:pubkey:d`.
fn pubkey_of_address(value: &str) -> Option<[u8; 32]> {
    let (kind, rest) = value.split_once(':')?;
    let (pubkey, _) = rest.split_once(':')?;
    kind.parse::<u16>().ok()?;
    lowercase_hex(pubkey)
}

/// The first value of the first key that begins with `#`.
struct FirstTagValue(Option<String>);

impl<'de> Deserialize<'de> for FirstTagValue {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        struct Keys;
        impl<'de> Visitor<'de> for Keys {
            type Value = FirstTagValue;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a filter")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<FirstTagValue, A::Error> {
                let mut found = None;
                while let Some(key) = map.next_key::<String>()? {
                    if found.is_none() && key.starts_with('#') {
                        found = Some(map.next_value::<Vec<String>>()?);
                    } else {
                        map.next_value::<IgnoredAny>()?;
                    }
                }
                let first = found.and_then(|values| values.into_iter().next());
                Ok(FirstTagValue(first))
            }
        }
        json.deserialize_map(Keys)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use rand::rngs::StdRng;
    use rand::{Rng as _, SeedableRng as _};

    fn offset(json: &str) -> Option<usize> {
        HyperLogLog::of_filter(json).map(|hll| hll.offset)
    }

    #[test]
    fn c10_hll_offset_is_that_of_the_first_tag_value() {
        // The digit at position 32 is 5, so the offset is 13.
        let hex = "0123456789abcdef0123456789abcdef5123456789abcdef0123456789abcdef";
        let other = "f".repeat(64);
        for (json, expected) in [
            (format!(r##"{{"#e":["{hex}"],"kinds":[7]}}"##), Some(13)),
            (
                format!(r##"{{"kinds":[7],"#p":["{hex}","{other}"]}}"##),
                Some(13),
            ),
            (format!(r##"{{"#p":["{other}","{hex}"]}}"##), Some(23)),
            (
                format!(r##"{{"#z":["{hex}"],"#a":["{other}"]}}"##),
                Some(13),
            ),
            (format!(r##"{{"#a":["30023:{hex}:a:b"]}}"##), Some(13)),
            (format!(r##"{{"#a":["0:{hex}:"]}}"##), Some(13)),
            (r##"{"#t":[]}"##.to_owned(), None),
            (r##"{"kinds":[1]}"##.to_owned(), None),
            ("{}".to_owned(), None),
        ] {
            assert_eq!(offset(&json), expected, "{json}");
        }
    }

    #[test]
    fn c10_hll_offset_of_other_strings_is_that_of_their_hash() {
        let upper = "F".repeat(64);
        let address_like = format!("x:{}:d", "f".repeat(64));
        for value in [
            "nostr",
            "",
            "1:2:3",
            "99999:ab:",
            upper.as_str(),
            &address_like,
        ] {
            let hash = const_hex::encode(Sha256::digest(value.as_bytes()));
            let digit = u8::from_str_radix(&hash[32..33], 16).unwrap();
            let json = format!(r##"{{"#t":["{value}"]}}"##);
            assert_eq!(offset(&json), Some(usize::from(digit) + 8), "{value}");
        }
    }

    #[test]
    fn c10_hll_registers_are_those_of_bits_counted_in_text() {
        let mut hll = HyperLogLog::of_filter(r##"{"#t":["any"]}"##).unwrap();
        let mut expected = [0_u8; REGISTERS];
        let mut random = StdRng::seed_from_u64(45);
        for round in 0..5_000 {
            let mut key: [u8; 32] = random.random();
            if round % 7 == 0 {
                key[hll.offset + 1..hll.offset + 4].fill(0);
            }
            if round == 4_999 {
                key[hll.offset + 1..].fill(0);
            }
            hll.add(&PublicKey::from_byte_array(key));
            let bits: String = key.iter().map(|byte| format!("{byte:08b}")).collect();
            let (chooser, rest) = bits[hll.offset * 8..].split_at(8);
            let register = usize::from_str_radix(chooser, 2).unwrap();
            let zeros = rest.find('1').unwrap_or(rest.len()) as u8;
            expected[register] = expected[register].max(zeros + 1);
        }
        assert_eq!(*hll.registers(), expected);
    }
}
