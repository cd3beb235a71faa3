//! What one filter shows its viewer, page by page, for whoever tells of events without sending them: times, ids, authors.
//!
//! Invariant: nothing is taken that a REQ would not show at that moment. Where `visibility` and the filter's tests need no
//! more than the kind and the expiration, headers are read and no bodies; where one must see the event, it is read.

use super::count::Allowance;
use super::req::{Filters, PAGE};
use crate::extension::Viewer;
use crate::reason::Reason;
use crate::session::Session;
use crate::store::{Budget, Found, Order, Scan};
use crate::visibility::Visibility;
use std::time::Instant;

/// Finds at most `limit` events of the first filter, newest first.
pub(super) async fn each_page<E: From<Reason>>(
    session: &Session,
    filters: &Filters,
    limit: usize,
    clock: &mut Allowance,
    mut take: impl FnMut(Vec<Found>) -> Result<(), E>,
) -> Result<(), E> {
    if filters[0].is_empty() {
        return Ok(());
    }
    let relay = session.worker.relay.clone();
    let tested = filters[0].tested_kinds();
    let mut left = limit;
    let mut resume = None;
    while left > 0 {
        // Excluded kinds do not come out, so there is nothing to be asked about them.
        let guarded = in_force(session, |now| now.guarded_kinds()) | tested.clone();
        let whole = !(!guarded | filters[0].excluded.clone());
        let (filters_read, store) = (filters.clone(), relay.store.clone());
        let now = relay.clock.now_s();
        let read = move || {
            let started = Instant::now();
            let scan = Scan {
                filter: &filters_read[0].filter,
                order: Order::NewestFirst,
                resume,
                max_row: u64::MAX,
                now,
                // Headers are short, so a page of them holds more than one of events.
                budget: Budget {
                    events: left,
                    ..PAGE
                },
            };
            (store.find(&scan, &whole), started.elapsed())
        };
        let page = clock.charge(relay.readers.run(read).await)?;
        let mut found = page.found;
        found.retain(|found| match &found.event {
            Some(event) => filters[0].admits(event),
            None => filters[0].admits_kind(found.kind) && !tested.contains(found.kind),
        });
        let viewer = session.viewer();
        // A kind may have found a guard while the page was read: then it is read again, with the events of that kind.
        if in_force(session, |now| retain_shown(now, &viewer, &mut found)) {
            found.truncate(left);
            left -= found.len();
            take(found)?;
            resume = page.next;
            if resume.is_none() {
                return Ok(());
            }
        }
        clock.check()?;
    }
    Ok(())
}

fn in_force<T>(session: &Session, ask: impl FnOnce(&Visibility<'_>) -> T) -> T {
    let worker = &session.worker;
    let (hooks, config) = (worker.hooks(), worker.config());
    ask(&Visibility {
        hooks: &hooks,
        protected: &config.protection.read_protected_kinds,
        now: worker.relay.clock.now_s(),
    })
}

/// Drops what the viewer is not shown; `false` where that cannot be said without bodies that were not read.
fn retain_shown(visibility: &Visibility<'_>, viewer: &Viewer, found: &mut Vec<Found>) -> bool {
    let mut is_known = true;
    found.retain(|found| {
        let shown = match &found.event {
            Some(event) => Some(visibility.shows(event, found.expires_at, viewer)),
            None => visibility.same_for_all_of(found.kind, found.expires_at),
        };
        is_known &= shown.is_some();
        shown == Some(true)
    });
    is_known
}

#[cfg(test)]
mod tests;
