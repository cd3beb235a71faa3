//! Live delivery: one event to every live subscription of a worker that wants and may see it.
//!
//! Invariant: nothing is pushed to anybody before `visibility` was asked. What is the same for all viewers is asked once.

use super::{LiveSub, Worker};
use crate::event::Event;
use crate::extension::Viewer;
use crate::fanout::FilterKey;
use crate::visibility::Visibility;
use crate::wire::event_ends;
use smallvec::{SmallVec, smallvec};
use std::cell::Ref;

/// As many as listen to a group that many are in: for them nothing is allocated. Together they are 2 KiB of the stack.
type Few<T> = SmallVec<[T; 64]>;

impl Worker {
    /// Hands one event to every live subscription that wants and may see it; `row` where it is stored.
    pub(super) fn deliver(&self, event: &Event, row: Option<u64>, expires_at: Option<u64>) {
        let mut keys = self.candidates.take();
        self.fanout.borrow().candidates(event, &mut keys);
        if !keys.is_empty() {
            self.deliver_among(&keys, event, row, expires_at);
        }
        self.candidates.replace(keys);
    }

    fn deliver_among(
        &self,
        keys: &[FilterKey],
        event: &Event,
        row: Option<u64>,
        expires_at: Option<u64>,
    ) {
        let subs = self.subs.borrow();
        let of_one_sub = keys.chunk_by(|one, next| one.sub == next.sub);
        let wanted = of_one_sub.filter_map(|keys| {
            let sub = subs.get(keys.first()?.sub as usize)?;
            let is_met = |key: &FilterKey| {
                let mut near = key.among(&sub.filters).iter();
                near.any(|narrowed| key.matches(&narrowed.filter, event) && narrowed.admits(event))
            };
            let is_wanted = row.is_none_or(|row| row > sub.boundary) && keys.iter().any(is_met);
            is_wanted.then_some(sub)
        });
        let hooks = self.hooks();
        let config = self.config();
        let visibility = Visibility {
            hooks: &hooks,
            protected: &config.protection.read_protected_kinds,
            now: self.relay.clock.now_s(),
        };
        let delivered = match visibility.same_for_all(event, expires_at) {
            Some(true) => wanted.map(|sub| push(sub, event)).count(),
            Some(false) => 0,
            None => {
                let found: Few<&LiveSub> = wanted.collect();
                let viewers = found.iter().map(|sub| sub.session.borrow_viewer());
                let viewers: Few<Ref<'_, Viewer>> = viewers.collect();
                let viewers: Few<&Viewer> = viewers.iter().map(|viewer| &**viewer).collect();
                let mut show: Few<bool> = smallvec![true; found.len()];
                visibility.show(event, expires_at, &viewers, &mut show);
                let shown = found.iter().zip(&show).filter(|(_, show)| **show);
                shown.map(|(sub, _)| push(sub, event)).count()
            }
        };
        tracing::trace!(
            kind = event.kind(),
            delivered,
            "an event was delivered live"
        );
        self.relay
            .metrics
            .live_deliveries
            .increment(delivered as u64);
    }
}

fn push(sub: &LiveSub, event: &Event) {
    let (head, tail) = event_ends(&sub.id);
    let mut outbox = sub.session.outbox();
    outbox.push_shared_text(&head, event.json(), tail);
}
