//! COUNT (NIP-45): as many as a REQ without a limit would show this viewer.
//!
//! A filter whose kinds nobody guards is counted from headers alone, one of which some are guarded from headers and what is
//! guarded (`shown`). What several filters find is read, and asked about one by one through `visibility`: a count tells too.

use super::event::admissions_done;
use super::limits;
use super::query::{Query, Step};
use super::req::{Filters, PAGE, shows};
use super::request;
use super::shown;
use crate::event::PublicKey;
use crate::extension::Verb;
use crate::nips::nip45::HyperLogLog;
use crate::rate_limit::Action;
use crate::reason::Reason;
use crate::session::{Session, Wait};
use crate::store::{Budget, Order, Scan};
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
    let tally = Tally {
        count: 0,
        hll: match raw {
            [one] => HyperLogLog::of_filter(one.get()),
            _ => None,
        },
    };
    let before = admissions_done(session);
    let span = tracing::debug_span!("query", session = session.number());
    let session = session.clone();
    let counting = async move {
        if let Some(before) = before {
            before.await;
        }
        let loading = request::load(&session, Verb::Count, &original, false);
        let (look, loaded) = request::loaded(loading, &original).await;
        let generation = session.worker.hooks().generation();
        let counted = loaded.and_then(|()| request::narrow(&session, Verb::Count, &original, look));
        let answer = match counted {
            Ok(filters) => count(&session, filters, tally).await,
            Err(reason) => Err(reason),
        };
        // Who was switched on meanwhile has not been asked about a part of it.
        let answer = match session.worker.hooks().generation() == generation {
            true => answer,
            false => Err(Reason::error(
                "the rules of the relay have changed; ask again",
            )),
        };
        match answer {
            Ok(Tally { count, hll }) => {
                let registers = hll.as_ref().map(HyperLogLog::registers);
                session.send(RelayMessage::Count(&id, count, registers));
            }
            Err(reason) => session.send(RelayMessage::Closed(&id, &reason)),
        }
    };
    // A count holds the connection up, so a client has one at a time.
    Some(Box::pin(counting.instrument(span)))
}

/// What was counted so far.
struct Tally {
    count: u64,
    /// Where the client's filter allows it.
    hll: Option<HyperLogLog>,
}

impl Tally {
    fn add_author(&mut self, author: &PublicKey) {
        if let Some(hll) = &mut self.hll {
            hll.add(author);
        }
    }
}

async fn count(session: &Rc<Session>, filters: Filters, tally: Tally) -> Result<Tally, Reason> {
    let mut clock = Allowance::new(session);
    let counted = match &filters[..] {
        [one] if seen_by_headers(session, one) => {
            count_headers(session, filters, tally, &mut clock).await
        }
        [_] => count_shown(session, filters, tally, &mut clock).await,
        _ => count_visible(session, filters, tally, &mut clock).await,
    };
    let seconds = clock.spent.as_secs_f64();
    session.worker.relay.metrics.count_seconds.record(seconds);
    counted
}

/// Whether nobody guards or tests the kinds, so that the viewer may see whatever is there.
fn seen_by_headers(session: &Session, narrowed: &crate::extension::Narrowed) -> bool {
    let config = session.worker.config();
    let protected = &config.protection.read_protected_kinds;
    let kinds = narrowed.filter.kinds.as_deref();
    let unprotected = match kinds {
        Some(kinds) => !kinds.iter().any(|kind| protected.contains(*kind)),
        None => protected.is_empty(),
    };
    unprotected
        && narrowed.excluded.is_empty()
        && !narrowed.tested_kinds().overlaps(kinds)
        && !session.worker.hooks().any_deliver_overlaps(kinds)
}

async fn count_headers(
    session: &Session,
    filters: Filters,
    mut tally: Tally,
    clock: &mut Allowance,
) -> Result<Tally, Reason> {
    let relay = session.worker.relay.clone();
    let mut resume = None;
    loop {
        let (filters, relay) = (filters.clone(), relay.clone());
        let now = relay.clock.now_s();
        let readers = relay.readers.clone();
        let page = readers
            .run(move || {
                let started = Instant::now();
                let scan = Scan {
                    filter: &filters[0].filter,
                    order: Order::NewestFirst,
                    resume,
                    max_row: u64::MAX,
                    now,
                    budget: COUNTED,
                };
                let page = relay
                    .store
                    .count_authors(&scan, &mut |author| tally.add_author(author));
                (page.map(|page| (page, tally)), started.elapsed())
            })
            .await;
        let (page, so_far) = clock.charge(page)?;
        tally = so_far;
        tally.count += page.count;
        if page.next.is_none() {
            return Ok(tally);
        }
        clock.check()?;
        resume = page.next;
    }
}

/// Nothing of a page is kept but its count, so entries and time alone bound it.
const COUNTED: Budget = Budget {
    events: usize::MAX,
    ..PAGE
};

/// Some kinds have guards, which are asked about their events and no others.
async fn count_shown(
    session: &Session,
    filters: Filters,
    mut tally: Tally,
    clock: &mut Allowance,
) -> Result<Tally, Reason> {
    shown::each_page(session, &filters, usize::MAX, clock, |found| {
        for found in found {
            tally.count += 1;
            tally.add_author(&found.author);
        }
        Ok::<_, Reason>(())
    })
    .await?;
    Ok(tally)
}

/// What several filters find is counted once.
async fn count_visible(
    session: &Session,
    filters: Filters,
    mut tally: Tally,
    clock: &mut Allowance,
) -> Result<Tally, Reason> {
    let relay = session.worker.relay.clone();
    let mut query = Query::new(filters, u64::MAX, |_| usize::MAX);
    loop {
        match query.step() {
            Step::Event(stored) => {
                tally.count += 1;
                tally.add_author(stored.event.pubkey());
            }
            Step::End => return Ok(tally),
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

/// The time a count, or the sealing of a set for negentropy, may spend in the store.
pub(super) struct Allowance {
    left: Duration,
    pub(super) spent: Duration,
    over: bool,
}

impl Allowance {
    pub(super) fn new(session: &Session) -> Self {
        Allowance {
            left: session.worker.config().data.db_query_timeout.duration(),
            spent: Duration::ZERO,
            over: false,
        }
    }

    /// Takes the time of one page off, and turns failures into what a client may know.
    pub(super) fn charge<T, E: std::fmt::Display>(
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
    pub(super) fn check(&self) -> Result<(), Reason> {
        match self.over {
            true => Err(Reason::error("query timeout; ask for less at once")),
            false => Ok(()),
        }
    }
}
