//! Which groups a key belongs to, for those who asked for messages without naming a group. Bounded by keys.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use trellis_relay::event::PublicKey;

/// Groups by key.
#[derive(Debug)]
pub(super) struct Keys {
    known: RwLock<Known>,
    keys_max: usize,
}

#[derive(Debug, Default)]
struct Known {
    groups: HashMap<PublicKey, Arc<[String]>>,
    /// Rises whenever something is forgotten, so that an answer that was on its way meanwhile is not kept.
    turn: u64,
}

impl Keys {
    pub(super) fn new(keys_max: usize) -> Self {
        Keys {
            known: RwLock::default(),
            keys_max,
        }
    }

    pub(super) fn get(&self, pubkey: &PublicKey) -> Option<Arc<[String]>> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.groups.get(pubkey).cloned()
    }

    /// To be asked before the database is.
    pub(super) fn turn(&self) -> u64 {
        self.known
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .turn
    }

    /// Keeps an answer, unless something changed since `turn`.
    pub(super) fn put(&self, pubkey: PublicKey, groups: Arc<[String]>, turn: u64) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.turn != turn {
            return;
        }
        if known.groups.len() >= self.keys_max {
            // Those that are asked for will be there again soon.
            known.groups.clear();
        }
        known.groups.insert(pubkey, groups);
    }

    /// The groups of these keys changed.
    pub(super) fn forget(&self, pubkeys: &[PublicKey]) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.turn += 1;
        for pubkey in pubkeys {
            known.groups.remove(pubkey);
        }
    }
}
