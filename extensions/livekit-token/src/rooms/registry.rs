//! The rooms that there should be, and those that should go.
//!
//! Invariant: bounded; no author has more than a share of the places. What finds none is looked at again whenever everything
//! is read anew.

use super::space::Space;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Mutex, PoisonError};
use trellis_relay::extension::prelude::*;

/// An author has one of so many places at most.
const SHARES: usize = 10;

pub(super) struct Registry {
    rooms_max: usize,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    rooms: HashMap<String, Room>,
    /// Rooms that are to be ended.
    leaving: BTreeSet<String>,
    /// Whether the operator was told that there is no place.
    has_complained: bool,
}

struct Room {
    event: EventId,
    author: PublicKey,
    communities: Vec<PublicKey>,
    expires_at_s: Option<u64>,
    made: Made,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Made {
    NotYet,
    Yes,
    /// LiveKit does not want it.
    Refused,
}

impl Registry {
    pub(super) fn new(rooms_max: usize) -> Self {
        Registry {
            rooms_max,
            inner: Mutex::default(),
        }
    }

    /// There should be a room for this space. Whether there is a place for it.
    pub(super) fn put(&self, space: &Space) -> bool {
        let name = space.name();
        let mut inner = self.lock();
        if !inner.rooms.contains_key(&name) {
            let share = (self.rooms_max / SHARES).max(1);
            let of_author = inner.rooms.values();
            let of_author = of_author.filter(|it| it.author == *space.author()).count();
            if inner.rooms.len() >= self.rooms_max || of_author >= share {
                let has_complained = std::mem::replace(&mut inner.has_complained, true);
                if !has_complained {
                    let rooms_max = self.rooms_max;
                    tracing::warn!(
                        rooms_max,
                        "more rooms are asked for than are kept: bounds.watched_rooms, of which one author gets a tenth"
                    );
                }
                return false;
            }
        }
        let room = inner.rooms.entry(name).or_insert_with(|| Room {
            event: space.event(),
            author: *space.author(),
            communities: Vec::new(),
            expires_at_s: None,
            made: Made::NotYet,
        });
        room.event = space.event();
        room.communities = space.communities().to_vec();
        room.expires_at_s = space.expires_at_s();
        true
    }

    /// There should be no such room. One that was kept here is ended.
    pub(super) fn drop(&self, name: &str) {
        let mut inner = self.lock();
        if inner.rooms.remove(name).is_some() {
            inner.has_complained = false;
            drop(inner);
            self.leave(name);
        }
    }

    /// A room, whatever it is for, is ended as soon as LiveKit can be asked.
    pub(super) fn leave(&self, name: &str) {
        let mut inner = self.lock();
        inner.leaving.insert(name.to_owned());
        // Those that are forgotten are found again when LiveKit's rooms are compared.
        while inner.leaving.len() > self.rooms_max {
            inner.leaving.pop_first();
        }
    }

    pub(super) fn contains(&self, name: &str) -> bool {
        self.lock().rooms.contains_key(name)
    }

    /// Those that have rooms here.
    pub(super) fn communities(&self) -> HashSet<PublicKey> {
        let inner = self.lock();
        let rooms = inner.rooms.values();
        rooms.flat_map(|it| it.communities.clone()).collect()
    }

    /// Whether a community has a room here.
    pub(super) fn mentions(&self, community: &PublicKey) -> bool {
        let inner = self.lock();
        inner
            .rooms
            .values()
            .any(|it| it.communities.contains(community))
    }

    /// The rooms of which this holds.
    fn names(&self, wanted: impl Fn(&Room) -> bool) -> Vec<String> {
        let inner = self.lock();
        let rooms = inner.rooms.iter().filter(|(_, room)| wanted(room));
        rooms.map(|(name, _)| name.clone()).collect()
    }

    pub(super) fn all(&self) -> Vec<String> {
        self.names(|_| true)
    }

    /// Those that somebody made, or that are his community's.
    pub(super) fn of(&self, key: &PublicKey) -> Vec<String> {
        self.names(|room| room.author == *key || room.communities.contains(key))
    }

    /// The one that is there for an event.
    pub(super) fn of_event(&self, event: &EventId) -> Option<String> {
        self.names(|room| room.event == *event).pop()
    }

    pub(super) fn expired(&self, now_s: u64) -> Vec<String> {
        self.names(|room| room.expires_at_s.is_some_and(|at_s| at_s <= now_s))
    }

    /// Those that LiveKit is to be asked for.
    pub(super) fn not_made(&self) -> Vec<String> {
        self.names(|room| room.made == Made::NotYet)
    }

    pub(super) fn made(&self, name: &str) {
        self.mark(name, Made::Yes);
    }

    pub(super) fn not_there(&self, name: &str) {
        self.mark(name, Made::NotYet);
    }

    pub(super) fn refused(&self, name: &str) {
        self.mark(name, Made::Refused);
    }

    fn mark(&self, name: &str, made: Made) {
        if let Some(room) = self.lock().rooms.get_mut(name) {
            room.made = made;
        }
    }

    pub(super) fn leaving(&self) -> Vec<String> {
        self.lock().leaving.iter().cloned().collect()
    }

    pub(super) fn gone(&self, name: &str) {
        self.lock().leaving.remove(name);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use trellis_relay::testing::Author;

    fn space(author: u64, d: &str) -> Space {
        let draft = Author::new(author).draft(30312).tag(["d", d]);
        Space::of(&draft.tag(["room", "A room"]).sign()).unwrap()
    }

    #[test]
    fn l11_rooms_are_bounded_for_all_and_for_each_author() {
        let registry = Registry::new(20);
        assert!(registry.put(&space(1, "a")) && registry.put(&space(1, "b")));
        assert!(!registry.put(&space(1, "c")), "a tenth is two");
        // A newer version of what is there needs no further place.
        assert!(registry.put(&space(1, "a")));
        for author in 2..11 {
            assert!(registry.put(&space(author, "a")) && registry.put(&space(author, "b")));
        }
        assert_eq!(registry.all().len(), 20);
        assert!(!registry.put(&space(11, "a")));
        registry.drop(&space(1, "a").name());
        assert!(registry.put(&space(11, "a")));
        assert_eq!(registry.leaving(), [space(1, "a").name()]);
    }

    #[test]
    fn l11_what_is_to_be_ended_is_bounded() {
        let registry = Registry::new(10);
        for number in 0..50 {
            registry.leave(&format!("room {number}"));
        }
        assert_eq!(registry.leaving().len(), 10);
    }
}
