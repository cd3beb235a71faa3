//! A map of bounded size that forgets what was not asked for longest.
//!
//! Invariant: never more than `capacity` entries; each operation takes constant time. Entries form a doubly linked list
//! through a slab, most recent first.

use hashbrown::HashMap;
use std::hash::Hash;

/// No entry.
const NONE: usize = usize::MAX;

/// A map of bounded size that forgets what was not asked for longest.
#[derive(Debug)]
pub(super) struct RecencyMap<K, V> {
    capacity: usize,
    places: HashMap<K, usize>,
    entries: Vec<Entry<K, V>>,
    newest: usize,
    oldest: usize,
}

#[derive(Debug)]
struct Entry<K, V> {
    key: K,
    value: V,
    newer: usize,
    older: usize,
}

impl<K: Clone + Eq + Hash, V> RecencyMap<K, V> {
    /// An empty map for at most so many entries, at least one. Memory is taken as entries come.
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            capacity: capacity.max(1),
            places: HashMap::new(),
            entries: Vec::new(),
            newest: NONE,
            oldest: NONE,
        }
    }

    /// Entries there can be.
    pub(super) fn capacity(&self) -> usize {
        self.capacity
    }

    /// Entries there are.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The value of a key, made if there is none; the key counts as asked for.
    pub(super) fn get_or_insert_with(&mut self, key: K, make: impl FnOnce() -> V) -> &mut V {
        let place = match self.places.get(&key) {
            Some(place) => {
                let place = *place;
                self.unlink(place);
                place
            }
            None => self.insert(key, make()),
        };
        self.link_newest(place);
        &mut self.entries[place].value
    }

    /// Puts a value where there is room, or where the oldest was; unlinked yet.
    fn insert(&mut self, key: K, value: V) -> usize {
        let entry = Entry {
            key: key.clone(),
            value,
            newer: NONE,
            older: NONE,
        };
        let place = if self.entries.len() < self.capacity {
            self.entries.push(entry);
            self.entries.len() - 1
        } else {
            let place = self.oldest;
            self.unlink(place);
            self.places.remove(&self.entries[place].key);
            self.entries[place] = entry;
            place
        };
        self.places.insert(key, place);
        place
    }

    fn unlink(&mut self, place: usize) {
        let (newer, older) = (self.entries[place].newer, self.entries[place].older);
        match newer {
            NONE => self.newest = older,
            newer => self.entries[newer].older = older,
        }
        match older {
            NONE => self.oldest = newer,
            older => self.entries[older].newer = newer,
        }
    }

    fn link_newest(&mut self, place: usize) {
        let older = self.newest;
        self.entries[place].newer = NONE;
        self.entries[place].older = older;
        match older {
            NONE => self.oldest = place,
            older => self.entries[older].newer = place,
        }
        self.newest = place;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Against the obviously right model: a list, most recent first.
        #[test]
        fn c16_the_least_recent_is_forgotten(capacity in 1usize..6, asked in prop::collection::vec(0u8..10, 0..200)) {
            let mut map = RecencyMap::new(capacity);
            let mut model: Vec<(u8, usize)> = Vec::new();
            for (turn, key) in asked.into_iter().enumerate() {
                let value = match model.iter().position(|(known, _)| *known == key) {
                    Some(at) => model.remove(at).1,
                    None => turn,
                };
                model.insert(0, (key, value));
                model.truncate(capacity);
                prop_assert_eq!(*map.get_or_insert_with(key, || turn), value);
                prop_assert_eq!(map.len(), model.len());
            }
        }
    }
}
