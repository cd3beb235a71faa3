//! Places for what takes long: uploads and exports under way, of each address.
//!
//! Invariant: an address has so many at a time; memory is held for those alone that are under way. Instances of the server that
//! follow each other count together.

use crate::refusal::Refusal;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Who has places, by address. Clones count together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Taken(Arc<Mutex<HashMap<String, usize>>>);

/// How many there are.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    taken: Taken,
    max: usize,
    max_per_address: usize,
}

/// A place, until it is dropped.
#[derive(Debug)]
pub(crate) struct InPlace {
    taken: Taken,
    address: String,
}

impl Places {
    /// `max` in all, `max_per_address` for one, those among them that are taken.
    pub(crate) fn new(taken: &Taken, max: usize, max_per_address: usize) -> Self {
        Places {
            taken: taken.clone(),
            max,
            max_per_address,
        }
    }

    /// A place for an address, as it is counted for rates.
    pub(crate) fn take(&self, address: &str) -> Result<InPlace, Refusal> {
        let mut taken = self.taken.lock();
        if taken.values().sum::<usize>() >= self.max {
            return Err(Refusal::busy(
                "as many transfers as may be are under way; try again in a moment",
            ));
        }
        let own = taken.get(address).copied().unwrap_or(0);
        if own >= self.max_per_address {
            return Err(Refusal::TooMany(std::time::Duration::from_secs(5)));
        }
        taken.insert(address.to_owned(), own + 1);
        Ok(InPlace {
            taken: self.taken.clone(),
            address: address.to_owned(),
        })
    }
}

impl Taken {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for InPlace {
    fn drop(&mut self) {
        let mut taken = self.taken.lock();
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
        let taken = Taken::default();
        let places = Places::new(&taken, 3, 2);
        let held = [places.take("a").unwrap(), places.take("a").unwrap()];
        assert_eq!(places.take("a").unwrap_err().status(), 429);
        let other = places.take("b").unwrap();
        assert_eq!(places.take("c").unwrap_err().status(), 503);
        // One that follows has what is left.
        let next = Places::new(&taken, 4, 2);
        assert_eq!(next.take("a").unwrap_err().status(), 429);
        drop(next.take("c").unwrap());
        drop(held);
        drop(other);
        assert!(taken.lock().is_empty());
    }
}
