//! Strays in memory ([`crate::state::Stray`]): whoever asks whether an event is a group's must not wait for a row.
//!
//! Invariant: an event that is not here is the group's, so what is forgotten is hidden and not shown. Those that are stored
//! are bounded where they are admitted; those that pass, by their number here.

use crate::state::Stray;
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{PoisonError, RwLock};
use trellis_relay::extension::prelude::*;

/// Ephemeral events are on their way for so long at most, in events that came after them.
const PASSING_MAX: usize = 1_000;

/// All strays, by the group that they name.
#[derive(Default)]
pub(crate) struct Strays {
    inner: RwLock<Inner>,
    /// So that nobody locks anything while there is none, which is nearly always.
    count: AtomicUsize,
}

#[derive(Default)]
struct Inner {
    by_group: HashMap<String, HashMap<EventId, Stray>>,
    /// Those that are not stored, oldest first.
    passing: VecDeque<(String, EventId)>,
}

impl Strays {
    /// What was found of an event that is about to be stored, or is.
    pub(crate) fn note(&self, id: &str, event: &EventId, stray: Option<Stray>) {
        if stray.is_none() && self.count.load(Relaxed) == 0 {
            return;
        }
        self.change(|inner| match stray {
            Some(stray) => inner.add(id, event, stray),
            None => inner.remove(id, event),
        });
    }

    /// An ephemeral event is on its way.
    pub(crate) fn pass(&self, id: &str, event: &EventId, stray: Stray) {
        self.change(|inner| {
            inner.add(id, event, stray);
            inner.passing.push_back((id.to_owned(), *event));
            if inner.passing.len() > PASSING_MAX
                && let Some((id, event)) = inner.passing.pop_front()
            {
                inner.remove(&id, &event);
            }
        });
    }

    /// Whether an event that names a group is not the group's.
    pub(crate) fn find(&self, id: &str, event: &EventId) -> Option<Stray> {
        if self.count.load(Relaxed) == 0 {
            return None;
        }
        let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner);
        inner.by_group.get(id)?.get(event).copied()
    }

    /// How many there are that are stored.
    pub(crate) fn stored(&self) -> usize {
        let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner);
        inner.len().saturating_sub(inner.passing.len())
    }

    /// The group is gone, and all that named it.
    pub(crate) fn forget_group(&self, id: &str) {
        if self.count.load(Relaxed) > 0 {
            self.change(|inner| drop(inner.by_group.remove(id)));
        }
    }

    fn change(&self, change: impl FnOnce(&mut Inner)) {
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        change(&mut inner);
        self.count.store(inner.len(), Relaxed);
    }
}

impl Inner {
    fn add(&mut self, id: &str, event: &EventId, stray: Stray) {
        let group = self.by_group.entry(id.to_owned()).or_default();
        group.insert(*event, stray);
    }

    fn remove(&mut self, id: &str, event: &EventId) {
        if let Some(group) = self.by_group.get_mut(id) {
            group.remove(event);
            if group.is_empty() {
                self.by_group.remove(id);
            }
        }
    }

    fn len(&self) -> usize {
        self.by_group.values().map(HashMap::len).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn g4_strays_that_pass_are_bounded_and_stored_ones_stay() {
        let strays = Strays::default();
        let event = |number: usize| {
            EventId::from_byte_array(std::array::from_fn(|place| {
                number.to_be_bytes().get(place).copied().unwrap_or_default()
            }))
        };
        let stray = Stray {
            is_kept_from_members: true,
        };
        strays.note("one", &event(0), Some(stray));
        for number in 1..=PASSING_MAX + 5 {
            strays.pass("one", &event(number), stray);
        }
        assert_eq!(strays.find("one", &event(0)), Some(stray));
        assert_eq!(strays.find("two", &event(0)), None);
        assert_eq!(strays.find("one", &event(5)), None);
        assert_eq!(strays.find("one", &event(6)), Some(stray));
        assert_eq!(strays.stored(), 1);
        strays.note("one", &event(0), None);
        assert_eq!(strays.find("one", &event(0)), None);
    }
}
