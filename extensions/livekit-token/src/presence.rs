//! Who is in one room, and since when.
//!
//! Pure: it is told of sessions that came and went, in whatever order and however often the news comes, and tells of people.
//! Somebody may have several sessions. Invariant: a session that went never comes again, so late news of it changes nothing;
//! how many are known is bounded. Deliberately not here: what follows from it (`calls`).

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use trellis_relay::event::PublicKey;

/// Sessions that went and are remembered; news of older ones does not come any more.
const DEPARTED_MAX: usize = 256;

/// Who is in a room.
#[derive(Debug)]
pub(crate) struct Presence {
    sessions_max: usize,
    /// By sid.
    sessions: HashMap<String, Session>,
    departed: VecDeque<String>,
}

#[derive(Debug)]
struct Session {
    who: PublicKey,
    since_ms: u64,
    /// The turn in which it was first heard of.
    turn: u64,
}

/// What came of the news that somebody is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Came {
    /// Nobody of that key was there before.
    New,
    /// Known, by this or another session.
    Known,
    /// The session went before.
    Gone,
    /// There are too many.
    Full,
}

impl Presence {
    /// Knows at most `sessions_max` sessions.
    pub(crate) fn new(sessions_max: usize) -> Self {
        Presence {
            sessions_max,
            sessions: HashMap::new(),
            departed: VecDeque::new(),
        }
    }

    /// A session is there. `turn` tells what was known when a list was asked for ([`Presence::stay`]).
    pub(crate) fn come(&mut self, sid: &str, who: PublicKey, since_ms: u64, turn: u64) -> Came {
        if self.has_gone(sid) {
            return Came::Gone;
        }
        if self.sessions.contains_key(sid) {
            return Came::Known;
        }
        if self.sessions.len() >= self.sessions_max {
            return Came::Full;
        }
        let was_there = self.contains(&who);
        let session = Session {
            who,
            since_ms,
            turn,
        };
        self.sessions.insert(sid.to_owned(), session);
        match was_there {
            true => Came::Known,
            false => Came::New,
        }
    }

    /// A session is there no more, or never will be. Whoever has no session left.
    pub(crate) fn go(&mut self, sid: &str) -> Option<PublicKey> {
        if !self.has_gone(sid) {
            self.departed.push_back(sid.to_owned());
            if self.departed.len() > DEPARTED_MAX {
                self.departed.pop_front();
            }
        }
        let session = self.sessions.remove(sid)?;
        (!self.contains(&session.who)).then_some(session.who)
    }

    /// Those sessions go that were heard of before `turn` and are not in a list that was asked for then. Whoever has no
    /// session left.
    pub(crate) fn stay(&mut self, listed: &BTreeSet<String>, turn: u64) -> Vec<PublicKey> {
        let known_then = self.sessions.iter().filter(|(_, it)| it.turn < turn);
        let missing: BTreeSet<String> = known_then
            .map(|(sid, _)| sid.clone())
            .filter(|sid| !listed.contains(sid))
            .collect();
        missing.iter().filter_map(|sid| self.go(sid)).collect()
    }

    /// As if a session that went had never been there.
    pub(crate) fn forget(&mut self, sid: &str) {
        self.departed.retain(|it| it != sid);
    }

    /// Whether a session was there and went.
    pub(crate) fn has_gone(&self, sid: &str) -> bool {
        self.departed.iter().any(|it| it == sid)
    }

    /// Whether somebody is there.
    pub(crate) fn contains(&self, who: &PublicKey) -> bool {
        self.sessions.values().any(|it| it.who == *who)
    }

    /// Who is there, and since when in milliseconds.
    pub(crate) fn people(&self) -> BTreeMap<PublicKey, u64> {
        let mut people = BTreeMap::new();
        for session in self.sessions.values() {
            let since_ms = people.entry(session.who).or_insert(session.since_ms);
            *since_ms = session.since_ms.min(*since_ms);
        }
        people
    }

    /// Who is there for the longest time; of two the one with the lower key.
    pub(crate) fn longest(&self) -> Option<PublicKey> {
        let people = self.people().into_iter();
        let rank = |(who, since_ms): &(PublicKey, u64)| (*since_ms, who.to_bytes());
        Some(people.min_by_key(rank)?.0)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use trellis_relay::testing::Author;

    fn key(who: u8) -> PublicKey {
        Author::new(u64::from(who) + 1).pubkey()
    }

    #[test]
    fn l8_news_in_any_order_and_twice_is_told_once() {
        let (alice, bob) = (key(0), key(1));
        let mut presence = Presence::new(10);
        assert_eq!(presence.come("1", alice, 5, 0), Came::New);
        assert_eq!(presence.come("1", alice, 5, 0), Came::Known);
        assert_eq!(presence.come("2", alice, 3, 0), Came::Known);
        assert_eq!(presence.go("1"), None);
        assert_eq!(presence.people(), BTreeMap::from([(alice, 3)]));
        assert_eq!(presence.go("2"), Some(alice));
        assert_eq!(presence.go("2"), None);
        assert_eq!(presence.come("2", alice, 3, 0), Came::Gone);
        // It went before the news that it came.
        assert_eq!(presence.go("3"), None);
        assert_eq!(presence.come("3", bob, 3, 0), Came::Gone);
        assert!(presence.people().is_empty());
    }

    #[test]
    fn l10_longest_is_who_came_first_and_of_two_the_lower_key() {
        let mut presence = Presence::new(10);
        assert_eq!(presence.longest(), None);
        let (lower, higher) = (key(0).min(key(1)), key(0).max(key(1)));
        presence.come("1", higher, 7, 0);
        presence.come("2", lower, 7, 0);
        assert_eq!(presence.longest(), Some(lower));
        presence.come("3", higher, 6, 0);
        assert_eq!(presence.longest(), Some(higher));
    }

    #[test]
    fn l7_a_list_takes_out_only_whom_it_could_have_shown() {
        let (alice, bob, carol) = (key(0), key(1), key(2));
        let mut presence = Presence::new(10);
        presence.come("1", alice, 1, 1);
        presence.come("2", bob, 1, 2);
        presence.come("3", carol, 1, 5);
        let listed = BTreeSet::from(["2".to_owned()]);
        assert_eq!(presence.stay(&listed, 3), [alice]);
        assert_eq!(presence.stay(&listed, 6), [carol]);
        assert!(presence.contains(&bob));
    }

    #[test]
    fn l8_sessions_are_bounded() {
        let mut presence = Presence::new(2);
        assert_eq!(presence.come("1", key(0), 1, 0), Came::New);
        assert_eq!(presence.come("2", key(1), 1, 0), Came::New);
        assert_eq!(presence.come("3", key(2), 1, 0), Came::Full);
        for sid in 0..1000 {
            presence.go(&sid.to_string());
        }
        assert_eq!(presence.departed.len(), DEPARTED_MAX);
    }

    proptest! {
        /// Whatever the news, and in whatever order: people are those of the sessions that came and did not go, each is told
        /// to have come and gone in turns, and the longest is one of them.
        #[test]
        fn l8_people_are_those_whose_sessions_stay(
            news in prop::collection::vec((0u8..12, any::<bool>(), 0u64..5), 0..80)
        ) {
            let mut presence = Presence::new(100);
            let (mut came, mut gone) = (BTreeMap::new(), BTreeSet::new());
            let mut told: BTreeSet<PublicKey> = BTreeSet::new();
            for (session, comes, since_ms) in news {
                // Sessions of four people, three each.
                let (sid, who) = (session.to_string(), key(session % 4));
                if comes {
                    let answer = presence.come(&sid, who, since_ms, 0);
                    prop_assert_eq!(answer == Came::Gone, gone.contains(&sid));
                    prop_assert_eq!(answer == Came::New, answer != Came::Gone && told.insert(who));
                    if answer != Came::Gone {
                        came.entry(sid).or_insert((who, since_ms));
                    }
                } else {
                    let left = presence.go(&sid);
                    came.remove(&sid);
                    gone.insert(sid);
                    if let Some(left) = left {
                        prop_assert!(told.remove(&left));
                    }
                }
                let people: BTreeSet<PublicKey> = came.values().map(|(who, _)| *who).collect();
                prop_assert_eq!(&told, &people);
                prop_assert_eq!(presence.people().into_keys().collect::<BTreeSet<_>>(), people);
                let first = came.values().map(|(who, since_ms)| (*since_ms, who.to_bytes())).min();
                prop_assert_eq!(presence.longest().map(|it| it.to_bytes()), first.map(|it| it.1));
            }
        }
    }
}
