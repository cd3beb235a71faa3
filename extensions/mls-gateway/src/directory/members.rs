//! The keys of a roster in one piece, for looks that come with every message and every one who listens.
//!
//! To look a key up in a tree takes twice as many comparisons, and they are calls; and what a thousand groups hold of whole
//! keys is more than fits the processor's caches. Here stands the first half of each key.

use crate::roster::Roster;
use trellis_relay::event::PublicKey;

/// Keys, rising; of each the first 16 bytes. To make a key that begins like one of `n` members' takes some 2^128 / `n` tries,
/// which nobody can make. To make two keys of one's own that begin alike takes 2^64: who is a member by one of them then reads
/// with either.
#[derive(Debug)]
pub(crate) struct Members(Box<[u128]>);

impl Members {
    pub(crate) fn of(roster: &Roster) -> Self {
        Members(roster.members.keys().map(half).collect())
    }

    /// Whether any of these keys is one of them.
    pub(crate) fn has_any(&self, pubkeys: &[PublicKey]) -> bool {
        let has = |key| self.0.binary_search(&half(key)).is_ok();
        pubkeys.iter().any(has)
    }
}

/// Ordered as keys are.
fn half(key: &PublicKey) -> u128 {
    let half = key.as_bytes().first_chunk();
    half.map_or(0, |half| u128::from_be_bytes(*half))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::roster::Role;

    #[test]
    fn m18_all_members_are_found_and_nobody_else() {
        let key = |first: u8, last: u8| {
            let mut bytes = [first; 32];
            bytes[15] = last;
            PublicKey::from_byte_array(bytes)
        };
        let keys = |lasts: &[u8]| -> Vec<PublicKey> {
            let of = |first: u8| lasts.iter().map(move |last| key(first, *last));
            [0, 1, 127, 128, 255].into_iter().flat_map(of).collect()
        };
        let (inside, outside) = (keys(&[0, 2, 254]), keys(&[1, 3, 253, 255]));
        let mut roster = Roster::of_owner(inside[0]);
        let others = inside.iter().map(|key| (*key, Role::Member));
        roster.members.extend(others);
        let members = Members::of(&roster);
        assert!(
            inside
                .iter()
                .all(|key| members.has_any(&[outside[0], *key]))
        );
        assert!(!members.has_any(&outside));
        assert!(!members.has_any(&[]));
    }
}
