//! Turns, by blob: what changes a blob in the storage and in the index goes one after the other.
//!
//! Invariant: as many entries as there are changes under way or waiting, and about as many again.

use crate::blob::BlobHash;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use tokio::sync::OwnedMutexGuard;

/// So many entries are never looked through.
const FEW: usize = 64;

/// Turns, by blob.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    entries: Mutex<Entries>,
}

#[derive(Debug, Default)]
struct Entries {
    by_hash: HashMap<BlobHash, Weak<tokio::sync::Mutex<()>>>,
    /// With so many, those that nobody has are removed.
    full: usize,
}

/// Nobody else changes the blob while this is held.
#[derive(Debug)]
pub(crate) struct Turn {
    _guard: OwnedMutexGuard<()>,
}

impl Turns {
    /// Waits for a blob's turn.
    pub(crate) async fn take(&self, hash: &BlobHash) -> Turn {
        let turn = self.entry(hash);
        Turn {
            _guard: turn.lock_owned().await,
        }
    }

    /// A blob's turn, unless somebody has it.
    pub(crate) fn try_take(&self, hash: &BlobHash) -> Option<Turn> {
        let guard = self.entry(hash).try_lock_owned().ok()?;
        Some(Turn { _guard: guard })
    }

    fn entry(&self, hash: &BlobHash) -> Arc<tokio::sync::Mutex<()>> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(turn) = entries.by_hash.get(hash).and_then(Weak::upgrade) {
            return turn;
        }
        if entries.by_hash.len() >= entries.full {
            entries.by_hash.retain(|_, turn| turn.strong_count() > 0);
            entries.full = FEW.max(2 * entries.by_hash.len());
        }
        let turn = Arc::default();
        entries.by_hash.insert(*hash, Arc::downgrade(&turn));
        turn
    }
}
