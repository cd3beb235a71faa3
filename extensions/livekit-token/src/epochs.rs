//! The authority on the epochs of one room's MLS group: who may commit, and which commit is the one that counts.
//!
//! Pure: a commit counts if its sender leads and knows the epoch that is in force. Invariant: of all commits for an epoch one
//! counts at most; nothing of it is kept but a number and a hash, which are overwritten when the room ends. Deliberately not
//! here: what a commit holds, which is between the members.

use trellis_relay::event::PublicKey;
use zeroize::{Zeroize, Zeroizing};

/// A room's authority.
#[derive(Debug)]
pub(crate) struct Authority {
    /// Another number for each group.
    group: u64,
    leader: PublicKey,
    epoch: u64,
    /// As the last commit said; empty before the first.
    tree_hash: Zeroizing<String>,
}

/// Why a commit does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Somebody else leads.
    NotLeader,
    /// It is for another epoch than this, which is in force.
    OtherEpoch(u64),
}

/// What was in force before a commit.
#[derive(Debug)]
pub(crate) struct Before {
    group: u64,
    epoch: u64,
    tree_hash: Zeroizing<String>,
}

impl Authority {
    /// Whoever comes first leads, at epoch 0. `group` is a number that no other group of the room has.
    pub(crate) fn new(leader: PublicKey, group: u64) -> Self {
        Authority {
            group,
            leader,
            epoch: 0,
            tree_hash: Zeroizing::default(),
        }
    }

    /// A commit by somebody for the epoch that they believe to be in force. What was before, if it counts.
    pub(crate) fn commit(
        &mut self,
        by: &PublicKey,
        epoch: u64,
        tree_hash: &str,
    ) -> Result<Before, Refusal> {
        if *by != self.leader {
            return Err(Refusal::NotLeader);
        }
        if epoch != self.epoch || epoch == u64::MAX {
            return Err(Refusal::OtherEpoch(self.epoch));
        }
        self.epoch += 1;
        let tree_hash = Zeroizing::new(tree_hash.to_owned());
        let tree_hash = std::mem::replace(&mut self.tree_hash, tree_hash);
        Ok(Before {
            group: self.group,
            epoch,
            tree_hash,
        })
    }

    /// The commit after `before` could not be told to anybody: it does not count, unless another followed, or the group is a
    /// new one since.
    pub(crate) fn take_back(&mut self, before: Before) {
        if self.group == before.group && self.epoch == before.epoch + 1 {
            self.epoch = before.epoch;
            self.tree_hash = before.tree_hash;
        }
    }

    /// Somebody else leads from here on.
    pub(crate) fn pass_to(&mut self, leader: PublicKey) {
        self.leader = leader;
    }

    pub(crate) fn leader(&self) -> PublicKey {
        self.leader
    }

    pub(crate) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Nothing before the first commit.
    pub(crate) fn tree_hash(&self) -> Option<&str> {
        (!self.tree_hash.is_empty()).then_some(self.tree_hash.as_str())
    }
}

impl Zeroize for Authority {
    fn zeroize(&mut self) {
        self.epoch.zeroize();
        self.tree_hash.zeroize();
    }
}

impl Drop for Authority {
    fn drop(&mut self) {
        self.zeroize();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
    use trellis_relay::testing::Author;

    fn key(who: u64) -> PublicKey {
        Author::new(who).pubkey()
    }

    #[test]
    fn l10_of_a_hundred_commits_at_once_one_counts() {
        let leader = key(1);
        let authority = Mutex::new(Authority::new(leader, 1));
        let (counted, told) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
        std::thread::scope(|scope| {
            for at in 0..100 {
                let (authority, counted, told) = (&authority, &counted, &told);
                scope.spawn(move || {
                    let answer = authority
                        .lock()
                        .unwrap()
                        .commit(&leader, 0, &at.to_string());
                    match answer {
                        Ok(_) => drop(counted.fetch_add(1, Relaxed)),
                        Err(refusal) => told.lock().unwrap().push(refusal),
                    }
                });
            }
        });
        assert_eq!(counted.load(Relaxed), 1);
        let told = told.into_inner().unwrap();
        assert_eq!(told, vec![Refusal::OtherEpoch(1); 99]);
        assert_eq!(authority.lock().unwrap().epoch(), 1);
    }

    #[test]
    fn l10_only_the_leader_commits() {
        let (leader, other) = (key(1), key(2));
        let mut authority = Authority::new(leader, 1);
        assert_eq!(authority.tree_hash(), None);
        let refused = authority.commit(&other, 0, "aa").unwrap_err();
        assert_eq!(refused, Refusal::NotLeader);
        authority.commit(&leader, 0, "aa").unwrap();
        authority.pass_to(other);
        let refused = authority.commit(&leader, 1, "bb").unwrap_err();
        assert_eq!(refused, Refusal::NotLeader);
        authority.commit(&other, 1, "cc").unwrap();
        assert_eq!((authority.epoch(), authority.tree_hash()), (2, Some("cc")));
    }

    #[test]
    fn l10_a_commit_that_reached_nobody_is_taken_back() {
        let leader = key(1);
        let mut authority = Authority::new(leader, 1);
        authority.commit(&leader, 0, "aa").unwrap();
        let before = authority.commit(&leader, 1, "bb").unwrap();
        authority.take_back(before);
        assert_eq!((authority.epoch(), authority.tree_hash()), (1, Some("aa")));
        let before = authority.commit(&leader, 1, "bb").unwrap();
        authority.commit(&leader, 2, "cc").unwrap();
        authority.take_back(before);
        assert_eq!((authority.epoch(), authority.tree_hash()), (3, Some("cc")));
    }

    #[test]
    fn l10_a_commit_of_one_group_is_not_taken_back_from_the_next() {
        let leader = key(1);
        let mut first = Authority::new(leader, 1);
        let before = first.commit(&leader, 0, "aa").unwrap();
        // All left meanwhile, and whoever came then began another.
        let mut second = Authority::new(leader, 2);
        second.commit(&leader, 0, "bb").unwrap();
        second.take_back(before);
        assert_eq!((second.epoch(), second.tree_hash()), (1, Some("bb")));
    }

    #[test]
    fn l10_what_was_known_is_overwritten() {
        let leader = key(1);
        let mut authority = Authority::new(leader, 1);
        authority.commit(&leader, 0, "secret tree").unwrap();
        authority.zeroize();
        assert_eq!((authority.epoch(), authority.tree_hash()), (0, None));
    }

    proptest! {
        /// The epoch is the number of commits that counted, and those were the leader's for the epoch in force.
        #[test]
        fn l10_the_epoch_counts_the_commits_that_counted(
            tries in prop::collection::vec((1u64..4, 0u64..6, any::<bool>()), 0..60)
        ) {
            let (mut leads, mut epoch) = (1, 0);
            let mut authority = Authority::new(key(leads), 1);
            for (who, of_epoch, passes) in tries {
                if passes {
                    leads = who;
                    authority.pass_to(key(who));
                    continue;
                }
                let answer = authority.commit(&key(who), of_epoch, "hash");
                match (who == leads, of_epoch == epoch) {
                    (false, _) => prop_assert_eq!(answer.unwrap_err(), Refusal::NotLeader),
                    (true, false) => prop_assert_eq!(answer.unwrap_err(), Refusal::OtherEpoch(epoch)),
                    (true, true) => {
                        answer.unwrap();
                        epoch += 1;
                    }
                }
                prop_assert_eq!(authority.epoch(), epoch);
            }
        }
    }
}
