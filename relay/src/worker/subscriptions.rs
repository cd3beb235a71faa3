//! The live subscriptions of a worker: what is open, and the index over what it gets.
//!
//! Invariant: the index holds the filters of what is open as they are now. Not here: what is sent to whom (`delivery`).

use super::Worker;
use crate::extension::Narrowed;
use crate::fanout::SubKey;
use crate::filter::Filter;
use crate::flow::request::Look;
use crate::session::Session;
use crate::wire::SubId;
use std::rc::Rc;
use std::sync::Arc;

/// A live subscription.
pub struct LiveSub {
    /// Whose it is.
    pub session: Rc<Session>,
    /// Its id on that connection.
    pub id: SubId,
    /// What the client asked for.
    pub original: Rc<[Filter]>,
    /// What it gets, after `request` hooks.
    pub filters: Arc<[Narrowed]>,
    /// Rows up to here come from the store.
    pub boundary: u64,
    /// The look by which it gets that.
    pub(crate) look: Look,
}

impl Worker {
    /// Registers a live subscription and returns the row up to which the store must be asked. Both happen in one step of
    /// this thread, so that nothing falls between.
    pub(crate) fn subscribe(
        &self,
        session: &Rc<Session>,
        id: SubId,
        original: Rc<[Filter]>,
        filters: Arc<[Narrowed]>,
        look: Look,
    ) -> (SubKey, u64) {
        self.catch_up();
        let boundary = self.boundary.get();
        let mut subs = self.subs.borrow_mut();
        let entry = subs.vacant_entry();
        let key = entry.key() as SubKey;
        self.fanout.borrow_mut().insert(key, wanted(&filters));
        entry.insert(LiveSub {
            session: session.clone(),
            id,
            original,
            filters,
            boundary,
            look,
        });
        (key, boundary)
    }

    /// Ends a live subscription.
    pub fn unsubscribe(&self, key: SubKey) {
        if let Some(sub) = self.subs.borrow_mut().try_remove(key as usize) {
            self.fanout.borrow_mut().remove(key, wanted(&sub.filters));
        }
    }

    /// The original filters of a subscription, to be narrowed anew.
    pub fn original(&self, key: SubKey) -> Option<Rc<[Filter]>> {
        Some(self.subs.borrow().get(key as usize)?.original.clone())
    }

    /// Whether a subscription has what a later look gave it.
    pub(crate) fn was_looked_at_since(&self, key: SubKey, look: Look) -> bool {
        let subs = self.subs.borrow();
        subs.get(key as usize).is_some_and(|sub| sub.look > look)
    }

    /// Puts newly narrowed filters in the place of a subscription's old ones, unless those are of a later look.
    pub(crate) fn reindex(&self, key: SubKey, filters: Arc<[Narrowed]>, look: Look) {
        let mut subs = self.subs.borrow_mut();
        let Some(sub) = subs.get_mut(key as usize).filter(|sub| sub.look <= look) else {
            return;
        };
        sub.look = look;
        let mut fanout = self.fanout.borrow_mut();
        fanout.remove(key, wanted(&sub.filters));
        fanout.insert(key, wanted(&filters));
        sub.filters = filters;
    }
}

/// What filters let out, but for tests of hooks.
fn wanted(filters: &[Narrowed]) -> impl Iterator<Item = &Filter> {
    filters.iter().map(|narrowed| &narrowed.filter)
}
