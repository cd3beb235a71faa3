//! How many files may be under way, each of which may be held whole.
//!
//! Invariant: no address has more than a quarter of the places, so that one slow client does not stop all others.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

pub(super) struct Places {
    max: usize,
    taken: Arc<Mutex<Taken>>,
}

#[derive(Default)]
struct Taken {
    all: usize,
    by_address: HashMap<String, usize>,
}

/// A place, until it is dropped.
pub(super) struct Place {
    taken: Arc<Mutex<Taken>>,
    address: String,
}

impl Places {
    pub(super) fn new(max: usize) -> Self {
        Places {
            max,
            taken: Arc::default(),
        }
    }

    /// A place for an address, if there is one.
    pub(super) fn take(&self, address: &str) -> Option<Place> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let of_address = taken.by_address.get(address).copied().unwrap_or_default();
        if taken.all >= self.max || of_address >= self.max.div_ceil(4) {
            return None;
        }
        taken.all += 1;
        taken.by_address.insert(address.to_owned(), of_address + 1);
        Some(Place {
            taken: self.taken.clone(),
            address: address.to_owned(),
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.all -= 1;
        match taken.by_address.get_mut(&self.address) {
            Some(many @ 2..) => *many -= 1,
            _ => drop(taken.by_address.remove(&self.address)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Places;

    #[test]
    fn l13_places_are_bounded_for_all_and_for_each_address() {
        let places = Places::new(8);
        let held: Vec<_> = ["a", "a", "b", "b", "c", "c", "d"]
            .map(|address| places.take(address))
            .into_iter()
            .collect();
        assert!(held.iter().all(Option::is_some));
        assert!(places.take("a").is_none());
        let last = places.take("d");
        assert!(last.is_some() && places.take("e").is_none());
        drop(held);
        assert!(places.take("a").is_some() && places.take("e").is_some());
        drop(last);
        assert_eq!(
            places.taken.lock().map(|it| it.by_address.len()).ok(),
            Some(0)
        );
    }
}
