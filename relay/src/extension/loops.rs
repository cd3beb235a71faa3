//! Keeps extensions from answering their own events for ever.
//!
//! An event that an extension publishes while it handles another is one deeper than that one; too deep is refused. The
//! depth of published events is remembered by id for a while, since their handlers run later and elsewhere.

use crate::event::EventId;
use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::sync::{Mutex, PoisonError};

/// An event may be published in answer to one that was published in answer to one ... this often.
pub(super) const MAX_DEPTH: u8 = 4;
/// Depths remembered; the oldest is forgotten first.
const REMEMBERED: usize = 4096;

tokio::task_local! {
    static DEPTH: u8;
}

/// The depth of what this task handles; 0 if nothing of ours.
pub(super) fn current_depth() -> u8 {
    DEPTH.try_with(|depth| *depth).unwrap_or_default()
}

/// Runs a future as the handler of an event of this depth.
pub(super) fn at_depth<F: Future>(depth: u8, future: F) -> impl Future<Output = F::Output> {
    DEPTH.scope(depth, future)
}

/// Depths of what extensions have published of late.
#[derive(Default)]
pub(super) struct Depths {
    known: Mutex<(HashMap<EventId, u8>, VecDeque<EventId>)>,
}

impl Depths {
    pub(super) fn of(&self, id: &EventId) -> u8 {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.0.get(id).copied().unwrap_or_default()
    }

    /// The depth of the deepest.
    pub(super) fn deepest<'e>(&self, ids: impl Iterator<Item = &'e EventId>) -> u8 {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.0.is_empty() {
            return 0;
        }
        let depths = ids.filter_map(|id| known.0.get(id).copied());
        depths.max().unwrap_or_default()
    }

    pub(super) fn remember(&self, id: EventId, depth: u8) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let (depths, order) = &mut *known;
        if depths.insert(id, depth).is_none() {
            order.push_back(id);
        }
        if order.len() > REMEMBERED
            && let Some(oldest) = order.pop_front()
        {
            depths.remove(&oldest);
        }
    }
}
