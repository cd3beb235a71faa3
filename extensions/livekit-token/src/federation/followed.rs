//! The communities that are followed at one relay.
//!
//! Invariant: bounded, with a share for each author of spaces. One that the operator has named, or that has a room here, is
//! not pushed out, and no other before the relay was asked for it; so whoever floods takes places from those alone that were
//! of no use.

use std::collections::{BTreeSet, HashMap, HashSet};
use trellis_relay::extension::prelude::*;

pub(super) struct Followed {
    strangers_max: usize,
    /// Communities that are followed for one author's spaces.
    share: usize,
    /// Those that the operator has named.
    named: BTreeSet<PublicKey>,
    strangers: HashMap<PublicKey, Stranger>,
    /// Counts those that were added.
    added: u64,
    /// Counts questions to the relay.
    asked: u64,
    /// Counts those that have made way.
    pushed_out: u64,
}

struct Stranger {
    /// Whose space asks for it.
    for_author: PublicKey,
    /// The first has the lowest.
    number: u64,
    /// The question in which the relay was first asked for it; 0 before.
    asked_in: u64,
    is_answered: bool,
}

impl Followed {
    /// Besides those that are named at most so many, and so many for one author.
    pub(super) fn new(
        named: impl IntoIterator<Item = PublicKey>,
        strangers_max: usize,
        share: usize,
    ) -> Self {
        Followed {
            strangers_max,
            share,
            named: named.into_iter().collect(),
            strangers: HashMap::new(),
            added: 0,
            asked: 0,
            pushed_out: 0,
        }
    }

    /// Follows a community for somebody's space, if there is a place. `is_in_use` tells which have rooms here, where all places
    /// are taken. Whether it is followed now and was not before.
    pub(super) fn add(
        &mut self,
        community: PublicKey,
        for_author: PublicKey,
        is_in_use: impl Fn(&PublicKey) -> bool,
    ) -> bool {
        if self.contains(&community) {
            return false;
        }
        let of_author = self.strangers.values();
        let of_author = of_author.filter(|it| it.for_author == for_author).count();
        if of_author >= self.share {
            return false;
        }
        if self.strangers.len() >= self.strangers_max {
            let useless = self.strangers.iter();
            let useless = useless.filter(|(key, it)| it.is_answered && !is_in_use(key));
            let oldest = useless.min_by_key(|(_, it)| it.number).map(|(key, _)| *key);
            let Some(oldest) = oldest else {
                return false;
            };
            self.strangers.remove(&oldest);
            self.pushed_out += 1;
        }
        self.added += 1;
        let stranger = Stranger {
            for_author,
            number: self.added,
            asked_in: 0,
            is_answered: false,
        };
        self.strangers.insert(community, stranger);
        true
    }

    pub(super) fn contains(&self, community: &PublicKey) -> bool {
        self.named.contains(community) || self.strangers.contains_key(community)
    }

    /// How many have made way for others so far.
    pub(super) fn pushed_out(&self) -> u64 {
        self.pushed_out
    }

    /// Those that the operator has named.
    pub(super) fn named(&self) -> impl Iterator<Item = &PublicKey> {
        self.named.iter()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.named.is_empty() && self.strangers.is_empty()
    }

    /// All of them, as the relay is asked for them now: the first are those that are named or in use.
    pub(super) fn ask(&mut self, in_use: &HashSet<PublicKey>) -> [Vec<PublicKey>; 2] {
        self.asked += 1;
        for stranger in self.strangers.values_mut() {
            if stranger.asked_in == 0 {
                stranger.asked_in = self.asked;
            }
        }
        let strangers = self.strangers.keys().copied();
        let (used, others): (BTreeSet<_>, BTreeSet<_>) =
            strangers.partition(|key| in_use.contains(key));
        let first = self.named.iter().copied().chain(used);
        [first.collect(), others.into_iter().collect()]
    }

    /// The relay has said all to the last question. Whether some are followed that it was not asked for.
    pub(super) fn answered(&mut self) -> bool {
        let mut is_any_left = false;
        for stranger in self.strangers.values_mut() {
            stranger.is_answered |= stranger.asked_in != 0;
            is_any_left |= stranger.asked_in == 0;
        }
        is_any_left
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use trellis_relay::testing::Author;

    fn key(number: u64) -> PublicKey {
        Author::new(number).pubkey()
    }

    fn nobody(_: &PublicKey) -> bool {
        false
    }

    #[test]
    fn l12_an_author_has_a_share_of_the_communities_that_are_followed() {
        let mut followed = Followed::new([key(1)], 10, 2);
        assert!(followed.add(key(10), key(5), nobody));
        assert!(!followed.add(key(10), key(5), nobody), "it is followed");
        assert!(followed.add(key(11), key(5), nobody));
        assert!(
            !followed.add(key(12), key(5), nobody),
            "the share is used up"
        );
        assert!(followed.add(key(12), key(6), nobody));
        assert!(
            !followed.add(key(1), key(6), nobody),
            "the operator named it"
        );
    }

    #[test]
    fn l12_a_flood_of_strangers_pushes_out_none_that_is_in_use_or_not_asked_for_yet() {
        let in_use = HashSet::from([key(10)]);
        let used = |it: &PublicKey| in_use.contains(it);
        let mut followed = Followed::new([key(1)], 3, 1);
        for number in [10, 11, 12] {
            assert!(followed.add(key(number), key(100 + number), used));
        }
        // Nobody was asked for any of them so far.
        assert!(!followed.add(key(13), key(113), used));
        let [first, others] = followed.ask(&in_use);
        assert_eq!((first, others.len()), (vec![key(1), key(10)], 2));
        assert!(!followed.add(key(13), key(113), used));
        assert!(!followed.answered());
        for number in 13..50 {
            let is_added = followed.add(key(number), key(100 + number), used);
            // The two that were of no use make way once, and those that took their places when they were asked for.
            assert_eq!(is_added, number < 15, "{number}");
        }
        assert!(followed.answered(), "there are new ones");
        followed.ask(&in_use);
        assert!(!followed.answered());
        assert!(followed.add(key(60), key(160), used));
        assert!(followed.contains(&key(1)) && followed.contains(&key(10)));
        assert!(!followed.contains(&key(11)) && !followed.contains(&key(13)));
        assert_eq!((followed.strangers.len(), followed.pushed_out()), (3, 3));
    }
}
