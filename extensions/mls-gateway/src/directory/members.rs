//! The keys of a roster in one piece, for looks that come with every message.
//!
//! To look a key up in a tree takes twice as many comparisons, and they are calls.

use crate::roster::Roster;
use std::cmp::Ordering;
use trellis_relay::event::PublicKey;

/// Keys, rising.
#[derive(Debug)]
pub(crate) struct Members(Box<[PublicKey]>);

impl Members {
    pub(crate) fn of(roster: &Roster) -> Self {
        Members(roster.members.keys().copied().collect())
    }

    /// Whether any of these keys is one of them.
    pub(crate) fn has_any(&self, pubkeys: &[PublicKey]) -> bool {
        let has = |key: &PublicKey| self.0.binary_search_by(|it| compare(it, key)).is_ok();
        pubkeys.iter().any(has)
    }
}

/// The order of keys, which their first bytes decide nearly always.
fn compare(one: &PublicKey, other: &PublicKey) -> Ordering {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    let first = |bytes: &[u8; 32]| bytes.first_chunk().map(|first| u64::from_be_bytes(*first));
    first(one).cmp(&first(other)).then_with(|| one.cmp(other))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::roster::Role;

    #[test]
    fn m18_all_members_are_found_and_nobody_else() {
        let key = |first: u8, last: u8| {
            let mut bytes = [first; 32];
            bytes[31] = last;
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
