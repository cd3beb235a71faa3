//! The sets that one connection reconciles (NIP-77), by ids of a namespace of their own.
//!
//! Invariant: what is forgotten here gives its memory back, and nothing outlives the connection.

use super::Session;
use crate::event::EventId;
use crate::extension::Narrowed;
use crate::filter::Filter;
use crate::nips::nip77::{ItemList, ItemShare, Malformed};
use crate::wire::SubId;
use std::collections::HashSet;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// A set of events sealed at NEG-OPEN; what is hidden since then is dropped from it when it would be told.
#[derive(Clone, Debug)]
pub struct Reconciliation {
    /// What the client asked for.
    pub original: Rc<[Filter]>,
    /// What it got, after `request` hooks.
    pub filters: Arc<[Narrowed]>,
    /// The set.
    pub items: Arc<SealedItems>,
}

/// A list and its share of what all lists may hold.
#[derive(Debug)]
pub struct SealedItems {
    /// One message at a time is answered, so nobody waits for the lock.
    list: Mutex<ItemList>,
    /// Given back with the list.
    _share: ItemShare,
}

impl SealedItems {
    /// Keeps the share for as long as the list.
    pub fn new(list: ItemList, share: ItemShare) -> Self {
        SealedItems {
            list: Mutex::new(list),
            _share: share,
        }
    }

    /// Drops what is hidden from the list, then answers a message; see [`ItemList::answer`] and [`ItemList::told`].
    pub fn answer_without(
        &self,
        hidden: &HashSet<EventId>,
        message: &[u8],
        frame_bytes: usize,
    ) -> Result<(Vec<u8>, HashSet<EventId>), Malformed> {
        let mut list = self.list.lock().unwrap_or_else(PoisonError::into_inner);
        if !hidden.is_empty() {
            list.forget(hidden);
        }
        let answer = list.answer(message, frame_bytes)?;
        let told = list.told(&answer);
        Ok((answer, told))
    }
}

/// One of a session's.
#[derive(Debug)]
pub(super) struct Entry {
    id: SubId,
    reconciliation: Reconciliation,
    opened: Instant,
    last_heard: Instant,
}

/// How old a set is.
#[derive(Clone, Copy, Debug)]
pub struct SetAge {
    /// Since it was opened.
    pub open: Duration,
    /// Since something was heard about it.
    pub quiet: Duration,
}

impl Session {
    /// Remembers a set under an id, in the place of what had the id before.
    pub fn add_reconciliation(&self, id: SubId, reconciliation: Reconciliation) {
        self.remove_reconciliation(&id);
        if self.closing().is_none() {
            let now = Instant::now();
            self.reconciliations.borrow_mut().push(Entry {
                id,
                reconciliation,
                opened: now,
                last_heard: now,
            });
        }
    }

    /// The set of an id, about which something was heard now.
    pub fn reconciliation(&self, id: &SubId) -> Option<Reconciliation> {
        let mut open = self.reconciliations.borrow_mut();
        let entry = open.iter_mut().find(|entry| entry.id == *id)?;
        entry.last_heard = Instant::now();
        Some(entry.reconciliation.clone())
    }

    /// Forgets the set of an id; says whether there was one.
    pub fn remove_reconciliation(&self, id: &SubId) -> bool {
        let mut open = self.reconciliations.borrow_mut();
        let before = open.len();
        open.retain(|entry| entry.id != *id);
        open.len() < before
    }

    /// How many there are.
    pub fn reconciliations(&self) -> usize {
        self.reconciliations.borrow().len()
    }

    /// Forgets those of filters that are over, and says their ids.
    pub fn take_reconciliations_of(&self, is_over: impl Fn(&[Filter]) -> bool) -> Vec<SubId> {
        let mut open = self.reconciliations.borrow_mut();
        let over = open.extract_if(.., |entry| is_over(&entry.reconciliation.original));
        over.map(|entry| entry.id).collect()
    }

    /// Forgets those that are over by their age, and says their ids.
    pub fn take_reconciliations(&self, is_over: impl Fn(SetAge) -> bool) -> Vec<SubId> {
        let mut open = self.reconciliations.borrow_mut();
        if open.is_empty() {
            return Vec::new();
        }
        let over = open.extract_if(.., |entry| {
            is_over(SetAge {
                open: entry.opened.elapsed(),
                quiet: entry.last_heard.elapsed(),
            })
        });
        over.map(|entry| entry.id).collect()
    }
}
