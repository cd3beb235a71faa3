//! Which opening of a room news is about: each time a room of a name is opened, LiveKit gives it another sid.
//!
//! Webhooks come late, so an opening that is over may be heard of while the next goes on. Invariant: bounded; kept are the
//! openings that LiveKit told of last, and those that it lists no more are let go.

use super::RoomSeen;
use std::collections::{BTreeSet, HashMap};

/// One opening of a room.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Opening {
    pub(super) sid: String,
    /// In milliseconds since 1970, by LiveKit's clock; 0 where it did not tell.
    created_ms: u64,
}

impl Opening {
    pub(super) fn of(room: &RoomSeen) -> Self {
        Opening {
            sid: room.sid.clone(),
            created_ms: room.created_ms,
        }
    }

    /// Whether both are told, and are two.
    pub(super) fn is_another(&self, other: &Opening) -> bool {
        !self.sid.is_empty() && !other.sid.is_empty() && self.sid != other.sid
    }

    /// Whether this is another one, and certainly the older.
    pub(super) fn is_before(&self, other: &Opening) -> bool {
        self.is_another(other) && self.created_ms != 0 && self.created_ms < other.created_ms
    }
}

/// The openings that go on, whether or not somebody is there. Of more than `rooms_max` the first heard of is let go.
pub(super) struct Running {
    rooms_max: usize,
    /// By name of the room, with the turn in which each was first heard of.
    openings: HashMap<String, (Opening, u64)>,
    /// The same turns and names.
    in_order: BTreeSet<(u64, String)>,
}

impl Running {
    pub(super) fn new(rooms_max: usize) -> Self {
        Running {
            rooms_max,
            openings: HashMap::new(),
            in_order: BTreeSet::new(),
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<&Opening> {
        self.openings.get(name).map(|(opening, _)| opening)
    }

    /// This one goes on, and no other of the name.
    pub(super) fn put(&mut self, name: &str, opening: Opening, turn: u64) {
        if opening.sid.is_empty() {
            return;
        }
        if let Some((known, _)) = self.openings.get_mut(name)
            && !known.is_another(&opening)
        {
            known.created_ms = known.created_ms.max(opening.created_ms);
            return;
        }
        self.remove(name);
        while self.openings.len() >= self.rooms_max {
            let Some((_, oldest)) = self.in_order.pop_first() else {
                break;
            };
            self.openings.remove(&oldest);
        }
        self.in_order.insert((turn, name.to_owned()));
        self.openings.insert(name.to_owned(), (opening, turn));
    }

    pub(super) fn remove(&mut self, name: &str) {
        if let Some((_, turn)) = self.openings.remove(name) {
            self.in_order.remove(&(turn, name.to_owned()));
        }
    }

    /// The names of those that were known before a turn.
    pub(super) fn known_before(&self, turn: u64) -> Vec<String> {
        let before = self.in_order.range(..(turn, String::new()));
        before.map(|(_, name)| name.clone()).collect()
    }

    /// Whether a room of this name was known before a turn.
    pub(super) fn was_known(&self, name: &str, turn: u64) -> bool {
        let known = self.openings.get(name);
        known.is_some_and(|(_, first)| *first < turn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opening(sid: &str, created_ms: u64) -> Opening {
        Opening {
            sid: sid.to_owned(),
            created_ms,
        }
    }

    #[test]
    fn l8_an_opening_is_older_only_if_livekit_says_so() {
        let (first, second) = (opening("RM_1", 5), opening("RM_2", 6));
        assert!(first.is_before(&second) && !second.is_before(&first));
        assert!(!first.is_before(&opening("RM_1", 6)));
        assert!(!opening("RM_1", 0).is_before(&second));
        assert!(!first.is_before(&opening("RM_2", 0)));
        assert!(!first.is_before(&opening("RM_2", 5)));
        assert!(!first.is_another(&opening("", 6)));
    }

    #[test]
    fn l8_the_openings_that_are_kept_are_bounded() {
        let mut running = Running::new(2);
        for turn in 1..=3 {
            running.put(&turn.to_string(), opening(&format!("RM_{turn}"), 1), turn);
        }
        assert_eq!(running.get("1"), None);
        assert_eq!(running.known_before(4), ["2", "3"]);
        assert_eq!(running.known_before(3), ["2"]);
        running.put("2", opening("RM_4", 2), 4);
        assert!(!running.was_known("2", 4) && running.was_known("3", 4));
        running.remove("3");
        assert_eq!(running.known_before(9), ["2"]);
        assert_eq!(running.in_order.len(), running.openings.len());
    }
}
