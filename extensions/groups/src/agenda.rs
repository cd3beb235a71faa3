//! What the relay has to do because of what was stored: answer requests, say what groups are, remove events.
//!
//! Invariant: bounded by the groups and their pending requests, since every item is there once. Items come in turn, and what
//! has failed waits behind the others. Nothing is lost with the process, nor what is given up after many failures: the task
//! finds all of it in the rows when it starts.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;
use trellis_relay::extension::prelude::*;

/// What has failed so often is left until the next start: at half a second each, after a minute.
const FAILURES_MAX: u32 = 120;

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
    requests: Queue<(String, PublicKey), ()>,
    said: Queue<String, Said>,
}

/// Items by their keys, in the order in which they came, with how often each has failed.
struct Queue<K, V> {
    order: VecDeque<K>,
    waiting: BTreeMap<K, (V, u32)>,
}

impl<K, V> Default for Queue<K, V> {
    fn default() -> Self {
        Queue {
            order: VecDeque::new(),
            waiting: BTreeMap::new(),
        }
    }
}

impl<K: Ord + Clone, V: Default> Queue<K, V> {
    /// The item of this key, at the end unless it waits already.
    fn item(&mut self, key: K, failures: u32) -> &mut V {
        if !self.waiting.contains_key(&key) {
            self.order.push_back(key.clone());
        }
        let item = self.waiting.entry(key);
        &mut item.or_insert_with(|| (V::default(), failures)).0
    }

    fn pop(&mut self) -> Option<(K, V, u32)> {
        let key = self.order.pop_front()?;
        let (item, failures) = self.waiting.remove(&key)?;
        Some((key, item, failures))
    }
}

/// Which of the events about a group have to be looked at: bits in the order of [`crate::metadata::SAID`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Said(u8);

impl Said {
    pub(crate) const NOTHING: Said = Said(0);
    pub(crate) const METADATA: Said = Said(1);
    /// Admins and members.
    pub(crate) const USERS: Said = Said(0b110);
    pub(crate) const PINS: Said = Said(0b1_0000);
    pub(crate) const ALL: Said = Said(0b1_1111);

    /// The one at this place alone.
    pub(crate) const fn at(place: usize) -> Said {
        Said(1 << place)
    }

    /// Whether the one at this place is among them.
    pub(crate) fn has(self, place: usize) -> bool {
        self.0 & Said::at(place).0 != 0
    }

    /// Both together.
    pub(crate) const fn and(self, other: Said) -> Said {
        Said(self.0 | other.0)
    }
}

impl Agenda {
    /// Somebody has asked to join or leave.
    pub(crate) fn answer(&self, id: &str, user: &PublicKey) {
        self.items().requests.item((id.to_owned(), *user), 0);
        self.to_answer.notify_one();
    }

    /// A request that could not be answered, and had failed so often before, waits behind the others; whether it does.
    pub(crate) fn answer_again(&self, id: &str, user: &PublicKey, failures: u32) -> bool {
        let failures = failures + 1;
        let is_kept = failures < FAILURES_MAX;
        if is_kept {
            self.items().requests.item((id.to_owned(), *user), failures);
            self.to_answer.notify_one();
        }
        is_kept
    }

    /// Something of a group has changed.
    pub(crate) fn say(&self, id: &str, what: Said) {
        self.items().said.item(id.to_owned(), 0).0 |= what.0;
        self.to_say.notify_one();
    }

    /// What could not be said, and had failed so often before, waits behind the others; whether it does.
    pub(crate) fn say_again(&self, id: &str, what: Said, failures: u32) -> bool {
        let failures = failures + 1;
        let is_kept = failures < FAILURES_MAX;
        if is_kept {
            self.items().said.item(id.to_owned(), failures).0 |= what.0;
            self.to_say.notify_one();
        }
        is_kept
    }

    /// There are events to be removed.
    pub(crate) fn erase(&self) {
        self.to_erase.notify_one();
    }

    /// Waits for requests, and gives one with how often it has failed.
    pub(crate) async fn next_request(&self) -> (String, PublicKey, u32) {
        loop {
            let request = self.items().requests.pop();
            match request {
                Some(((id, user), (), failures)) => return (id, user, failures),
                None => self.to_answer.notified().await,
            }
        }
    }

    /// Waits for what has to be said of a group, and gives it with how often it has failed.
    pub(crate) async fn next_said(&self) -> (String, Said, u32) {
        loop {
            let said = self.items().said.pop();
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

#[cfg(test)]
mod tests {
    use super::*;
    use trellis_relay::testing::Author;

    #[tokio::test]
    async fn g2_what_fails_waits_behind_the_others_and_is_left_in_the_end() {
        let agenda = Agenda::default();
        let user = Author::new(1).pubkey();
        for id in ["bad", "good", "bad"] {
            agenda.answer(id, &user);
        }
        let (first, _, failures) = agenda.next_request().await;
        assert_eq!((first.as_str(), failures), ("bad", 0));
        assert!(agenda.answer_again("bad", &user, failures));
        assert_eq!(agenda.next_request().await.0, "good");
        let (again, _, failures) = agenda.next_request().await;
        assert_eq!((again.as_str(), failures), ("bad", 1));
        assert!(!agenda.answer_again("bad", &user, FAILURES_MAX - 1));
        assert!(agenda.items().requests.pop().is_none());

        agenda.say("bad", Said::PINS);
        agenda.say("good", Said::METADATA);
        let (_, what, failures) = agenda.next_said().await;
        assert!(agenda.say_again("bad", what, failures));
        assert_eq!(agenda.next_said().await.0, "good");
        assert_eq!(agenda.next_said().await, ("bad".to_owned(), Said::PINS, 1));
        assert!(!agenda.say_again("bad", what, FAILURES_MAX - 1));
    }
}
