//! Spaces of one watched relay that are not entitled to a room so far, since their communities may be learned of later.
//!
//! Invariant: of one space its newest version alone waits, and none waits for ever for a community that is not followed: one
//! whose place others have taken is followed again, in turn, so that two do not take it from each other all the time.

use super::followed::Followed;
use super::heap::{Bounds, Heap};
use crate::rooms::Space;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use trellis_relay::extension::prelude::*;

/// Of those whose communities are followed, and of the others.
const HELD: Bounds = Bounds {
    events_max: 1000,
    bytes_max: 4 << 20,
    shares: 20,
};
/// Communities that have made way are followed again at most so often.
const AGAIN: Duration = Duration::from_secs(60);

pub(super) struct Waiting {
    followed: Followed,
    /// Spaces whose communities are followed, or were when it was looked last.
    placed: Heap,
    /// Spaces whose communities found no place so far.
    unplaced: Heap,
    looked_at: Instant,
    /// Communities that had made way when it was looked last.
    known_pushed_out: u64,
}

/// What came of following the communities of a space.
pub(super) struct Outcome {
    /// All that are served here are followed now.
    pub(super) is_placed: bool,
    /// Some were not before.
    pub(super) is_any_new: bool,
}

impl Waiting {
    pub(super) fn new(followed: Followed, now: Instant) -> Self {
        Waiting {
            followed,
            placed: Heap::new(HELD),
            unplaced: Heap::new(HELD),
            looked_at: now,
            known_pushed_out: 0,
        }
    }

    pub(super) fn followed(&self) -> &Followed {
        &self.followed
    }

    pub(super) fn followed_mut(&mut self) -> &mut Followed {
        &mut self.followed
    }

    /// An older version of a space waits no more, whatever this one asks for. Whether no version is left that is as new.
    pub(super) fn make_way(&mut self, space: &Event) -> bool {
        self.placed.make_way(space) && self.unplaced.make_way(space)
    }

    /// From here on a space waits.
    pub(super) fn add(&mut self, space: Arc<Event>, is_placed: bool) {
        match is_placed {
            true => self.placed.push(space),
            false => self.unplaced.push(space),
        };
    }

    /// A space waits no more.
    pub(super) fn remove(&mut self, space: &Event) {
        self.placed.remove(space);
        self.unplaced.remove(space);
    }

    /// All that wait.
    pub(super) fn spaces(&self) -> Vec<Arc<Event>> {
        let all = self.placed.events().chain(self.unplaced.events());
        all.cloned().collect()
    }

    /// Whether a space waits whose communities found no place.
    pub(super) fn is_unplaced(&self, space: &Event) -> bool {
        self.unplaced.holds(space)
    }

    /// The communities of a space that is not entitled to a room are followed from here on, as far as they are served here and
    /// there is place for them.
    pub(super) fn follow(
        &mut self,
        space: &Space,
        is_served: impl Fn(&PublicKey) -> bool,
        is_in_use: impl Fn(&PublicKey) -> bool,
    ) -> Outcome {
        let mut outcome = Outcome {
            is_placed: true,
            is_any_new: false,
        };
        for community in space.communities().iter().filter(|it| is_served(it)) {
            outcome.is_any_new |= self.followed.add(*community, *space.author(), &is_in_use);
            outcome.is_placed &= self.followed.contains(community);
        }
        outcome
    }

    /// When it is to be looked for spaces whose communities have made way for others, if any may have.
    pub(super) fn look_at(&self) -> Option<Instant> {
        let is_due = self.followed.pushed_out() > self.known_pushed_out;
        is_due.then(|| self.looked_at + AGAIN)
    }

    /// Spaces whose communities have made way are those whose communities found no place, from time to time.
    pub(super) fn look(&mut self, now: Instant, is_served: impl Fn(&PublicKey) -> bool) {
        if self.look_at().is_none_or(|at| at > now) {
            return;
        }
        self.looked_at = now;
        self.known_pushed_out = self.followed.pushed_out();
        let is_followed = |space: &Space| {
            let mut served = space.communities().iter().filter(|it| is_served(it));
            served.all(|it| self.followed.contains(it))
        };
        let placed = self.placed.events();
        let stranded = placed.filter(|it| Space::of(it).is_some_and(|it| !is_followed(&it)));
        let stranded: Vec<Arc<Event>> = stranded.cloned().collect();
        for space in stranded {
            self.placed.remove(&space);
            self.unplaced.push(space);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use trellis_relay::testing::{Author, START_S};

    fn space(author: u64, community: u64, at_s: u64) -> Arc<Event> {
        let community = Author::new(community).pubkey().to_hex();
        let draft = Author::new(author).draft(30312).tag(["d", "hall"]);
        Arc::new(draft.tag(["h", &community]).at(at_s).sign())
    }

    fn waiting(places: usize, now: Instant) -> Waiting {
        Waiting::new(Followed::new([], places, 10), now)
    }

    /// As when it is heard of.
    fn hear(waiting: &mut Waiting, event: &Arc<Event>) -> bool {
        assert!(waiting.make_way(event));
        let is_placed = follow(waiting, event).is_placed;
        waiting.add(event.clone(), is_placed);
        is_placed
    }

    fn follow(waiting: &mut Waiting, event: &Event) -> Outcome {
        let space = Space::of(event).unwrap();
        waiting.follow(&space, |_| true, |_| false)
    }

    fn ask(waiting: &mut Waiting) {
        waiting.followed_mut().ask(&HashSet::new());
        waiting.followed_mut().answered();
    }

    #[test]
    fn l12_of_a_space_its_newest_version_waits_whatever_it_asks_for() {
        let mut waiting = waiting(10, Instant::now());
        let [old, new] = [0, 1].map(|after| space(1, 20, START_S + after));
        hear(&mut waiting, &old);
        assert!(!waiting.make_way(&old), "the same one waits");
        // One that names another operator is not to wait, and nor is the one before it.
        assert!(waiting.make_way(&new));
        assert!(waiting.spaces().is_empty());
        hear(&mut waiting, &new);
        assert!(!waiting.make_way(&old), "a newer one waits");
        assert_eq!(waiting.spaces(), std::slice::from_ref(&new));
        waiting.remove(&new);
        assert!(waiting.spaces().is_empty() && waiting.make_way(&old));
    }

    #[test]
    fn l12_a_community_that_made_way_is_followed_again_for_the_spaces_that_wait() {
        let start = Instant::now();
        let mut waiting = waiting(1, start);
        let [first, second] = [space(1, 20, START_S), space(2, 21, START_S)];
        let [one, other] = [20, 21].map(|it| Author::new(it).pubkey());
        assert!(hear(&mut waiting, &first));
        ask(&mut waiting);
        assert_eq!(waiting.look_at(), None);
        assert!(hear(&mut waiting, &second));
        assert!(waiting.followed().contains(&other) && !waiting.followed().contains(&one));
        ask(&mut waiting);
        // Not at once: whoever has come has a place for a while.
        let at = waiting.look_at().unwrap();
        assert_eq!(at, start + AGAIN);
        waiting.look(start, |_| true);
        assert!(!waiting.is_unplaced(&first) && waiting.look_at() == Some(at));
        waiting.look(at, |_| true);
        assert!(waiting.is_unplaced(&first) && !waiting.is_unplaced(&second));
        let outcome = follow(&mut waiting, &first);
        assert!(outcome.is_placed && outcome.is_any_new);
        assert!(waiting.followed().contains(&one));
        waiting.remove(&first);
        waiting.add(first.clone(), true);
        // Now it is the other one's turn.
        let at = waiting.look_at().unwrap();
        waiting.look(at, |_| true);
        assert!(waiting.is_unplaced(&second) && !waiting.is_unplaced(&first));
        assert_eq!(waiting.spaces().len(), 2);
    }
}
