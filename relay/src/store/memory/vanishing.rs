//! Who has vanished (NIP-62), what that hides, and what it keeps away.

use super::{State, position_of};
use crate::event::{Event, PublicKey};
use crate::store::{CommitPolicy, Outcome, Position, Vanishing};
use std::collections::BTreeMap;
use std::sync::Arc;

const REQUEST: u16 = 62;
/// NIP-59: what vanishes with its recipient.
const GIFT_WRAP: u16 = 1059;

impl State {
    /// Stores the request, which binds from now on.
    pub(super) fn vanish(
        &mut self,
        request: &Arc<Event>,
        policy: &dyn CommitPolicy,
        now: u64,
    ) -> Outcome {
        let outcome = self.put(request, true, policy, now);
        if matches!(outcome, Outcome::Stored(_)) {
            // An earlier one with a later time would have refused this one.
            let (pubkey, until) = (*request.pubkey(), request.created_at());
            self.vanished.insert(pubkey, until);
            self.vanishing.insert(pubkey, until);
        }
        outcome
    }

    pub(super) fn end_vanishing(&mut self, vanishing: &Vanishing) -> Outcome {
        if self.vanishing.get(&vanishing.pubkey) != Some(&vanishing.until) {
            return Outcome::Kept;
        }
        self.vanishing.remove(&vanishing.pubkey);
        Outcome::Done
    }

    /// Whether the event comes too late to be stored.
    pub(super) fn has_vanished(&self, event: &Event) -> bool {
        self.vanished
            .iter()
            .any(|entry| covers(&vanishing(entry), event))
    }

    /// Whether the event is stored only until the sweep comes to it.
    pub(super) fn is_hidden(&self, event: &Event) -> bool {
        self.is_hidden_since(event, &BTreeMap::new())
    }

    /// The same, but for requests that were stored `before`.
    pub(super) fn is_hidden_since(&self, event: &Event, before: &BTreeMap<PublicKey, u64>) -> bool {
        self.vanishings()
            .filter(|it| before.get(&it.pubkey) != Some(&it.until))
            .any(|it| covers(&it, event) && !is_request_of(&it, event))
    }

    pub(super) fn vanishings(&self) -> impl Iterator<Item = Vanishing> {
        self.vanishing.iter().map(vanishing)
    }

    pub(super) fn covered_by(&self, vanishing: &Vanishing) -> Vec<Position> {
        self.events
            .values()
            .filter(|stored| covers(vanishing, &stored.event))
            .filter(|stored| !is_request_of(vanishing, &stored.event))
            .map(position_of)
            .collect()
    }
}

fn vanishing((pubkey, until): (&PublicKey, &u64)) -> Vanishing {
    Vanishing {
        pubkey: *pubkey,
        until: *until,
    }
}

fn covers(vanishing: &Vanishing, event: &Event) -> bool {
    let is_author = *event.pubkey() == vanishing.pubkey;
    let is_recipient = || {
        event
            .tag_values(b'p')
            .any(|value| value == vanishing.pubkey.to_hex())
    };
    event.created_at() <= vanishing.until
        && (is_author || (event.kind() == GIFT_WRAP && is_recipient()))
}

fn is_request_of(vanishing: &Vanishing, event: &Event) -> bool {
    event.kind() == REQUEST
        && *event.pubkey() == vanishing.pubkey
        && event.created_at() == vanishing.until
}
