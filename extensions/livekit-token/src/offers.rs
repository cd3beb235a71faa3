//! Calls of two that were offered (20010) and answered (20011): both are ephemeral, so that they are remembered as they pass.
//!
//! Invariant: in memory alone, for a short time, and at most so many; the oldest goes first. An answer counts only where it
//! is by whom the offer is for.

use crate::LivekitToken;
use crate::work::{addressee_of, root_of};
use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use trellis_relay::extension::prelude::*;

pub(crate) const OFFER: u16 = 20_010;
pub(crate) const ANSWER: u16 = 20_011;

/// The calls that were offered of late.
pub(crate) struct Offers {
    offers_max: usize,
    ttl_s: u64,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    by_id: HashMap<EventId, Call>,
    /// By the time at which each is forgotten, the next one first.
    ends: VecDeque<(u64, EventId)>,
}

/// A call that was offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    /// The offer's id.
    pub(crate) offer: EventId,
    pub(crate) caller: PublicKey,
    pub(crate) callee: PublicKey,
    pub(crate) is_answered: bool,
}

impl Call {
    /// What an offer is about; nothing if it is for nobody, for several or for its author.
    pub(crate) fn of(offer: &Event) -> Option<Self> {
        let callee = addressee_of(offer)?;
        (callee != *offer.pubkey()).then_some(Call {
            offer: *offer.id(),
            caller: *offer.pubkey(),
            callee,
            is_answered: false,
        })
    }

    /// Whether this is the callee's answer to the caller.
    pub(crate) fn is_answered_by(&self, answer: &Event) -> bool {
        *answer.pubkey() == self.callee
            && addressee_of(answer) == Some(self.caller)
            && root_of(answer) == Some(self.offer)
    }
}

impl Offers {
    pub(crate) fn new(offers_max: usize, ttl_s: u64) -> Self {
        Offers {
            offers_max,
            ttl_s,
            kept: Mutex::default(),
        }
    }

    /// Remembers an offer or an answer. What neither is changes nothing.
    pub(crate) fn take(&self, event: &Event, now_s: u64) {
        let mut kept = self.kept(now_s);
        match event.kind() {
            OFFER => {
                if let Some(call) = Call::of(event) {
                    kept.add(call, now_s + self.ttl_s, self.offers_max);
                }
            }
            ANSWER => {
                let call = root_of(event).and_then(|id| kept.by_id.get_mut(&id));
                if let Some(call) = call.filter(|call| call.is_answered_by(event)) {
                    call.is_answered = true;
                }
            }
            _ => {}
        }
    }

    /// A call that was offered of late.
    pub(crate) fn get(&self, offer: &EventId, now_s: u64) -> Option<Call> {
        self.kept(now_s).by_id.get(offer).copied()
    }

    fn kept(&self, now_s: u64) -> MutexGuard<'_, Kept> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        while kept.ends.front().is_some_and(|(end_s, _)| *end_s <= now_s) {
            kept.forget_oldest();
        }
        kept
    }
}

impl Kept {
    fn add(&mut self, call: Call, end_s: u64, calls_max: usize) {
        if self.by_id.contains_key(&call.offer) {
            return;
        }
        if self.by_id.len() >= calls_max {
            self.forget_oldest();
        }
        self.ends.push_back((end_s, call.offer));
        self.by_id.insert(call.offer, call);
    }

    fn forget_oldest(&mut self) {
        if let Some((_, oldest)) = self.ends.pop_front() {
            self.by_id.remove(&oldest);
        }
    }
}

/// Ephemeral events are judged by `admit` hooks and by none that comes later, so that is where they are seen. It says yes to
/// all; one that another extension refuses after it is signed all the same.
pub(crate) fn register(hooks: &mut Registrar<LivekitToken>) {
    hooks.phase(Phase::Policy);
    hooks
        .label("offers of calls")
        .admit([OFFER, ANSWER], |me, event, _viewer| {
            me.offers.take(event, me.host.clock().now_s());
            Ok(Admit::Accept)
        })
        .label("");
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use trellis_relay::testing::{Author, START_S};

    fn offer(caller: &Author, callee: &Author) -> Event {
        caller
            .draft(OFFER)
            .tag(["p", &callee.pubkey().to_hex()])
            .sign()
    }

    fn answer(callee: &Author, caller: &Author, offer: &Event) -> Event {
        let draft = callee.draft(ANSWER).tag(["p", &caller.pubkey().to_hex()]);
        draft.tag(["e", &offer.id().to_hex(), "", "root"]).sign()
    }

    #[test]
    fn l4_only_the_callee_answers() {
        let (alice, bob, eve) = (Author::new(1), Author::new(2), Author::new(3));
        let offers = Offers::new(100, 120);
        let call = offer(&alice, &bob);
        offers.take(&call, START_S);
        for wrong in [answer(&eve, &alice, &call), answer(&alice, &alice, &call)] {
            offers.take(&wrong, START_S);
            assert!(!offers.get(call.id(), START_S).unwrap().is_answered);
        }
        offers.take(&answer(&bob, &alice, &call), START_S);
        assert!(offers.get(call.id(), START_S).unwrap().is_answered);
    }

    #[test]
    fn l4_offers_are_forgotten_after_a_while() {
        let (alice, bob) = (Author::new(1), Author::new(2));
        let offers = Offers::new(100, 120);
        let call = offer(&alice, &bob);
        offers.take(&call, START_S);
        assert!(offers.get(call.id(), START_S + 119).is_some());
        assert!(offers.get(call.id(), START_S + 120).is_none());
        assert!(offers.kept(START_S + 120).ends.is_empty());
    }

    #[test]
    fn l4_offers_are_bounded() {
        let (alice, bob) = (Author::new(1), Author::new(2));
        let offers = Offers::new(2, 120);
        let calls: Vec<Event> = (0..3)
            .map(|at| {
                let draft = alice.draft(OFFER).at(START_S + at);
                draft.tag(["p", &bob.pubkey().to_hex()]).sign()
            })
            .collect();
        for call in &calls {
            offers.take(call, START_S);
        }
        assert!(offers.get(calls[0].id(), START_S).is_none());
        assert!(offers.get(calls[2].id(), START_S).is_some());
        assert_eq!(offers.kept(START_S).by_id.len(), 2);
    }

    #[test]
    fn l4_an_offer_is_for_one_other_person() {
        let (alice, bob, eve) = (Author::new(1), Author::new(2), Author::new(3));
        let [bobs, eves] = [&bob, &eve].map(|it| it.pubkey().to_hex());
        let nobody = alice.draft(OFFER).sign();
        let two = alice
            .draft(OFFER)
            .tag(["p", &bobs])
            .tag(["p", &eves])
            .sign();
        let herself = offer(&alice, &alice);
        for wrong in [nobody, two, herself] {
            assert_eq!(Call::of(&wrong), None);
        }
    }
}
