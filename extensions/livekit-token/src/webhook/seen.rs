//! Which webhooks have come: LiveKit sends one again whose answer it did not get.
//!
//! Invariant: one counts as dealt with only once it is; what was given up half-way may come again.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The ids of the last webhooks; of more than `ids_max` the oldest are forgotten.
#[derive(Clone)]
pub(crate) struct Seen {
    ids_max: usize,
    ids: Arc<Mutex<Ids>>,
}

#[derive(Default)]
struct Ids {
    known: HashMap<String, State>,
    in_order: VecDeque<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    UnderWay,
    Done,
}

/// What a webhook is.
pub(super) enum Begun {
    /// It comes for the first time, or was given up before.
    New(Dealing),
    /// The same is being dealt with.
    UnderWay,
    /// It has been dealt with.
    Done,
}

/// A webhook is being dealt with. Dropped before [`Dealing::done`] it is forgotten, so that it may come again.
pub(super) struct Dealing {
    seen: Seen,
    /// Empty where it has none.
    id: String,
}

impl Seen {
    pub(crate) fn new(ids_max: usize) -> Self {
        Seen {
            ids_max,
            ids: Arc::default(),
        }
    }

    /// Begins to deal with one. One without an id is always new.
    pub(super) fn begin(&self, id: &str) -> Begun {
        let dealing = || Dealing {
            seen: self.clone(),
            id: id.to_owned(),
        };
        if id.is_empty() {
            return Begun::New(dealing());
        }
        let mut ids = self.lock();
        match ids.known.get(id) {
            Some(State::UnderWay) => return Begun::UnderWay,
            Some(State::Done) => return Begun::Done,
            None => {}
        }
        ids.known.insert(id.to_owned(), State::UnderWay);
        ids.in_order.push_back(id.to_owned());
        if ids.in_order.len() > self.ids_max
            && let Some(oldest) = ids.in_order.pop_front()
        {
            ids.known.remove(&oldest);
        }
        drop(ids);
        Begun::New(dealing())
    }

    fn lock(&self) -> MutexGuard<'_, Ids> {
        self.ids.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Dealing {
    /// It has been dealt with, and changes nothing when it comes again.
    pub(super) fn done(self) {
        if let Some(state) = self.seen.lock().known.get_mut(&self.id) {
            *state = State::Done;
        }
    }
}

impl Drop for Dealing {
    fn drop(&mut self) {
        let mut ids = self.seen.lock();
        if ids.known.get(&self.id) == Some(&State::UnderWay) {
            ids.known.remove(&self.id);
            ids.in_order.retain(|it| *it != self.id);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// Deals with one; whether it was new.
    fn deal(seen: &Seen, id: &str) -> bool {
        match seen.begin(id) {
            Begun::New(dealing) => {
                dealing.done();
                true
            }
            Begun::UnderWay | Begun::Done => false,
        }
    }

    #[test]
    fn l8_the_last_webhooks_are_remembered_and_no_more() {
        let seen = Seen::new(2);
        assert!(deal(&seen, "1") && deal(&seen, "2"));
        assert!(!deal(&seen, "1") && !deal(&seen, "2"));
        assert!(deal(&seen, "3"));
        assert!(!deal(&seen, "2") && deal(&seen, "1"));
        assert_eq!(seen.lock().known.len(), 2);
        assert!(deal(&seen, "") && deal(&seen, ""));
    }

    #[test]
    fn l8_a_webhook_that_was_given_up_half_way_may_come_again() {
        let seen = Seen::new(2);
        let Begun::New(dealing) = seen.begin("1") else {
            panic!("it is new");
        };
        assert!(matches!(seen.begin("1"), Begun::UnderWay));
        drop(dealing);
        assert!(deal(&seen, "1") && !deal(&seen, "1"));
        assert_eq!(seen.lock().in_order.len(), 1);
    }
}
