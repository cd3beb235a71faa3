//! NIP-77: sets of events and the messages by which two sides find out what only one of them has.
//!
//! Invariant: a list never changes, so what it answers fits what it answered before; and no bytes of a peer make it
//! panic or take more memory than the frame they are answered with. Every message is checked for its form (`form`) before
//! the protocol sees it, since the crate takes the end of the input for the end of a number. The protocol itself is the crate `negentropy`'s, which
//! is named here alone. Not here: what belongs into a list (`flow/negentropy`, `admin/sync`).

mod form;

pub use self::form::{Flaw, check};

use crate::event::EventId;
use crate::store::Position;
use negentropy::{Bound, Id, Item, Negentropy, NegentropyStorageBase};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Times and ids of a set of events, 40 bytes each.
#[derive(Debug)]
pub struct ItemList(Box<[Item]>);

/// The bytes of a peer are no message of the protocol.
#[derive(Debug, thiserror::Error)]
pub enum Malformed {
    /// It is not a whole message.
    #[error("the message is not one of Negentropy protocol 1: {0}")]
    Form(#[from] Flaw),
    /// The protocol does not go on with it.
    #[error("the message is not one of Negentropy protocol 1: {0}")]
    Content(negentropy::Error),
}

/// The first byte of a message of the protocol's version 1, the only one there is.
pub const VERSION: u8 = negentropy::PROTOCOL_VERSION as u8;

/// Checks the form of a message of this protocol, in whatever version: what comes after another version's byte is
/// unknown, and the byte alone is answered.
pub fn check_any_version(message: &[u8]) -> Result<(), Flaw> {
    match message.first() {
        Some(0x60..=0x6f) if message.first() != Some(&VERSION) => Ok(()),
        _ => check(message),
    }
}

impl ItemList {
    /// From positions in any order; each counts once.
    pub fn new(positions: Vec<Position>) -> Self {
        let to_item = |position: Position| {
            let id = Id::from_byte_array(*position.id.as_bytes());
            Item::with_timestamp_and_id(position.created_at, id)
        };
        let mut items: Vec<Item> = positions.into_iter().map(to_item).collect();
        items.sort_unstable();
        items.dedup();
        ItemList(items.into_boxed_slice())
    }

    /// How many events it names.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it names none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Half of the events are from this time on; none where there are no events. Seconds since 1970.
    pub fn middle_time(&self) -> Option<u64> {
        Some(self.0.get(self.0.len() / 2)?.timestamp)
    }

    /// The answer to a message, at most `frame_bytes` long, which is at least 4,096. A message of another version is
    /// answered with the one byte that names ours. Looks at every item at most a few times.
    pub fn answer(&self, message: &[u8], frame_bytes: usize) -> Result<Vec<u8>, Malformed> {
        check_any_version(message)?;
        Negentropy::borrowed(self, frame_bytes as u64)
            .and_then(|mut protocol| protocol.reconcile(message))
            .map_err(Malformed::Content)
    }

    /// The message with which the asking side begins.
    pub fn first_message(&self, frame_bytes: usize) -> Result<Vec<u8>, Malformed> {
        Negentropy::borrowed(self, frame_bytes as u64)
            .and_then(|mut protocol| protocol.initiate())
            .map_err(Malformed::Content)
    }

    /// What the asking side learns from an answer.
    pub fn learn(&self, answer: &[u8], frame_bytes: usize) -> Result<Learned, Malformed> {
        check(answer)?;
        let (mut have, mut need) = (Vec::new(), Vec::new());
        let mut learn = || {
            let mut protocol = Negentropy::borrowed(self, frame_bytes as u64)?;
            protocol.set_initiator();
            protocol.reconcile_with_ids(answer, &mut have, &mut need)
        };
        let next = learn().map_err(Malformed::Content)?;
        let ids = |ids: Vec<Id>| ids.into_iter().map(|id| EventId::from_byte_array(*id));
        Ok(Learned {
            have: ids(have).collect(),
            need: ids(need).collect(),
            next,
        })
    }
}

/// What one answer has brought to light.
#[derive(Debug)]
pub struct Learned {
    /// Events that the other side lacks.
    pub have: Vec<EventId>,
    /// Events that the other side has and the list does not.
    pub need: Vec<EventId>,
    /// What to send next; none once everything is known.
    pub next: Option<Vec<u8>>,
}

impl NegentropyStorageBase for ItemList {
    fn size(&self) -> Result<usize, negentropy::Error> {
        Ok(self.0.len())
    }

    fn get_item(&self, at: usize) -> Result<Option<Item>, negentropy::Error> {
        Ok(self.0.get(at).copied())
    }

    fn iterate(
        &self,
        begin: usize,
        end: usize,
        each: &mut dyn FnMut(Item, usize) -> Result<bool, negentropy::Error>,
    ) -> Result<(), negentropy::Error> {
        let items = self.0.get(begin..end).ok_or(negentropy::Error::BadRange)?;
        for (at, item) in (begin..).zip(items) {
            if !each(*item, at)? {
                break;
            }
        }
        Ok(())
    }

    fn find_lower_bound(&self, first: usize, last: usize, bound: &Bound) -> usize {
        let items = self.0.get(first..last).unwrap_or_default();
        first + items.partition_point(|item| *item < bound.item)
    }
}

/// How many items all lists of a relay hold together.
#[derive(Clone, Debug, Default)]
pub struct ItemBudget(Arc<AtomicUsize>);

/// One list's share of the budget, given back when it is dropped.
#[derive(Debug)]
pub struct ItemShare {
    budget: ItemBudget,
    items: usize,
}

impl ItemBudget {
    /// A share that takes nothing yet.
    pub fn share(&self) -> ItemShare {
        ItemShare {
            budget: self.clone(),
            items: 0,
        }
    }

    /// Items in all lists now.
    pub fn held(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl ItemShare {
    /// Takes more, unless all lists would hold more than `max_in_all` then. Says whether it did.
    pub fn grow(&mut self, items: usize, max_in_all: usize) -> bool {
        let taken = self
            .budget
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |held| {
                Some(held + items).filter(|held| *held <= max_in_all)
            });
        if taken.is_err() {
            return false;
        }
        self.items += items;
        metrics::gauge!("trellis_negentropy_items").increment(items as f64);
        true
    }
}

impl Drop for ItemShare {
    fn drop(&mut self) {
        self.budget.0.fetch_sub(self.items, Ordering::Relaxed);
        metrics::gauge!("trellis_negentropy_items").decrement(self.items as f64);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use sha2::{Digest as _, Sha256};
    use std::collections::BTreeSet;

    const FRAME_BYTES: usize = 4_096;

    fn position(number: u16, created_at: u64) -> Position {
        // Hashes, since the protocol adds ids up: sums of small numbers would often be the same.
        let id = Sha256::digest(number.to_be_bytes());
        Position {
            created_at,
            id: EventId::from_byte_array(id.into()),
        }
    }

    /// Many share a second.
    fn list(numbers: &BTreeSet<u16>) -> ItemList {
        let of = |number: &u16| position(*number, u64::from(number / 50));
        ItemList::new(numbers.iter().map(of).collect())
    }

    fn reconcile(ours: &ItemList, theirs: &ItemList) -> (BTreeSet<EventId>, BTreeSet<EventId>) {
        let (mut have, mut need) = (BTreeSet::new(), BTreeSet::new());
        let mut message = Some(ours.first_message(FRAME_BYTES).unwrap());
        while let Some(sent) = message {
            let answer = theirs.answer(&sent, FRAME_BYTES).unwrap();
            assert!(answer.len() <= FRAME_BYTES);
            assert_eq!((check(&sent), check(&answer)), (Ok(()), Ok(())));
            let learned = ours.learn(&answer, FRAME_BYTES).unwrap();
            have.extend(learned.have);
            need.extend(learned.need);
            message = learned.next;
        }
        (have, need)
    }

    fn ids(numbers: impl Iterator<Item = u16>) -> BTreeSet<EventId> {
        numbers.map(|number| position(number, 0).id).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn c10_both_sides_learn_exactly_the_difference(
            ours in prop::collection::btree_set(0_u16..2_000, 0..1_500),
            theirs in prop::collection::btree_set(0_u16..2_000, 0..1_500),
        ) {
            let (have, need) = reconcile(&list(&ours), &list(&theirs));
            prop_assert_eq!(have, ids(ours.difference(&theirs).copied()));
            prop_assert_eq!(need, ids(theirs.difference(&ours).copied()));
        }

        #[test]
        fn c10_no_bytes_make_it_panic_or_exceed_the_frame(
            bytes in prop::collection::vec(any::<u8>(), 0..2_000),
            small in prop::collection::vec(0_u8..4, 0..2_000),
        ) {
            let list = list(&(0..3_000).collect());
            for bytes in [bytes, small] {
                let message = [vec![VERSION], bytes].concat();
                if let Ok(answer) = list.answer(&message, FRAME_BYTES) {
                    prop_assert!(answer.len() <= FRAME_BYTES);
                }
                let _ = list.learn(&message, FRAME_BYTES);
            }
        }
    }

    #[test]
    fn c10_another_version_is_told_ours() {
        let list = list(&BTreeSet::from([1]));
        assert_eq!(list.answer(&[0x62, 1, 2], FRAME_BYTES).unwrap(), [VERSION]);
        assert!(list.answer(&[0x70], FRAME_BYTES).is_err());
        assert!(list.answer(&[], FRAME_BYTES).is_err());
    }

    #[test]
    fn c10_a_message_that_is_cut_off_is_no_answer() {
        let list = list(&(0..9).collect());
        for cut_off in [&[VERSION, 0xff][..], &[VERSION, 0, 0], &[VERSION, 0, 0, 2]] {
            assert!(list.answer(cut_off, FRAME_BYTES).is_err());
            assert!(list.learn(cut_off, FRAME_BYTES).is_err());
        }
    }

    #[test]
    fn c10_the_budget_is_shared_and_given_back() {
        let budget = ItemBudget::default();
        let (mut one, mut two) = (budget.share(), budget.share());
        assert!(one.grow(6, 10));
        assert!(!two.grow(5, 10));
        assert!(two.grow(4, 10));
        drop(one);
        assert_eq!(budget.held(), 4);
        assert!(two.grow(6, 10));
        drop(two);
        assert_eq!(budget.held(), 0);
    }
}
