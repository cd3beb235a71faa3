//! Which groups a key belongs to, for those who asked for messages without naming a group. Bounded by keys.
//!
//! Invariant: an answer that was on its way while the groups of its key changed is not kept, and none is believed for longer
//! than it is told, since a roster may have lost a key that it is not known to have had.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, PoisonError, RwLock};
use trellis_relay::event::PublicKey;

/// Groups by key.
#[derive(Debug)]
pub(super) struct Keys {
    known: RwLock<Known>,
    hasher: RandomState,
    keys_max: usize,
    ttl_ms: u64,
}

#[derive(Debug)]
struct Known {
    groups: HashMap<PublicKey, Entry>,
    /// One of these rises whenever a key is forgotten; keys share them, so that they are few and changes of other groups
    /// hardly ever count.
    turns: Vec<u64>,
}

#[derive(Debug)]
struct Entry {
    groups: Arc<[String]>,
    /// On the monotonic clock.
    asked_at_ms: u64,
}

const TURNS: usize = 4096;

impl Keys {
    pub(super) fn new(keys_max: usize, ttl_ms: u64) -> Self {
        let known = Known {
            groups: HashMap::new(),
            turns: vec![0; TURNS],
        };
        Keys {
            known: RwLock::new(known),
            hasher: RandomState::new(),
            keys_max,
            ttl_ms,
        }
    }

    pub(super) fn get(&self, pubkey: &PublicKey, now_ms: u64) -> Option<Arc<[String]>> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let entry = known.groups.get(pubkey)?;
        let is_young = now_ms.saturating_sub(entry.asked_at_ms) < self.ttl_ms;
        is_young.then(|| entry.groups.clone())
    }

    /// To be asked before the database is.
    pub(super) fn turn(&self, pubkey: &PublicKey) -> u64 {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.turns[self.place(pubkey)]
    }

    /// Keeps an answer, unless the key's groups changed since `turn`; whether it was kept.
    pub(super) fn put(
        &self,
        pubkey: PublicKey,
        groups: Arc<[String]>,
        turn: u64,
        asked_at_ms: u64,
    ) -> bool {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.turns[self.place(&pubkey)] != turn {
            return false;
        }
        if known.groups.len() >= self.keys_max {
            // Those that are asked for will be there again soon.
            known.groups.clear();
        }
        let entry = Entry {
            groups,
            asked_at_ms,
        };
        known.groups.insert(pubkey, entry);
        true
    }

    /// The groups of these keys changed.
    pub(super) fn forget<'a>(&self, pubkeys: impl IntoIterator<Item = &'a PublicKey>) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        for pubkey in pubkeys {
            known.turns[self.place(pubkey)] += 1;
            known.groups.remove(pubkey);
        }
    }

    /// The groups of any key may have changed.
    pub(super) fn clear(&self) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.groups.clear();
        for turn in &mut known.turns {
            *turn += 1;
        }
    }

    fn place(&self, pubkey: &PublicKey) -> usize {
        self.hasher.hash_one(pubkey) as usize % TURNS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> PublicKey {
        PublicKey::from_byte_array([byte; 32])
    }

    #[test]
    fn m22_changes_for_other_keys_do_not_lose_an_answer() {
        let keys = Keys::new(100, 1_000);
        let mine = key(1);
        let others: Vec<_> = (2..=200).map(key).collect();
        let mut others = others
            .iter()
            .filter(|it| keys.place(it) != keys.place(&mine));
        let turn = keys.turn(&mine);
        keys.forget(others.by_ref().take(100));
        assert!(keys.put(mine, Arc::default(), turn, 0));
        keys.forget(others);
        assert!(keys.get(&mine, 0).is_some());
        let turn = keys.turn(&mine);
        keys.forget([&mine]);
        assert!(
            !keys.put(mine, Arc::default(), turn, 0),
            "it changed meanwhile"
        );
        let turn = keys.turn(&mine);
        keys.clear();
        assert!(
            !keys.put(mine, Arc::default(), turn, 0),
            "all may have changed"
        );
    }

    #[test]
    fn m31_what_is_known_of_a_key_has_an_age() {
        let keys = Keys::new(100, 1_000);
        let mine = key(1);
        assert!(keys.put(mine, Arc::default(), keys.turn(&mine), 500));
        assert!(keys.get(&mine, 1_499).is_some());
        assert!(keys.get(&mine, 1_500).is_none());
    }
}
