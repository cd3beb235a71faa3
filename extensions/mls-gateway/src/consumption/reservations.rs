//! "on_read": packages that a REQ has reserved, from the moment when it asks until they are gone.

use crate::MlsGateway;
use crate::kinds::KEY_PACKAGE;
use crate::watch::{self, Stage};
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use trellis_relay::event::EventId;
use trellis_relay::extension::prelude::*;

/// Between `request_async` and `request`: what was reserved, by the number of the request.
#[derive(Debug)]
pub(crate) struct Reservations {
    waiting: Mutex<HashMap<u64, Arc<Reserved>>>,
    /// For what was reserved and is not gone yet.
    places: Arc<Semaphore>,
}

/// What one filter may show.
#[derive(Debug, Default)]
pub(super) struct Reserved {
    /// These go.
    taken: Vec<EventId>,
    /// These do not go for this filter: each the last of its owner, or taken by another filter of the session.
    shown: Vec<EventId>,
    /// Whether one was about to be sent.
    is_read: AtomicBool,
}

/// Requests whose packages are not gone yet.
const PLACES: usize = 10_000;
/// Owners of whose packages one filter reserves some.
const OWNERS_MAX: usize = 100;
/// A package that the relay's store has lost may be met so many times in a row.
const TRIES_MAX: usize = 4;
/// Nobody has more in stock for long.
const LIVE_MAX: usize = 100;
/// What was read goes a moment later, and what nobody read goes after so many of them: it was given away.
const MOMENT: Duration = Duration::from_secs(1);
const MOMENTS_MAX: usize = 60;

impl Default for Reservations {
    fn default() -> Self {
        Reservations {
            waiting: Mutex::default(),
            places: Arc::new(Semaphore::new(PLACES)),
        }
    }
}

impl Reservations {
    fn put(&self, request_id: u64, reserved: Arc<Reserved>) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.insert(request_id, reserved);
    }

    fn take(&self, request_id: u64) -> Option<Arc<Reserved>> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.remove(&request_id)
    }
}

impl MlsGateway {
    /// Reserves what a filter asks for, if it is one that may take packages.
    pub(super) async fn reserve_for(
        self: Arc<Self>,
        request: &AccessRequest,
    ) -> Result<Access, HookError> {
        let owners = owners_asked_for(request);
        if owners.is_empty() {
            return Ok(Access::Allow);
        }
        let Ok(place) = self.reservations.places.clone().try_acquire_owned() else {
            return Ok(Reason::busy().into());
        };
        let mut reserved = Reserved::default();
        let limit = request.filter.limit.unwrap_or(usize::MAX);
        for owner in owners.iter().take(OWNERS_MAX) {
            let room = limit.saturating_sub(reserved.taken.len() + reserved.shown.len());
            if room == 0 {
                break;
            }
            if let Err(error) = self
                .reserve_of(&request.viewer, owner, room, &mut reserved)
                .await
            {
                tracing::warn!(%error, "no KeyPackage could be reserved");
                watch::failed(Stage::Request, Some(KEY_PACKAGE));
                self.consume_later(Arc::new(reserved), request.request_id, place);
                return Ok(Reason::internal().into());
            }
        }
        let reserved = Arc::new(reserved);
        self.reservations.put(request.request_id, reserved.clone());
        self.consume_later(reserved, request.request_id, place);
        Ok(Access::Allow)
    }

    /// Leaves what was reserved for this request, and one's own.
    pub(super) fn show_reserved(&self, viewer: &Viewer, verb: Verb, filter: &mut Narrow<'_>) {
        if verb == Verb::Count {
            return; // a number takes nothing
        }
        let reserved = self
            .reservations
            .take(filter.request_id())
            .unwrap_or_default();
        let own = viewer.pubkeys().to_vec();
        filter.retain_events(&KEY_PACKAGE.into(), move |event| {
            let is_reserved = reserved.has(event.id());
            if is_reserved {
                reserved.is_read.store(true, Relaxed);
            }
            is_reserved || own.contains(event.pubkey())
        });
    }

    async fn reserve_of(
        &self,
        viewer: &Viewer,
        owner: &PublicKey,
        room: usize,
        reserved: &mut Reserved,
    ) -> Result<(), HookError> {
        let now_s = self.host.clock().now_s();
        let max = self.settings.max_keypackages_per_query.min(room);
        // Held until it is known what the session gets: filters of one REQ may be looked at together.
        let given = self.given.to(viewer.session(), owner, &**self.host.clock());
        let mut given = given.lock().await;
        if !given.is_empty() {
            reserved.shown.extend(given.iter());
            return Ok(());
        }
        if !self.limits.may_take_package(viewer, owner) {
            // As if the stock were empty: the newest, which would stay to the last.
            let live = self.storage.packages(owner, now_s, LIVE_MAX);
            let live = watch::database("packages", live).await?;
            reserved.shown.extend(live.last().map(|package| package.id));
            return Ok(());
        }
        for _ in 0..TRIES_MAX {
            let ids = self.storage.reserve_packages(owner, max, now_s);
            let ids = ids.await?;
            if !ids.is_empty() {
                let stored = self.stored_of(&ids).await?;
                let (there, lost): (Vec<_>, Vec<_>) =
                    ids.into_iter().partition(|id| stored.contains(id));
                self.forget_packages(&lost).await?;
                if !there.is_empty() {
                    given.extend(&there);
                    reserved.taken.extend(there);
                    return Ok(());
                }
                continue;
            }
            let last = self.storage.packages(owner, now_s, 1);
            let last = last.await?;
            reserved
                .shown
                .extend(last.into_iter().map(|package| package.id));
            return Ok(());
        }
        Ok(())
    }

    async fn stored_of(&self, ids: &[EventId]) -> Result<HashSet<EventId>, HookError> {
        let filter = Filter {
            ids: Some(ids.to_vec()),
            ..Filter::default()
        };
        let events = self.host.query(filter).await?;
        Ok(events.iter().map(|event| *event.id()).collect())
    }

    fn consume_later(
        self: &Arc<Self>,
        reserved: Arc<Reserved>,
        request_id: u64,
        place: OwnedSemaphorePermit,
    ) {
        let (me, host) = (self.clone(), self.host.clone());
        host.spawn(async move {
            for _ in 0..MOMENTS_MAX {
                let was_read = reserved.is_read.load(Relaxed);
                tokio::time::sleep(MOMENT).await;
                if was_read {
                    break;
                }
            }
            drop(place);
            // Something else may have closed the request before it was answered.
            me.reservations.take(request_id);
            if let Err(error) = me.consume(&reserved.taken).await {
                tracing::warn!(%error, "used KeyPackages could not be removed");
                watch::failed(Stage::Request, Some(KEY_PACKAGE));
            }
        });
    }

    async fn consume(&self, ids: &[EventId]) -> Result<(), HookError> {
        // First, so that the events cannot come back into stock.
        let used = self.storage.use_up_packages(ids);
        watch::packages_consumed(watch::database("use_up_packages", used).await?);
        for id in ids {
            self.host.remove(*id, Cause::Retention).await?;
        }
        Ok(())
    }
}

impl Reserved {
    fn has(&self, id: &EventId) -> bool {
        self.taken.contains(id) || self.shown.contains(id)
    }
}

/// Whose packages a request takes: it must be a REQ of somebody who logged in, name owners and the kind, and nothing else.
fn owners_asked_for(request: &AccessRequest) -> Vec<PublicKey> {
    let filter = &request.filter;
    let names_kind = filter
        .kinds
        .as_ref()
        .is_some_and(|it| it.contains(&KEY_PACKAGE));
    let names_more = filter.ids.is_some()
        || !filter.tags.is_empty()
        || filter.since.is_some()
        || filter.until.is_some();
    let takes = request.verb == Verb::Req
        && !request.is_again
        && request.viewer.is_authenticated()
        && names_kind
        && !names_more;
    let authors = filter.authors.iter().flatten().filter(|_| takes);
    // Who looks at the own stock uses nothing up.
    authors
        .filter(|author| !request.viewer.is(author))
        .copied()
        .collect()
}
