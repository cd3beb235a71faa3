//! Places for what takes long: uploads and exports under way, of each address.
//!
//! Invariant: an address has so many at a time; memory is held for those alone that are under way.

use crate::refusal::Refusal;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// How many there are.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    taken: Arc<Mutex<HashMap<String, usize>>>,
    max: usize,
    max_per_address: usize,
}

/// A place, until it is dropped.
#[derive(Debug)]
pub(crate) struct InPlace {
    taken: Arc<Mutex<HashMap<String, usize>>>,
    address: String,
}

impl Places {
    /// `max` in all, `max_per_address` for one.
    pub(crate) fn new(max: usize, max_per_address: usize) -> Self {
        Places {
            taken: Arc::default(),
            max,
            max_per_address,
        }
    }

    /// A place for an address, as it is counted for rates.
    pub(crate) fn take(&self, address: &str) -> Result<InPlace, Refusal> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.values().sum::<usize>() >= self.max {
            return Err(Refusal::busy(
                "as many transfers as may be are under way; try again in a moment",
            ));
        }
        let own = taken.entry(address.to_owned()).or_default();
        if *own >= self.max_per_address {
            return Err(Refusal::TooMany(std::time::Duration::from_secs(5)));
        }
        *own += 1;
        Ok(InPlace {
            taken: self.taken.clone(),
            address: address.to_owned(),
        })
    }
}

impl Drop for InPlace {
    fn drop(&mut self) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = taken.get_mut(&self.address) {
            *own -= 1;
            if *own == 0 {
                taken.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn b9_an_address_has_so_many_places_and_gives_them_back() {
        let places = Places::new(3, 2);
        let held = [places.take("a").unwrap(), places.take("a").unwrap()];
        assert_eq!(places.take("a").unwrap_err().status(), 429);
        let other = places.take("b").unwrap();
        assert_eq!(places.take("c").unwrap_err().status(), 503);
        drop(held);
        drop(other);
        assert!(places.taken.lock().unwrap().is_empty());
    }
}
