//! NIP-77: sets of events and the messages by which two sides find out what only one of them has.
//!
//! Invariant: a list only ever loses items, and the answering side keeps no other state, so every answer fits the list as
//! it is; and no bytes of a peer make it panic or take more memory than the frame they are answered with. Every message is
//! checked for its form (`form`) before the protocol sees it, since the crate takes the end of the input for the end of a
//! number. The protocol itself is the crate `negentropy`'s, which is named here alone. Not here: what belongs into a list
//! (`flow/negentropy`, `admin/sync`).

mod budget;
mod form;
mod told;

pub use budget::{Crowded, ItemBudget, ItemShare};
pub use form::{Flaw, check};

use crate::event::EventId;
use crate::store::Position;
use negentropy::{Bound, Id, Item, Negentropy, NegentropyStorageBase};
use std::collections::HashSet;

/// Times and ids of a set of events, 40 bytes each.
#[derive(Debug)]
pub struct ItemList(Vec<Item>);

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
        items.shrink_to_fit();
        ItemList(items)
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

    /// The items of which an answer of this list tells: those whose ids it lists, and those at which its ranges begin,
    /// since a bound is made of an item's time and a part of its id, or all of it. Each once.
    pub fn told(&self, answer: &[u8]) -> HashSet<EventId> {
        let told = told::read(answer);
        let at_bound = |(created_at, id): &(u64, [u8; 32])| {
            let before = |item: &Item| (item.timestamp, &*item.id) < (*created_at, id);
            self.0.get(self.0.partition_point(before))
        };
        let at_bounds = told.bounds.iter().filter_map(at_bound);
        let at_bounds = at_bounds.map(|item| EventId::from_byte_array(*item.id));
        told.ids.into_iter().chain(at_bounds).collect()
    }

    /// Drops items. The order of the others stays, and the memory is not given back before the list is.
    pub fn forget(&mut self, ids: &HashSet<EventId>) {
        self.0
            .retain(|item| !ids.contains(&EventId::from_byte_array(*item.id)));
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
    fn c10_what_an_answer_tells_is_what_it_lists_and_where_its_ranges_begin() {
        let numbers: BTreeSet<u16> = (0..2_000).collect();
        let mut list = list(&numbers);
        // Asks for all ids, more than a frame holds: the rest is told of by the id that comes next.
        let all = [VERSION, 0, 0, 2, 0];
        let answer = list.answer(&all, FRAME_BYTES).unwrap();
        let told = list.told(&answer);
        for id in &told {
            let bytes = id.as_bytes();
            assert!(answer.windows(32).any(|window| window == bytes));
        }
        let in_answer = |number: &&u16| {
            let id = position(**number, 0).id;
            answer.windows(32).any(|window| window == id.as_bytes())
        };
        assert_eq!(told.len(), numbers.iter().filter(in_answer).count());
        assert!(told.len() > 100);
        list.forget(&told);
        let again = list.answer(&all, FRAME_BYTES).unwrap();
        assert!(list.told(&again).is_disjoint(&told));
        assert_eq!(list.len(), 2_000 - told.len());
        // Fingerprints of parts: the bounds between them come from items.
        let other = ItemList::new(Vec::new())
            .first_message(FRAME_BYTES)
            .unwrap();
        assert!(
            !list
                .told(&list.answer(&other, FRAME_BYTES).unwrap())
                .is_empty()
        );
        let unlike = [&[VERSION, 0, 0, 1][..], &[7; 16]].concat();
        let parts = list.answer(&unlike, FRAME_BYTES).unwrap();
        assert_eq!(list.told(&parts).len(), 15, "sixteen parts");
    }
}
