//! How many items all sets that are being reconciled may hold, in all and for one address (NIP-77).
//!
//! Invariant: a share gives back what it took when it is dropped, and no address holds more than its part.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What all lists of a relay hold together.
#[derive(Clone, Debug, Default)]
pub struct ItemBudget(Arc<Mutex<Held>>);

#[derive(Debug, Default)]
struct Held {
    all: usize,
    by_network: HashMap<IpAddr, usize>,
}

/// One list's share of the budget, given back when it is dropped.
#[derive(Debug)]
pub struct ItemShare {
    budget: ItemBudget,
    network: Option<IpAddr>,
    items: usize,
}

/// Why a share cannot grow now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Crowded {
    /// All lists together hold too much.
    #[error("the relay is reconciling too much now; try again later")]
    Relay,
    /// Those of one address do.
    #[error("your address reconciles too much at once; close a set, or try again later")]
    Address,
}

impl ItemBudget {
    /// A share that takes nothing yet, for a network that counts as one address; none where only the whole counts.
    pub fn share(&self, network: Option<IpAddr>) -> ItemShare {
        ItemShare {
            budget: self.clone(),
            network,
            items: 0,
        }
    }

    /// Items in all lists now.
    pub fn held(&self) -> usize {
        self.lock().all
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ItemShare {
    /// Takes more, unless all lists would hold more than `max_in_all` then, or those of the network more than
    /// `max_of_network`.
    pub fn grow(
        &mut self,
        items: usize,
        max_in_all: usize,
        max_of_network: usize,
    ) -> Result<(), Crowded> {
        if items == 0 {
            return Ok(());
        }
        let mut held = self.budget.lock();
        if let Some(network) = self.network {
            let here = held.by_network.get(&network).copied().unwrap_or_default() + items;
            if here > max_of_network {
                return Err(Crowded::Address);
            }
        }
        if held.all + items > max_in_all {
            return Err(Crowded::Relay);
        }
        held.all += items;
        if let Some(network) = self.network {
            *held.by_network.entry(network).or_default() += items;
        }
        self.items += items;
        metrics::gauge!("trellis_negentropy_items").increment(items as f64);
        Ok(())
    }
}

impl Drop for ItemShare {
    fn drop(&mut self) {
        if self.items == 0 {
            return;
        }
        let mut held = self.budget.lock();
        held.all -= self.items;
        if let Some(network) = self.network
            && let Some(here) = held.by_network.get_mut(&network)
        {
            *here -= self.items;
            if *here == 0 {
                held.by_network.remove(&network);
            }
        }
        metrics::gauge!("trellis_negentropy_items").decrement(self.items as f64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c10_the_budget_is_shared_and_given_back() {
        let budget = ItemBudget::default();
        let (mut one, mut two) = (budget.share(None), budget.share(None));
        assert_eq!(one.grow(6, 10, 1), Ok(()));
        assert_eq!(two.grow(5, 10, 1), Err(Crowded::Relay));
        assert_eq!(two.grow(4, 10, 1), Ok(()));
        drop(one);
        assert_eq!(budget.held(), 4);
        assert_eq!(two.grow(6, 10, 1), Ok(()));
        drop(two);
        assert_eq!(budget.held(), 0);
    }

    #[test]
    fn c10_an_address_has_a_part_of_the_budget() {
        let budget = ItemBudget::default();
        let [here, there] = [1, 2].map(|last| Some(IpAddr::from([192, 0, 2, last])));
        let (mut one, mut two) = (budget.share(here), budget.share(here));
        assert_eq!(one.grow(3, 10, 4), Ok(()));
        assert_eq!(two.grow(2, 10, 4), Err(Crowded::Address));
        assert_eq!(budget.share(there).grow(4, 10, 4), Ok(()));
        drop(one);
        assert_eq!(two.grow(4, 10, 4), Ok(()));
        assert_eq!(budget.held(), 4);
    }
}
