//! Brings archived messages back into a relay whose event store was lost.
//!
//! Whether the store was lost is decided before anybody is served: it has none of the archived kinds and no note of ours.
//! Invariant: while messages come back nobody is given a part of them as if it were all, see [`register`]. Each is verified;
//! what was deleted, has vanished or has expired meanwhile does not come back and leaves the archive. A relay that is killed
//! goes on where it was. Bounded in memory by one page.

use crate::MlsGateway;
use crate::config::Settings;
use crate::kinds::archived;
use crate::storage::{ArchiveQuery, Archived, Storage};
use crate::watch::{self, Stage};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use trellis_relay::extension::Restored;
use trellis_relay::extension::prelude::*;
use trellis_relay::reason::Prefix;
use trellis_relay::store::StoreError;

const PAGE_EVENTS: usize = 100;
/// A line in the log after so many events.
const TOLD_EVERY: u64 = 10_000;
/// The row of our own key space that says up to which position the archive is back. It is lost with the store.
const POSITION: &[u8] = b"refill/position";
/// What stands there once there is nothing to bring back.
const DONE: u64 = u64::MAX;

/// Whether messages are still to come back.
#[derive(Debug, Default)]
pub(crate) struct Refill {
    is_under_way: AtomicBool,
}

impl Refill {
    /// Looks whether the store was lost. To be called before anybody is served, since what clients publish is no sign of
    /// an old store.
    pub(crate) async fn plan(
        host: &Host,
        settings: &Settings,
        storage: &dyn Storage,
    ) -> Result<Self, StoreError> {
        let position = match position(host).await? {
            Some(position) => position,
            None => {
                let is_lost = settings.enable_message_archive
                    && is_empty(host).await?
                    && has_archived(storage).await;
                let position = if is_lost { 0 } else { DONE };
                save(host, position).await?;
                position
            }
        };
        Ok(Refill {
            is_under_way: AtomicBool::new(position != DONE),
        })
    }

    /// Whether messages are still to come back.
    pub(crate) fn is_under_way(&self) -> bool {
        self.is_under_way.load(Relaxed)
    }
}

/// Registers a hook that closes requests for archived kinds while messages come back. A client that was given a part would
/// ask for what is newer next time, and never for the rest. Who names no kinds is served: the rest follows live.
pub(crate) fn register(hooks: &mut Registrar<MlsGateway>) {
    hooks.request(archived(), |me, _viewer, _verb, filter| {
        match me.refill.is_under_way() && filter.filter().kinds.is_some() {
            true => {
                Ok(Reason::error("messages are being brought back; ask again in a moment").into())
            }
            false => Ok(Access::Allow),
        }
    });
}

/// Brings back what is to come back. After an error it may be called again.
pub(crate) async fn refill(me: &MlsGateway) -> Result<(), TaskError> {
    if !me.refill.is_under_way() {
        return Ok(());
    }
    let refilled = bring_back(&me.host, &me.settings, &*me.storage).await;
    refilled.inspect_err(|_| watch::failed(Stage::Refill, None))?;
    me.refill.is_under_way.store(false, Relaxed);
    Ok(())
}

/// A relay that begins has nothing to bring back, and serves from its first moment on. What cannot be told now is looked at
/// again when it is brought back.
async fn has_archived(storage: &dyn Storage) -> bool {
    let query = ArchiveQuery {
        max: 1,
        ..ArchiveQuery::default()
    };
    let found = storage.archived(&query).await;
    found.map_or(true, |found| !found.is_empty())
}

async fn bring_back(
    host: &Host,
    settings: &Settings,
    storage: &dyn Storage,
) -> Result<(), TaskError> {
    let mut totals = Totals::default();
    let mut at = position(host).await?.unwrap_or(0);
    while at != DONE {
        let query = ArchiveQuery {
            after_position: at,
            max: PAGE_EVENTS,
            ..ArchiveQuery::default()
        };
        let page = storage.archived(&query).await?;
        at = page.last().map_or(DONE, |last| last.position);
        let unwanted = restore(host, settings, page, &mut totals).await?;
        storage.forget(&unwanted).await?;
        save(host, at).await?;
    }
    if totals.seen > 0 {
        totals.tell("the event store was filled from the archive");
    }
    Ok(())
}

/// What has come of a refill since the process started.
#[derive(Debug, Default)]
struct Totals {
    seen: u64,
    restored: u64,
    forgotten: u64,
}

impl Totals {
    fn tell(&self, what: &str) {
        let Totals {
            seen,
            restored,
            forgotten,
        } = self;
        tracing::info!(seen, restored, forgotten, "{what}");
    }
}

/// Stores one page, and says what the archive shall forget.
async fn restore(
    host: &Host,
    settings: &Settings,
    page: Vec<Archived>,
    totals: &mut Totals,
) -> Result<Vec<EventId>, TaskError> {
    let oldest_s = host
        .clock()
        .now_s()
        .saturating_sub(settings.message_archive_ttl_s);
    let mut unwanted = Vec::new();
    let mut events = Vec::with_capacity(page.len());
    for copy in &page {
        match Event::parse(copy.json.as_bytes()) {
            _ if copy.archived_at_s < oldest_s => {}
            Ok(event) => events.push(Arc::new(event)),
            Err(_) => unwanted.push(copy.id),
        }
    }
    let ids: Vec<EventId> = events.iter().map(|event| *event.id()).collect();
    let restored = host.restore(events).await?;
    for (id, restored) in ids.into_iter().zip(restored) {
        match restored {
            Restored::Stored => totals.restored += 1,
            Restored::Known => {}
            Restored::Deleted => unwanted.push(id),
            // A store that is full or fails takes it later.
            Restored::Refused(reason) if reason.prefix == Prefix::Error => {
                return Err(format!("the store took no archived message: {}", reason.text).into());
            }
            // Forged, or past its own end. What a list of the operator's excludes is for `archive` to forget.
            Restored::Refused(reason) if reason.prefix == Prefix::Invalid => unwanted.push(id),
            Restored::Refused(_) => {}
        }
    }
    let before = totals.seen;
    totals.seen += page.len() as u64;
    totals.forgotten += unwanted.len() as u64;
    if before / TOLD_EVERY != totals.seen / TOLD_EVERY {
        totals.tell("the event store is being filled from the archive");
    }
    Ok(unwanted)
}

async fn is_empty(host: &Host) -> Result<bool, StoreError> {
    let any = Filter {
        kinds: Some(archived().iter().collect()),
        limit: Some(1),
        ..Filter::default()
    };
    Ok(host.query(any).await?.is_empty())
}

async fn position(host: &Host) -> Result<Option<u64>, StoreError> {
    let row = host.kv_get(POSITION).await?;
    let position = row.map(|row| row.try_into().map(u64::from_be_bytes));
    position
        .transpose()
        .map_err(|_| StoreError::Corrupt("the position of a refill is not 8 bytes".to_owned()))
}

async fn save(host: &Host, position: u64) -> Result<(), StoreError> {
    let row = position.to_be_bytes().to_vec();
    host.kv_put(POSITION, Some(row)).await
}
