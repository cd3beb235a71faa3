//! A set of keys or ids that is copied in no time and changed one entry at a time.
//!
//! Invariant: copies share what they have in common. The set is cut into parts by hash, and a change copies one part,
//! so that one more entry beside 100,000 costs as much as beside 400.

use hashbrown::{DefaultHashBuilder, HashSet};
use std::hash::{BuildHasher as _, Hash};
use std::sync::Arc;

const PARTS: usize = 256;

/// The set.
#[derive(Clone, Debug)]
pub struct KeySet<K> {
    /// Empty, or [`PARTS`] of them.
    parts: Arc<Vec<Arc<HashSet<K>>>>,
    hasher: DefaultHashBuilder,
    len: usize,
}

impl<K: Copy + Eq + Hash> KeySet<K> {
    /// Whether the key is in the set.
    #[inline]
    pub fn contains(&self, key: &K) -> bool {
        self.len > 0 && self.parts[self.part(key)].contains(key)
    }

    /// Puts the key into the set or takes it out.
    pub fn set(&mut self, key: K, present: bool) {
        if self.contains(&key) == present {
            return;
        }
        if self.parts.is_empty() {
            self.parts = Arc::new(vec![Arc::default(); PARTS]);
        }
        let part = self.part(&key);
        let part = Arc::make_mut(&mut Arc::make_mut(&mut self.parts)[part]);
        if present {
            part.insert(key);
            self.len += 1;
        } else {
            part.remove(&key);
            self.len -= 1;
        }
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// True if there is no key.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The keys, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &K> {
        self.parts.iter().flat_map(|part| part.iter())
    }

    fn part(&self, key: &K) -> usize {
        (self.hasher.hash_one(key) >> 56) as usize % PARTS
    }
}

impl<K> Default for KeySet<K> {
    fn default() -> Self {
        KeySet {
            parts: Arc::default(),
            hasher: DefaultHashBuilder::default(),
            len: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c15_copies_of_a_set_go_their_own_ways() {
        let mut old = KeySet::default();
        for key in 0..10_000u32 {
            old.set(key, true);
            old.set(key, true);
        }
        let mut new = old.clone();
        new.set(7, false);
        new.set(20_000, true);
        assert_eq!((old.len(), new.len()), (10_000, 10_000));
        assert!(old.contains(&7) && !old.contains(&20_000));
        assert!(!new.contains(&7) && new.contains(&20_000));
        assert_eq!(new.iter().count(), 10_000);
        assert!(!KeySet::default().contains(&1u32));
    }
}
