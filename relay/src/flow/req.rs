//! REQ from top to bottom: limits, extensions, subscribe live, stored events, EOSE.
//!
//! Invariant: between registering the live subscription and fixing the row up to which the store is asked lies nothing,
//! so no event is missed or doubled. Not here: who may see an event (`visibility`).

use super::event::admissions_done;
use super::limits;
use super::narrowing;
use super::query::{Query, Step};
use super::request::{self, Look};
use crate::access_changes::Touched;
use crate::extension::{Narrowed, Verb};
use crate::fanout::SubKey;
use crate::filter::Filter;
use crate::rate_limit::Action;
use crate::reason::Reason;
use crate::session::{Begun, QuerySlot, Session, Wait};
use crate::store::{Budget, Lent, LentPage, StoreError};
use crate::visibility::Visibility;
use crate::wire::{RelayMessage, SubId, event_pieces};
use serde_json::value::RawValue;
use std::future::{poll_fn, ready};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};
use tracing::Instrument as _;

/// Opens a subscription, or refuses it with CLOSED.
pub fn open(session: &Rc<Session>, id: SubId, raw: &[&RawValue]) -> Option<Wait> {
    let _span = tracing::debug_span!("query", session = session.number()).entered();
    let filters = request::read_filters(session, raw);
    let in_time = limits::check_filters(session, Action::Req, &filters);
    let original = match in_time.and(filters).and_then(|filters| {
        subscriptions(session, &id, &filters)?;
        Ok(filters)
    }) {
        Ok(filters) => filters,
        Err(reason) => {
            refuse(session, &id, &reason);
            return None;
        }
    };
    let before = admissions_done(session);
    let loading = match &before {
        None => request::load(session, Verb::Req, &original, false),
        Some(_) => None,
    };
    let begun = session.staleness.begin(&original);
    if before.is_none() && loading.is_none() {
        let look = Look::at(&original);
        begin(session, id, original, look, &begun);
        return None;
    }
    let session = session.clone();
    Some(Box::pin(async move {
        let mut loading = loading;
        if let Some(before) = before {
            before.await;
            loading = request::load(&session, Verb::Req, &original, false);
        }
        let (look, loaded) = request::loaded(loading, &original).await;
        match loaded {
            Ok(()) => begin(&session, id, original, look, &begun),
            Err(reason) => refuse(&session, &id, &reason),
        }
    }))
}

fn subscriptions(session: &Session, id: &SubId, filters: &[Filter]) -> Result<(), Reason> {
    let config = session.worker.config();
    let limits = &config.limitation;
    let open = session.subs_besides(id);
    if open.count >= limits.max_subscriptions as usize {
        return Err(Reason::blocked(format!(
            "too many subscriptions (at most {}); close one first",
            limits.max_subscriptions
        )));
    }
    let max_bytes = limits.max_subscription_bytes.as_usize();
    if open.filter_bytes + filter_bytes(filters) > max_bytes {
        return Err(Reason::blocked(format!(
            "the filters of open subscriptions hold more than {max_bytes} bytes; close one or ask for less at once"
        )));
    }
    Ok(())
}

fn filter_bytes(filters: &[Filter]) -> usize {
    filters.iter().map(Filter::weight_bytes).sum()
}

/// Says why there is no subscription under this id, or no longer one.
pub(super) fn refuse(session: &Session, id: &SubId, reason: &Reason) {
    // A REQ with the id of an open subscription replaces it, so a refused one ends it.
    super::close::end(session, id);
    let (session_number, prefix) = (session.number(), reason.prefix.as_str());
    tracing::debug!(session = session_number, prefix, "a request was refused");
    session.send(RelayMessage::Closed(id, reason));
}

/// `begun` has heard of changes since before `look` was begun.
fn begin(session: &Rc<Session>, id: SubId, original: Rc<[Filter]>, look: Look, begun: &Begun) {
    let generation = session.worker.hooks().generation();
    let filters = match request::narrow(session, Verb::Req, &original, look) {
        Ok(filters) => filters,
        Err(reason) => return refuse(session, &id, &reason),
    };
    super::close::end(session, &id);
    let worker = &session.worker;
    let bytes = filter_bytes(&original);
    let (key, boundary) = worker.subscribe(session, id.clone(), original, filters.clone(), look);
    let serial = session.add_sub(id.clone(), key, bytes);
    if worker.hooks().generation() != generation {
        // The worker may have heard of the change already, before there was this subscription to be narrowed.
        let narrowed = narrowing::narrow_again(session);
        actix_rt::spawn(narrowed.unwrap_or_else(|| Box::pin(ready(()))));
    }
    if begun.is_touched() {
        // What was loaded for it may be from before.
        narrowing::look_anew(session, [Touched::everything(!begun.has_lost())]);
    }
    let config = worker.config();
    let limit = |narrowed: &Narrowed| {
        let asked = narrowed.filter.limit.map(|limit| limit as u64);
        config.limitation.effective_limit(asked) as usize
    };
    let values = |narrowed: &Narrowed| narrowed.filter.value_count();
    let is_cheap = filters.iter().map(values).sum::<usize>() <= INLINE_VALUES;
    let stored = StoredQuery {
        session: session.clone(),
        id,
        key,
        generation,
        serial,
        query: Query::new(filters, boundary, limit),
        spent: Duration::ZERO,
        sent: 0,
        timeout: config.data.db_query_timeout.duration(),
        slot: session.query_slot(),
    };
    // Without a slot nothing is read before it can be kept, so that waiting queries cost nothing.
    if stored.slot.is_some() && is_cheap {
        stored.run_inline();
    } else {
        stored.spawn_pooled();
    }
}

/// The stored part of a subscription.
struct StoredQuery {
    session: Rc<Session>,
    id: SubId,
    key: SubKey,
    /// Of the hooks that narrowed its filters.
    generation: u64,
    serial: u64,
    query: Query,
    /// Time spent in the store, not in waiting for the client.
    spent: Duration,
    /// Events sent.
    sent: u64,
    timeout: Duration,
    /// Held while pages are read and kept.
    slot: Option<QuerySlot>,
}

/// The first cheap page is read on the worker itself, which saves two hops between threads.
const INLINE: Budget = Budget {
    events: 128,
    entries: 1_000,
    bytes: 256 * 1024,
    time: Duration::from_micros(500),
};
/// Finding the places of many values in the indexes takes longer than a worker should be held up.
const INLINE_VALUES: usize = 256;
/// In all, a query may hold up its worker for about this long.
const INLINE_TIME: Duration = Duration::from_millis(1);

/// A page on the pool.
const POOLED: Budget = Budget {
    events: 500,
    entries: 20_000,
    bytes: 256 * 1024,
    time: Duration::from_millis(5),
};

impl StoredQuery {
    fn run_inline(mut self) {
        loop {
            match self.query.step() {
                Step::Event(stored) => {
                    self.send(&stored);
                    if !self.session.outbox().has_room() {
                        break;
                    }
                }
                Step::Starving(index) if self.spent < INLINE_TIME => {
                    let relay = &self.session.worker.relay;
                    let page =
                        self.query
                            .page(index, relay.clock.now_s(), self.query.share(INLINE));
                    let started = Instant::now();
                    let page = page.read(&*relay.store);
                    self.spent += started.elapsed();
                    if self.take(index, page).is_err() {
                        return;
                    }
                }
                Step::Starving(_) => break,
                Step::End => return self.finish(),
            }
        }
        self.spawn_pooled();
    }

    fn spawn_pooled(self) {
        let session = self.session.number();
        let span = tracing::debug_span!("backfill", session, query = self.serial);
        actix_rt::spawn(self.run_pooled().instrument(span));
    }

    async fn run_pooled(mut self) {
        while self.slot.is_none() && self.session.has_sub(&self.id, self.serial) {
            self.slot = self.session.wait_for_query_slot().await;
        }
        while self.session.has_sub(&self.id, self.serial) {
            if !self.is_in_force() && self.narrow_again().await.is_err() {
                return;
            }
            match self.query.step() {
                Step::Event(stored) => {
                    self.room().await;
                    let is_in_force = self.is_in_force();
                    if !is_in_force && self.narrow_again().await.is_err() {
                        return;
                    }
                    let is_shown = is_in_force
                        || (self.query.admits(&stored) && shows(&self.session, &stored));
                    if is_shown && self.session.has_sub(&self.id, self.serial) {
                        self.send(&stored);
                    }
                }
                Step::Starving(index) => {
                    self.room().await;
                    let relay = self.session.worker.relay.clone();
                    let page =
                        self.query
                            .page(index, relay.clock.now_s(), self.query.share(POOLED));
                    let store = relay.store.clone();
                    let read = move || {
                        let started = Instant::now();
                        (page.read(&*store), started.elapsed())
                    };
                    let Ok((page, took)) = relay.readers.run(read).await else {
                        return self.fail(&Reason::error("the relay is too busy; try again later"));
                    };
                    self.spent += took;
                    // Another subscription may have the id by now, and must not suffer for this one.
                    if !self.session.has_sub(&self.id, self.serial) {
                        return;
                    }
                    if self.take(index, page).is_err() {
                        return;
                    }
                }
                Step::End => return self.finish(),
            }
        }
    }

    /// Whether the hooks that narrowed the filters are those of now.
    fn is_in_force(&self) -> bool {
        self.session.worker.hooks().generation() == self.generation
    }

    /// Extensions have changed meanwhile: what comes from here on has to fit what those of now leave of the filters. Ends the
    /// subscription where they refuse it.
    async fn narrow_again(&mut self) -> Result<(), ()> {
        while !self.is_in_force() {
            let Some(original) = self.session.worker.original(self.key) else {
                return Err(());
            };
            let generation = self.session.worker.hooks().generation();
            let loading = request::load(&self.session, Verb::Req, &original, true);
            let (look, loaded) = request::loaded(loading, &original).await;
            // Another subscription may have the id, and the key, by now.
            if !self.session.has_sub(&self.id, self.serial) {
                return Err(());
            }
            let narrowed = loaded
                .and_then(|()| request::narrow(&self.session, Verb::Req, &original, look))
                .map_err(|reason| self.fail(&reason))?;
            self.generation = generation;
            let session = &self.session;
            self.query.narrow(narrowed, |stored| shows(session, stored));
        }
        Ok(())
    }

    /// Feeds a page; on an error or when the time is up the subscription is closed, which is never a silent EOSE.
    fn take(&mut self, index: usize, page: Result<LentPage, StoreError>) -> Result<(), ()> {
        let page = match page {
            Ok(page) => page,
            Err(error) => {
                tracing::error!(%error, "a page could not be read");
                self.fail(&Reason::internal());
                return Err(());
            }
        };
        let more = page.next.is_some();
        let worker = &self.session.worker;
        let (hooks, config, viewer) = (worker.hooks(), worker.config(), self.session.viewer());
        let visibility = Visibility {
            hooks: &hooks,
            protected: &config.protection.read_protected_kinds,
            now: worker.relay.clock.now_s(),
        };
        self.query.feed(index, page, |stored| {
            visibility.shows(&stored.event, stored.expires_at, &viewer)
        });
        if more && self.spent > self.timeout {
            self.fail(&Reason::error("query timeout; ask for less at once"));
            return Err(());
        }
        Ok(())
    }

    fn send(&mut self, stored: &Lent) {
        self.sent += 1;
        self.session
            .outbox()
            .push_text(&event_pieces(&self.id, stored.event.json()));
    }

    /// Waits until the client has taken some of what was sent, or is gone.
    async fn room(&self) {
        let is_over = || !self.session.has_sub(&self.id, self.serial);
        room(&self.session, is_over).await;
    }

    fn finish(self) {
        let metrics = &self.session.worker.relay.metrics;
        metrics.req_seconds.record(self.spent.as_secs_f64());
        metrics.stored_deliveries.increment(self.sent);
        let spent_us = self.spent.as_micros() as u64;
        let (session, query) = (self.session.number(), self.serial);
        tracing::debug!(
            session,
            query,
            events = self.sent,
            spent_us,
            "stored events were sent"
        );
        self.session.send(RelayMessage::Eose(&self.id));
    }

    fn fail(&self, reason: &Reason) {
        super::close::end(&self.session, &self.id);
        self.session.send(RelayMessage::Closed(&self.id, reason));
    }
}

/// Waits until the client has taken some of what was sent, or there is no use in waiting.
pub(super) async fn room(session: &Session, is_over: impl Fn() -> bool) {
    poll_fn(|cx| {
        let has_room = session.outbox().has_room();
        if has_room || is_over() {
            return Poll::Ready(());
        }
        session.outbox().wake_on_room(cx.waker());
        Poll::Pending
    })
    .await;
}

/// Shared with COUNT, which asks the same pages.
pub(super) const PAGE: Budget = POOLED;

/// Shared with COUNT: what a viewer may see of a stored event.
pub(super) fn shows(session: &Session, stored: &Lent) -> bool {
    let worker = &session.worker;
    let (hooks, config) = (worker.hooks(), worker.config());
    Visibility {
        hooks: &hooks,
        protected: &config.protection.read_protected_kinds,
        now: worker.relay.clock.now_s(),
    }
    .shows(&stored.event, stored.expires_at, &session.viewer())
}

/// An `Arc` of narrowed filters, as subscriptions and counts share them.
pub(super) type Filters = Arc<[Narrowed]>;
