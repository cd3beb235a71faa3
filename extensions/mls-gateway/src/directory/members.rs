//! The keys of a roster in one piece, for looks that come with every message and every one who listens.
//!
//! To look a key up in a tree takes twice as many comparisons, and they are calls. Here the first bytes of all keys stand
//! together, so that a look stays within a few lines of the processor's cache; they decide nearly always.

use crate::roster::Roster;
use trellis_relay::event::PublicKey;

/// Keys, rising.
#[derive(Debug)]
pub(crate) struct Members {
    /// Of each key the first bytes.
    firsts: Box<[u64]>,
    keys: Box<[PublicKey]>,
}

impl Members {
    pub(crate) fn of(roster: &Roster) -> Self {
        let keys: Box<[PublicKey]> = roster.members.keys().copied().collect();
        Members {
            firsts: keys.iter().map(first).collect(),
            keys,
        }
    }

    /// Whether any of these keys is one of them.
    pub(crate) fn has_any(&self, pubkeys: &[PublicKey]) -> bool {
        pubkeys.iter().any(|key| self.has(key))
    }

    fn has(&self, key: &PublicKey) -> bool {
        let first = first(key);
        let begin = self.firsts.partition_point(|it| *it < first);
        let alike = self.firsts[begin..].iter().zip(&self.keys[begin..]);
        let mut alike = alike.take_while(|(it, _)| **it == first);
        alike.any(|(_, it)| it == key)
    }
}

/// Ordered as keys are.
fn first(key: &PublicKey) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = *key.as_bytes();
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
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
