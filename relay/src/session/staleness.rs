//! What of a session is to be looked at anew since an extension said that what its viewer may see has changed.
//!
//! Invariant: one look at a time, so that changes that come fast make no more work than they have to; whoever looks goes on
//! until nothing is stale. Bounded: of many changes that wait it is remembered that they were many.

use crate::access_changes::Touched;
use crate::filter::Filter;
use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

/// Of one session.
#[derive(Debug, Default)]
pub struct Staleness {
    /// Requests that have begun and have nothing open yet.
    begun: RefCell<Vec<Weak<Begun>>>,
    stale: RefCell<Vec<Touched>>,
    is_looking: Cell<bool>,
}

/// A request that is on its way, for which something may change before it is open.
#[derive(Debug)]
pub struct Begun {
    filters: Rc<[Filter]>,
    is_touched: Cell<bool>,
    has_lost: Cell<bool>,
}

impl Begun {
    /// Whether anything has changed of what its filters ask for.
    pub fn is_touched(&self) -> bool {
        self.is_touched.get()
    }

    /// Whether less may be seen of it.
    pub fn has_lost(&self) -> bool {
        self.has_lost.get()
    }
}

/// Changes that are told apart while they wait.
const STALE_MAX: usize = 64;

impl Staleness {
    /// A request begins; it hears of changes for as long as it is kept.
    pub fn begin(&self, filters: &Rc<[Filter]>) -> Rc<Begun> {
        let begun = Rc::new(Begun {
            filters: filters.clone(),
            is_touched: Cell::new(false),
            has_lost: Cell::new(false),
        });
        let mut all = self.begun.borrow_mut();
        all.retain(|it| it.strong_count() > 0);
        all.push(Rc::downgrade(&begun));
        begun
    }

    /// Tells requests that have begun of a change.
    pub fn tell(&self, changed: &Touched) {
        for begun in self.begun.borrow().iter().filter_map(Weak::upgrade) {
            if changed.touches(&begun.filters) {
                begun.is_touched.set(true);
                begun.has_lost.set(begun.has_lost() || !changed.is_gain());
            }
        }
    }

    /// Notes that what this touches is to be looked at.
    pub fn add(&self, changed: Touched) {
        let mut stale = self.stale.borrow_mut();
        let is_full = stale.len() >= STALE_MAX;
        match stale.last_mut().filter(|_| is_full) {
            Some(last) => last.widen(&changed),
            None => stale.push(changed),
        }
    }

    /// True where nobody is looking yet: the caller has to.
    pub fn begin_look(&self) -> bool {
        !self.is_looking.replace(true)
    }

    /// What to look at; nothing ends the look, since nothing is stale.
    pub fn take(&self) -> Vec<Touched> {
        let stale = self.stale.take();
        if stale.is_empty() {
            self.is_looking.set(false);
        }
        stale
    }
}
