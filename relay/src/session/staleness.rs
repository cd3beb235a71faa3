//! What of a session is to be looked at anew since an extension said that what its viewer may see has changed.
//!
//! Invariant: one look at a time, so that changes that come fast make no more work than they have to; whoever looks goes on
//! until nothing is stale.

use crate::kinds::Kinds;
use std::cell::{Cell, RefCell};

/// Of one session.
#[derive(Debug, Default)]
pub struct Staleness {
    changes: Cell<u64>,
    kinds: RefCell<Kinds>,
    is_looking: Cell<bool>,
}

impl Staleness {
    /// Counts a change, for those who have begun before it and end after it.
    pub fn count_change(&self) {
        self.changes.set(self.changes.get() + 1);
    }

    /// How often something has changed.
    pub fn changes(&self) -> u64 {
        self.changes.get()
    }

    /// Notes that these kinds are to be looked at. True where nobody is looking yet: the caller has to.
    pub fn add(&self, kinds: &Kinds) -> bool {
        let stale = self.kinds.take() | kinds.clone();
        self.kinds.replace(stale);
        !self.is_looking.replace(true)
    }

    /// The kinds to look at; `None` ends the look, since nothing is stale.
    pub fn take(&self) -> Option<Kinds> {
        let kinds = self.kinds.take();
        if kinds.is_empty() {
            self.is_looking.set(false);
            return None;
        }
        Some(kinds)
    }
}
