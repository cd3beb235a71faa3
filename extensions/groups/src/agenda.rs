//! What the relay has to do because of what was stored: answer requests, say what groups are, remove events.
//!
//! Invariant: bounded by the groups and their pending requests, since every item is there once. Nothing is lost with the
//! process: the task finds all of it in the rows when it starts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;
use trellis_relay::extension::prelude::*;

/// What is to be done.
#[derive(Default)]
pub(crate) struct Agenda {
    items: Mutex<Items>,
    to_answer: Notify,
    to_say: Notify,
    to_erase: Notify,
}

#[derive(Default)]
struct Items {
    requests: BTreeSet<(String, PublicKey)>,
    said: BTreeMap<String, Said>,
}

/// Which of the events about a group have to be looked at: bits in the order of [`crate::metadata::SAID`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Said(u8);

impl Said {
    pub(crate) const METADATA: Said = Said(1);
    /// Admins and members.
    pub(crate) const USERS: Said = Said(0b110);
    pub(crate) const PINS: Said = Said(0b1_0000);
    pub(crate) const ALL: Said = Said(0b1_1111);

    /// Whether the one at this place is among them.
    pub(crate) fn has(self, place: usize) -> bool {
        self.0 & (1 << place) != 0
    }
}

impl Agenda {
    /// Somebody has asked to join or leave.
    pub(crate) fn answer(&self, id: &str, user: &PublicKey) {
        self.items().requests.insert((id.to_owned(), *user));
        self.to_answer.notify_one();
    }

    /// Something of a group has changed.
    pub(crate) fn say(&self, id: &str, what: Said) {
        let mut items = self.items();
        let said = items.said.entry(id.to_owned()).or_default();
        said.0 |= what.0;
        self.to_say.notify_one();
    }

    /// There are events to be removed.
    pub(crate) fn erase(&self) {
        self.to_erase.notify_one();
    }

    /// Waits for requests, and gives one.
    pub(crate) async fn next_request(&self) -> (String, PublicKey) {
        loop {
            let request = self.items().requests.pop_first();
            match request {
                Some(request) => return request,
                None => self.to_answer.notified().await,
            }
        }
    }

    /// Waits for what has to be said of a group, and gives it.
    pub(crate) async fn next_said(&self) -> (String, Said) {
        loop {
            let said = self.items().said.pop_first();
            match said {
                Some(said) => return said,
                None => self.to_say.notified().await,
            }
        }
    }

    /// Waits until there is something to remove.
    pub(crate) async fn until_erasing(&self) {
        self.to_erase.notified().await;
    }

    fn items(&self) -> MutexGuard<'_, Items> {
        self.items.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
