//! What is taken away before memory knows: between the commit of a removal and the moment when memory has followed it,
//! messages may be on their way out.
//!
//! Invariant: it only ever hides. A note is no state: where its event is not stored in the end, or was followed by an instance
//! that this one took the place of, the group is read again and the note dropped ([`Directory::settle_old`]).
//!
//! [`Directory::settle_old`]: super::Directory::settle_old

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{PoisonError, RwLock};
use std::time::{Duration, Instant};
use trellis_relay::extension::prelude::*;

/// Whose right an event takes away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Withheld {
    /// These users', or nobody's.
    Users(Vec<PublicKey>),
    /// That of all who are no members: to read what is sent to the group, or to know of it.
    Strangers { is_private: bool, is_hidden: bool },
    /// Everybody's.
    All,
}

/// Notes of events that memory has not followed yet.
#[derive(Default)]
pub(super) struct Pending {
    notes: RwLock<HashMap<String, Vec<Note>>>,
    /// So that nobody locks anything while there is none, which is nearly always.
    count: AtomicUsize,
}

struct Note {
    event: EventId,
    what: Withheld,
    since: Instant,
}

impl Pending {
    pub(super) fn add(&self, id: &str, event: &EventId, what: Withheld) {
        let mut notes = self.notes.write().unwrap_or_else(PoisonError::into_inner);
        let group = notes.entry(id.to_owned()).or_default();
        // A store may run a batch again.
        if group.iter().all(|note| note.event != *event) {
            group.push(Note {
                event: *event,
                what,
                since: Instant::now(),
            });
        }
        self.count(&notes);
    }

    pub(super) fn remove(&self, events: &[EventId]) {
        if self.count.load(Relaxed) == 0 {
            return;
        }
        let mut notes = self.notes.write().unwrap_or_else(PoisonError::into_inner);
        for group in notes.values_mut() {
            group.retain(|note| !events.contains(&note.event));
        }
        notes.retain(|_, group| !group.is_empty());
        self.count(&notes);
    }

    /// Groups with notes that are older than this, and the events of those.
    pub(super) fn older_than(&self, age: Duration) -> Vec<(String, Vec<EventId>)> {
        if self.count.load(Relaxed) == 0 {
            return Vec::new();
        }
        let notes = self.notes.read().unwrap_or_else(PoisonError::into_inner);
        let old = notes.iter().map(|(id, group)| {
            let old = group.iter().filter(|note| note.since.elapsed() > age);
            (id.clone(), old.map(|note| note.event).collect::<Vec<_>>())
        });
        old.filter(|(_, events)| !events.is_empty()).collect()
    }

    /// Whether there is any note about the group.
    pub(super) fn has(&self, id: &str) -> bool {
        self.any(id, |_| true)
    }

    /// Whether a user's right is withheld.
    pub(super) fn withholds(&self, id: &str, user: &PublicKey) -> bool {
        self.any(id, |what| match what {
            Withheld::Users(users) => users.contains(user),
            Withheld::Strangers { .. } => false,
            Withheld::All => true,
        })
    }

    /// Whether strangers are kept away.
    pub(super) fn closes(&self, id: &str) -> bool {
        self.any(id, |what| match what {
            Withheld::Users(_) => false,
            Withheld::Strangers { is_private, .. } => *is_private,
            Withheld::All => true,
        })
    }

    /// Whether the group is hidden from them.
    pub(super) fn hides(&self, id: &str) -> bool {
        self.any(id, |what| match what {
            Withheld::Users(_) => false,
            Withheld::Strangers { is_hidden, .. } => *is_hidden,
            Withheld::All => true,
        })
    }

    fn any(&self, id: &str, is_meant: impl Fn(&Withheld) -> bool) -> bool {
        if self.count.load(Relaxed) == 0 {
            return false;
        }
        let notes = self.notes.read().unwrap_or_else(PoisonError::into_inner);
        let mut notes = notes.get(id).into_iter().flatten();
        notes.any(|note| is_meant(&note.what))
    }

    fn count(&self, notes: &HashMap<String, Vec<Note>>) {
        let count = notes.values().map(Vec::len).sum();
        self.count.store(count, Relaxed);
    }
}
