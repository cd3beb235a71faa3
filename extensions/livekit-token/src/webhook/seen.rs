//! Which webhooks have come: LiveKit sends one again whose answer it did not get.

use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, PoisonError};

/// The ids of the last webhooks; of more than `ids_max` the oldest are forgotten.
pub(crate) struct Seen {
    ids_max: usize,
    ids: Mutex<Ids>,
}

#[derive(Default)]
struct Ids {
    known: HashSet<String>,
    in_order: VecDeque<String>,
}

impl Seen {
    pub(crate) fn new(ids_max: usize) -> Self {
        Seen {
            ids_max,
            ids: Mutex::default(),
        }
    }

    /// Whether this one comes for the first time. One without an id always does.
    pub(super) fn is_new(&self, id: &str) -> bool {
        if id.is_empty() {
            return true;
        }
        let mut ids = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
        if !ids.known.insert(id.to_owned()) {
            return false;
        }
        ids.in_order.push_back(id.to_owned());
        if ids.in_order.len() > self.ids_max
            && let Some(oldest) = ids.in_order.pop_front()
        {
            ids.known.remove(&oldest);
        }
        true
    }

    /// It could not be dealt with, and may come again.
    pub(super) fn forget(&self, id: &str) {
        let mut ids = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
        ids.known.remove(id);
        ids.in_order.retain(|it| it != id);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn l8_the_last_webhooks_are_remembered_and_no_more() {
        let seen = Seen::new(2);
        assert!(seen.is_new("1") && seen.is_new("2"));
        assert!(!seen.is_new("1") && !seen.is_new("2"));
        assert!(seen.is_new("3"));
        assert!(!seen.is_new("2") && seen.is_new("1"));
        seen.forget("3");
        assert!(seen.is_new("3"));
        assert_eq!(seen.ids.lock().unwrap().known.len(), 2);
        assert!(seen.is_new("") && seen.is_new(""));
    }
}
