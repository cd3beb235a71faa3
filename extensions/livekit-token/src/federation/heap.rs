//! Events of one relay that are held in memory for a while, with their bytes counted.
//!
//! Invariant: bounded in number and bytes, with a share of both for each author; of what has an address the newest version alone
//! is held, and found by it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use trellis_relay::event::Address;
use trellis_relay::extension::prelude::*;

/// How much is held.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) events_max: usize,
    pub(super) bytes_max: usize,
    /// An author has one of so many parts.
    pub(super) shares: usize,
}

pub(super) struct Heap {
    bounds: Bounds,
    /// In the order in which they came.
    events: BTreeMap<u64, Arc<Event>>,
    by_address: HashMap<Address, u64>,
    held: Held,
    by_author: HashMap<PublicKey, Held>,
    came: u64,
}

/// How many events, and of how many bytes.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Held {
    events: usize,
    bytes: usize,
}

impl Heap {
    pub(super) fn new(bounds: Bounds) -> Self {
        Heap {
            bounds,
            events: BTreeMap::new(),
            by_address: HashMap::new(),
            held: Held::default(),
            by_author: HashMap::new(),
            came: 0,
        }
    }

    /// Holds an event, if there is a place; not in place of a newer version. Whether there was.
    pub(super) fn add(&mut self, event: Arc<Event>) -> bool {
        if !self.make_way(&event) {
            return true;
        }
        if !self.fits_author(&event) || !self.fits(&event) {
            return false;
        }
        self.put(event);
        true
    }

    /// Holds an event, in place of the oldest where there is too much; not in place of a newer version. Whether its author has
    /// a place.
    pub(super) fn push(&mut self, event: Arc<Event>) -> bool {
        if !self.make_way(&event) {
            return true;
        }
        if !self.fits_author(&event) || event.json().len() > self.bounds.bytes_max {
            return false;
        }
        while !self.fits(&event) {
            let Some(oldest) = self.events.keys().next().copied() else {
                break;
            };
            self.take(oldest);
        }
        self.put(event);
        true
    }

    /// Lets go of an older version of an event. Whether none is left that is as new.
    pub(super) fn make_way(&mut self, event: &Event) -> bool {
        let Some((number, held)) = self.version_of(event) else {
            return true;
        };
        let is_newer = (held.created_at(), event.id()) < (event.created_at(), held.id());
        if is_newer {
            self.take(number);
        }
        is_newer
    }

    /// Lets go of whatever version of an event is held.
    pub(super) fn remove(&mut self, event: &Event) {
        if let Some((number, _)) = self.version_of(event) {
            self.take(number);
        }
    }

    /// Whether this event is held, which has an address.
    pub(super) fn holds(&self, event: &Event) -> bool {
        self.version_of(event)
            .is_some_and(|(_, held)| held.id() == event.id())
    }

    /// What is held, the first first.
    pub(super) fn events(&self) -> impl Iterator<Item = &Arc<Event>> {
        self.events.values()
    }

    pub(super) fn into_events(self) -> Vec<Arc<Event>> {
        self.events.into_values().collect()
    }

    fn version_of(&self, event: &Event) -> Option<(u64, &Arc<Event>)> {
        let number = *self.by_address.get(&event.address()?)?;
        Some((number, self.events.get(&number)?))
    }

    fn fits(&self, event: &Event) -> bool {
        self.held.events < self.bounds.events_max
            && self.held.bytes + event.json().len() <= self.bounds.bytes_max
    }

    fn fits_author(&self, event: &Event) -> bool {
        let held = self.by_author.get(event.pubkey());
        let held = held.copied().unwrap_or_default();
        let share = |max: usize| (max / self.bounds.shares).max(1);
        held.events < share(self.bounds.events_max)
            && held.bytes + event.json().len() <= share(self.bounds.bytes_max)
    }

    fn put(&mut self, event: Arc<Event>) {
        let bytes = event.json().len();
        let of_author = self.by_author.entry(*event.pubkey()).or_default();
        for held in [&mut self.held, of_author] {
            held.events += 1;
            held.bytes += bytes;
        }
        self.came += 1;
        if let Some(address) = event.address() {
            self.by_address.insert(address, self.came);
        }
        self.events.insert(self.came, event);
    }

    fn take(&mut self, number: u64) {
        let Some(event) = self.events.remove(&number) else {
            return;
        };
        if let Some(address) = event.address() {
            self.by_address.remove(&address);
        }
        let bytes = event.json().len();
        self.held.events -= 1;
        self.held.bytes -= bytes;
        if let Some(held) = self.by_author.get_mut(event.pubkey()) {
            held.events -= 1;
            held.bytes -= bytes;
            if held.events == 0 {
                self.by_author.remove(event.pubkey());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use trellis_relay::testing::Author;

    fn note(author: u64, bytes: usize) -> Arc<Event> {
        Arc::new(Author::new(author).note(&"a".repeat(bytes)))
    }

    fn heap(events_max: usize, bytes_max: usize, shares: usize) -> Heap {
        Heap::new(Bounds {
            events_max,
            bytes_max,
            shares,
        })
    }

    #[test]
    fn l12_what_is_held_is_bounded_in_bytes_and_number_for_all_and_for_each_author() {
        let mut by_bytes = heap(1000, 10_000, 4);
        assert!(by_bytes.add(note(1, 1500)));
        assert!(!by_bytes.add(note(1, 1500)), "a quarter is 2500 bytes");
        assert!(by_bytes.add(note(1, 100)));
        let added = (2..100).filter(|author| by_bytes.add(note(*author, 1500)));
        assert!((3..6).contains(&added.count()));
        assert!(by_bytes.held.bytes <= 10_000);
        let mut by_number = heap(8, 1 << 20, 4);
        assert!(by_number.add(note(1, 1)) && by_number.add(note(1, 1)));
        assert!(!by_number.add(note(1, 1)));
        let added = (2..100).filter(|author| by_number.add(note(*author, 1)));
        assert_eq!(added.count(), 6);
    }

    #[test]
    fn l12_what_is_pushed_takes_the_place_of_the_oldest() {
        let mut heap = heap(3, 1 << 20, 3);
        for author in 1..=3 {
            assert!(heap.push(note(author, 1)));
        }
        assert!(!heap.push(note(3, 1)), "one of three is its author's share");
        assert!(heap.push(note(4, 1)));
        let keys: Vec<_> = heap.events().map(|it| *it.pubkey()).collect();
        assert_eq!(keys, [2, 3, 4].map(|it| Author::new(it).pubkey()));
    }

    #[test]
    fn l12_of_what_has_an_address_the_newest_version_is_held() {
        let list = |author: u64, d: &str, at_s: u64| {
            let draft = Author::new(author).draft(30000).tag(["d", d]).at(at_s);
            Arc::new(draft.sign())
        };
        let mut heap = heap(4, 1 << 20, 2);
        let [old, new] = [5, 6].map(|at_s| list(1, "people", at_s));
        assert!(heap.add(old.clone()) && heap.holds(&old));
        assert!(heap.add(new.clone()) && heap.push(old.clone()));
        assert!(heap.holds(&new) && !heap.holds(&old));
        assert!(!heap.make_way(&old) && !heap.make_way(&new));
        // Of one second the lower id counts (NIP-01).
        let twin = Author::new(1).draft(30000).tag(["d", "people"]).at(6);
        let twin = Arc::new(twin.content("again").sign());
        let lower = new.id().min(twin.id());
        heap.add(twin.clone());
        assert_eq!(heap.events().map(|it| it.id()).collect::<Vec<_>>(), [lower]);
        assert!(heap.add(list(1, "others", 5)) && heap.add(list(2, "people", 5)));
        assert!(!heap.add(list(1, "third", 5)), "a half is two");
        assert_eq!((heap.held.events, heap.by_author.len()), (3, 2));
        heap.remove(&old);
        assert!(!heap.holds(&new) && !heap.holds(&twin));
        for d in ["others", "people"] {
            heap.remove(&list(1, d, 0));
            heap.remove(&list(2, d, 0));
        }
        assert_eq!(heap.held, Held::default());
        assert!(heap.by_address.is_empty() && heap.by_author.is_empty());
        assert!(heap.into_events().is_empty());
    }
}
