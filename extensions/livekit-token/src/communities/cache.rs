//! Communities that were read, and those of which nothing is known, within bounds.
//!
//! Invariant: what was read before something of the community changed is not kept; of what is beyond the bounds the longest
//! unused goes.

use super::community::Community;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use trellis_relay::extension::prelude::*;

pub(super) struct Cache {
    communities_max: usize,
    /// Members of all of them.
    members_max: usize,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    /// Counts uses.
    now: u64,
    /// Counts changes.
    change: u64,
    weight: usize,
    kept: HashMap<PublicKey, Kept>,
}

struct Kept {
    community: Option<Arc<Community>>,
    used_at: u64,
}

/// When something was begun to be read.
pub(super) struct Since(u64);

impl Cache {
    pub(super) fn new(communities_max: usize, members_max: usize) -> Self {
        Cache {
            communities_max,
            members_max,
            inner: Mutex::default(),
        }
    }

    /// What is kept: `Some(None)` is a community of which nothing is known. An `Err` is to be handed to [`Cache::keep`]
    /// once it has been read.
    pub(super) fn get(&self, key: &PublicKey) -> Result<Option<Arc<Community>>, Since> {
        let mut inner = self.lock();
        inner.now += 1;
        let (now, change) = (inner.now, inner.change);
        match inner.kept.get_mut(key) {
            Some(kept) => {
                kept.used_at = now;
                Ok(kept.community.clone())
            }
            None => Err(Since(change)),
        }
    }

    pub(super) fn keep(&self, key: PublicKey, community: Option<Arc<Community>>, since: &Since) {
        let mut inner = self.lock();
        if inner.change != since.0 {
            return;
        }
        inner.remove(&key);
        inner.now += 1;
        let used_at = inner.now;
        inner.weight += weight(community.as_ref());
        inner.kept.insert(key, Kept { community, used_at });
        while inner.kept.len() > self.communities_max
            || inner.weight > self.members_max.saturating_add(inner.kept.len())
        {
            let oldest = inner.kept.iter().min_by_key(|(_, kept)| kept.used_at);
            let Some(oldest) = oldest.map(|(key, _)| *key) else {
                break;
            };
            inner.remove(&oldest);
        }
    }

    /// Something of this community has changed. Whether anything was known of it.
    pub(super) fn forget(&self, key: &PublicKey) -> bool {
        let mut inner = self.lock();
        inner.change += 1;
        inner.remove(key)
    }

    /// Anything may have changed.
    pub(super) fn forget_all(&self) {
        let mut inner = self.lock();
        inner.change += 1;
        inner.weight = 0;
        inner.kept.clear();
    }

    /// Whether there is one of which something is known.
    pub(super) fn has_any(&self) -> bool {
        self.lock().kept.values().any(|it| it.community.is_some())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn remove(&mut self, key: &PublicKey) -> bool {
        let Some(kept) = self.kept.remove(key) else {
            return false;
        };
        self.weight -= weight(kept.community.as_ref());
        kept.community.is_some()
    }
}

fn weight(community: Option<&Arc<Community>>) -> usize {
    community.map_or(1, |it| it.weight())
}
