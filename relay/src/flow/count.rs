//! COUNT (NIP-45): as many as a REQ without a limit would show this viewer.
//!
//! A filter whose kinds nobody guards is counted from headers alone; everything else is asked one by one through
//! `visibility`, since a count tells too.

use super::event::admissions_done;
use super::limits;
use super::query::{Query, Step};
use super::req::{Filters, PAGE, shows};
use super::request;
use crate::extension::Verb;
use crate::rate_limit::Action;
use crate::reason::Reason;
use crate::session::{Session, Wait};
use crate::store::{Order, Scan};
use crate::wire::{RelayMessage, SubId};
use serde_json::value::RawValue;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tracing::Instrument as _;

/// Counts, or refuses with CLOSED.
pub fn open(session: &Rc<Session>, id: SubId, raw: &[&RawValue]) -> Option<Wait> {
    if !session.worker.config().count.enabled {
        let reason = Reason::unsupported("this relay does not count (NIP-45)");
        session.send(RelayMessage::Closed(&id, &reason));
        return None;
    }
    let filters = request::read_filters(session, raw);
    let in_time = limits::check_filters(session, Action::Count, &filters);
    let original = match in_time.and(filters) {
        Ok(filters) => filters,
        Err(reason) => {
            session.send(RelayMessage::Closed(&id, &reason));
            return None;
        }
    };
    let before = admissions_done(session);
    let span = tracing::debug_span!("query", session = session.number());
    let session = session.clone();
    let counting = async move {
        if let Some(before) = before {
            before.await;
        }
        let mut counted = match request::load(&session, Verb::Count, &original) {
            Some(loading) => loading.await,
            None => Ok(()),
        }
        .and_then(|()| request::narrow(&session, Verb::Count, &original));
        let answer = match &mut counted {
            Ok(filters) => count(&session, filters.clone()).await,
            Err(reason) => Err(reason.clone()),
        };
        match answer {
            Ok(count) => session.send(RelayMessage::Count(&id, count)),
            Err(reason) => session.send(RelayMessage::Closed(&id, &reason)),
        }
    };
    // A count holds the connection up, so a client has one at a time.
    Some(Box::pin(counting.instrument(span)))
}

async fn count(session: &Rc<Session>, filters: Filters) -> Result<u64, Reason> {
    let mut clock = Allowance::new(session);
    let counted = match &filters[..] {
        [one] if counts_by_headers(session, one) => {
            count_headers(session, filters, &mut clock).await
        }
        _ => count_visible(session, filters, &mut clock).await,
    };
    let seconds = clock.spent.as_secs_f64();
    session.worker.relay.metrics.count_seconds.record(seconds);
    counted
}

fn counts_by_headers(session: &Session, narrowed: &crate::extension::Narrowed) -> bool {
    let config = session.worker.config();
    let protected = &config.protection.read_protected_kinds;
    let kinds = narrowed.filter.kinds.as_deref();
    let unprotected = match kinds {
        Some(kinds) => !kinds.iter().any(|kind| protected.contains(*kind)),
        None => protected.is_empty(),
    };
    unprotected
        && narrowed.excluded.is_empty()
        && !session.worker.hooks().any_deliver_overlaps(kinds)
}

async fn count_headers(
    session: &Session,
    filters: Filters,
    clock: &mut Allowance,
) -> Result<u64, Reason> {
    let relay = session.worker.relay.clone();
    let (mut total, mut resume) = (0, None);
    loop {
        let (filters, relay) = (filters.clone(), relay.clone());
        let now = relay.clock.now_s();
        let readers = relay.readers.clone();
        let page = readers
            .run(move || {
                let started = Instant::now();
                let page = relay.store.count(&Scan {
                    filter: &filters[0].filter,
                    order: Order::NewestFirst,
                    resume,
                    max_row: u64::MAX,
                    now,
                    budget: PAGE,
                });
                (page, started.elapsed())
            })
            .await;
        let page = clock.charge(page)?;
        total += page.count;
        if page.next.is_none() {
            return Ok(total);
        }
        clock.check()?;
        resume = page.next;
    }
}

async fn count_visible(
    session: &Session,
    filters: Filters,
    clock: &mut Allowance,
) -> Result<u64, Reason> {
    let relay = session.worker.relay.clone();
    let mut query = Query::new(filters, u64::MAX, |_| usize::MAX);
    let mut total = 0;
    loop {
        match query.step() {
            Step::Event(_) => total += 1,
            Step::End => return Ok(total),
            Step::Starving(index) => {
                let page = query.page(index, relay.clock.now_s(), query.share(PAGE));
                let store = relay.store.clone();
                let page = relay
                    .readers
                    .run(move || {
                        let started = Instant::now();
                        (page.read(&*store), started.elapsed())
                    })
                    .await;
                let page = clock.charge(page)?;
                if page.next.is_some() {
                    clock.check()?;
                }
                query.feed(index, page, |stored| shows(session, stored));
            }
        }
    }
}

/// The time a count may spend in the store.
struct Allowance {
    left: Duration,
    spent: Duration,
    over: bool,
}

impl Allowance {
    fn new(session: &Session) -> Self {
        Allowance {
            left: session.worker.config().data.db_query_timeout.duration(),
            spent: Duration::ZERO,
            over: false,
        }
    }

    /// Takes the time of one page off, and turns failures into what a client may know.
    fn charge<T, E: std::fmt::Display>(
        &mut self,
        page: Result<(Result<T, E>, Duration), crate::readers::Busy>,
    ) -> Result<T, Reason> {
        let (page, took) =
            page.map_err(|_| Reason::error("the relay is too busy; try again later"))?;
        self.spent += took;
        self.over = took > self.left;
        self.left = self.left.saturating_sub(took);
        page.map_err(|error| {
            tracing::error!(%error, "a page could not be counted");
            Reason::internal()
        })
    }

    /// Says when the time is up.
    fn check(&self) -> Result<(), Reason> {
        match self.over {
            true => Err(Reason::error("query timeout; ask for less at once")),
            false => Ok(()),
        }
    }
}
