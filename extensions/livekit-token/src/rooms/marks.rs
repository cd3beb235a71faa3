//! What has to be looked at again.
//!
//! Invariant: bounded; where too much waits, everything is looked at.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use tokio::sync::Notify;
use trellis_relay::extension::prelude::*;

/// So much may wait.
const WAITING_MAX: usize = 4096;

#[derive(Default)]
pub(super) struct Marks {
    waiting: Mutex<Waiting>,
    bell: Notify,
}

/// What waits.
#[derive(Default)]
pub(super) struct Waiting {
    pub(super) everything: bool,
    /// By name of the room.
    pub(super) rooms: BTreeSet<String>,
    /// Communities, and all that they or their lists have to do with.
    pub(super) communities: BTreeSet<PublicKey>,
}

impl Marks {
    pub(super) fn everything(&self) {
        self.add(|waiting| waiting.everything = true);
    }

    pub(super) fn rooms(&self, names: impl IntoIterator<Item = String>) {
        self.add(|waiting| waiting.rooms.extend(names));
    }

    pub(super) fn community(&self, key: PublicKey) {
        self.add(|waiting| {
            waiting.communities.insert(key);
        });
    }

    /// Takes what waits.
    pub(super) fn take(&self) -> Waiting {
        std::mem::take(&mut *self.lock())
    }

    /// Puts back what could not be looked at.
    pub(super) fn put_back(&self, left: Waiting) {
        self.add(|waiting| {
            waiting.everything |= left.everything;
            waiting.rooms.extend(left.rooms);
            waiting.communities.extend(left.communities);
        });
    }

    /// Waits until something waits.
    pub(super) async fn rung(&self) {
        self.bell.notified().await;
    }

    fn add(&self, add: impl FnOnce(&mut Waiting)) {
        let mut waiting = self.lock();
        add(&mut waiting);
        if waiting.rooms.len() + waiting.communities.len() > WAITING_MAX {
            *waiting = Waiting {
                everything: true,
                ..Waiting::default()
            };
        }
        drop(waiting);
        self.bell.notify_one();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
