//! Times and ids of the events of one filter that its viewer is shown.
//!
//! Invariant: nothing is found that a query would not show at that moment. Not here: what is done with them.

use super::Refusal;
use crate::flow::count::{Allowance, seen_by_headers};
use crate::flow::query::{Query, Step};
use crate::flow::req::{Filters, PAGE, shows};
use crate::session::Session;
use crate::store::{Budget, Order, Position, Scan};
use std::time::Instant;

/// Finds them page by page, newest first.
pub(super) async fn gather(
    session: &Session,
    filters: &Filters,
    take: &mut Take<'_>,
    clock: &mut Allowance,
) -> Result<(), Refusal> {
    match seen_by_headers(session, &filters[0]) {
        true => gather_headers(session, filters, take, clock).await,
        false => gather_visible(session, filters, take, clock).await,
    }
}

/// Takes one page of what was found, or says why that is too much.
pub(super) type Take<'t> = dyn FnMut(Vec<Position>) -> Result<(), Refusal> + 't;

/// Nobody guards the kinds: times and ids from the index, without bodies.
async fn gather_headers(
    session: &Session,
    filters: &Filters,
    take: &mut Take<'_>,
    clock: &mut Allowance,
) -> Result<(), Refusal> {
    let relay = session.worker.relay.clone();
    let mut left = filters[0].filter.limit.unwrap_or(usize::MAX);
    let mut resume = None;
    while left > 0 {
        let (filters, store) = (filters.clone(), relay.store.clone());
        let now = relay.clock.now_s();
        let read = move || {
            let started = Instant::now();
            let page = store.positions(&Scan {
                filter: &filters[0].filter,
                order: Order::NewestFirst,
                resume,
                max_row: u64::MAX,
                now,
                budget: Budget {
                    events: left,
                    ..POSITIONS
                },
            });
            (page, started.elapsed())
        };
        let page = clock.charge(relay.readers.run(read).await)?;
        left -= page.positions.len().min(left);
        take(page.positions)?;
        if page.next.is_none() {
            return Ok(());
        }
        clock.check()?;
        resume = page.next;
    }
    Ok(())
}

/// Every event has to be asked about, so every event has to be read.
async fn gather_visible(
    session: &Session,
    filters: &Filters,
    take: &mut Take<'_>,
    clock: &mut Allowance,
) -> Result<(), Refusal> {
    let relay = session.worker.relay.clone();
    let limit = filters[0].filter.limit.unwrap_or(usize::MAX);
    let mut query = Query::new(filters.clone(), u64::MAX, |_| limit);
    loop {
        match query.step() {
            Step::Event(stored) => take(vec![Position {
                created_at: stored.event.created_at(),
                id: *stored.event.id(),
            }])?,
            Step::End => return Ok(()),
            Step::Starving(index) => {
                let page = query.page(index, relay.clock.now_s(), PAGE);
                let store = relay.store.clone();
                let read = move || {
                    let started = Instant::now();
                    (page.read(&*store), started.elapsed())
                };
                let page = clock.charge(relay.readers.run(read).await)?;
                if page.next.is_some() {
                    clock.check()?;
                }
                query.feed(index, page, |stored| shows(session, stored));
            }
        }
    }
}

/// Positions are short, so a page of them holds more than one of events.
const POSITIONS: Budget = Budget {
    events: usize::MAX,
    ..PAGE
};
