//! A copy of directives, reports and history in PostgreSQL, for whoever asks questions that the relay does not answer.
//!
//! Invariant: the relay never waits for it. Events come by the durable cursor of a `stored` hook, the history by the number
//! of its last entry in the database; what comes twice changes nothing. A database that is new, or another one, is filled
//! with what the relay had before, and so is one that is behind what the relay had copied.

mod address;
mod copying;
mod database;
mod failure;
mod rows;
mod writing;

use crate::QubeCoordination;
use crate::metering;
use copying::{copy_events, copy_history, fill};
use database::Database;
use failure::Failure;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use trellis_qube_protocol::{KIND_ACK, KIND_SIGNAL};
use trellis_relay::config::Secret;
use trellis_relay::extension::prelude::*;
use trellis_relay::store::StoreError;

/// Events wait so long for others, to be copied together.
const GATHER: Duration = Duration::from_millis(500);
/// Between two looks at the history.
const LOOK: Duration = Duration::from_secs(2);
/// After a failure; then twice as long each time.
const AGAIN_MAX: Duration = Duration::from_secs(30);
/// Where it stands how many pages of events were copied.
const COPIED: &[u8] = b"mirror_copied";

/// The copy, and whether it goes on.
pub(crate) struct Mirror {
    database: Database,
    relay: String,
    trouble: Mutex<Option<String>>,
    is_filled: AtomicBool,
    /// What is wrong with the history in the database.
    foreign: Mutex<Option<String>>,
}

/// Whether this is an address; what is wrong with it, without it.
pub(crate) fn check_address(url: &Secret) -> Result<(), String> {
    address::hosts(url).map(drop)
}

/// Whether a host of the database answers, lets us in and writes; why not. Nothing is made there.
pub(crate) async fn reach(url: &Secret) -> Result<(), String> {
    let reached = Database::new(url)?.reach().await;
    reached.map_err(|failure| failure.to_string())
}

impl Mirror {
    /// Connects to nobody yet: the relay starts without its mirror.
    pub(crate) fn new(url: &Secret, host: &Host) -> Result<Self, String> {
        Ok(Mirror {
            database: Database::new(url)?,
            relay: host.relay_pubkey().to_hex(),
            trouble: Mutex::default(),
            is_filled: AtomicBool::new(false),
            foreign: Mutex::default(),
        })
    }

    /// Why the copy does not go on at the moment.
    pub(crate) fn trouble(&self) -> Option<String> {
        let trouble = self.trouble.lock();
        trouble.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note_foreign(&self, why: Option<String>) {
        *self.foreign.lock().unwrap_or_else(PoisonError::into_inner) = why;
    }

    fn foreign(&self) -> Option<String> {
        let foreign = self.foreign.lock();
        foreign.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Registers the hook that follows events. The last of its kind, so that the cursors of others keep their places whether it is
/// there or not.
pub(crate) fn register(hooks: &mut Registrar<QubeCoordination>) {
    hooks.gather(GATHER).stored(
        [KIND_SIGNAL, KIND_ACK],
        StartAt::Beginning,
        async |me: Arc<QubeCoordination>, page: Arc<[Change]>| {
            let Some(mirror) = &me.mirror else {
                return Ok(());
            };
            let done = follow(&me, mirror, &page).await;
            note(&me, mirror, &done);
            Ok(done?)
        },
    );
}

/// Copies the history, and what was before the mirror, until the relay stops.
pub(crate) async fn run(me: &QubeCoordination, stop: &StopToken) {
    let Some(mirror) = &me.mirror else {
        stop.stopped().await;
        return;
    };
    let mut wait = LOOK;
    while !stop.is_stopped() {
        let done = async {
            fill(me, mirror).await?;
            copy_history(me, mirror).await
        };
        let done: Result<(), MirrorError> = done.await;
        note(me, mirror, &done);
        wait = match done {
            Ok(()) => LOOK,
            Err(_) => AGAIN_MAX.min(2 * wait),
        };
        tokio::select! {
            () = stop.stopped() => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
}

/// Why the copy does not go on.
#[derive(Debug, thiserror::Error)]
enum MirrorError {
    /// The other side.
    #[error("{0}")]
    Database(#[from] Failure),
    /// This side.
    #[error("the relay's own store does not answer")]
    Store(#[from] StoreError),
}

/// Tells health, alerts, metrics and, where it is news, the log.
fn note(me: &QubeCoordination, mirror: &Mirror, done: &Result<(), MirrorError>) {
    let failure = done.as_ref().err().map(ToString::to_string);
    if failure.is_some() {
        // Whatever answers next may be another database.
        mirror.is_filled.store(false, Relaxed);
    }
    let why = failure.or_else(|| mirror.foreign());
    metering::mirror(why.is_none());
    me.alerts.note_mirror(why.as_deref());
    let trouble = mirror.trouble.lock();
    let mut trouble = trouble.unwrap_or_else(PoisonError::into_inner);
    match (&*trouble, &why) {
        (None, Some(why)) => {
            tracing::warn!("the mirror's database cannot be written as it should: {why}")
        }
        (Some(_), None) => tracing::info!("the mirror's database is written again"),
        _ => {}
    }
    *trouble = why;
}

async fn follow(
    me: &QubeCoordination,
    mirror: &Mirror,
    page: &[Change],
) -> Result<(), MirrorError> {
    // What happened last to each event; a page may come again.
    let (mut stored, mut gone) = (HashMap::new(), HashMap::new());
    for change in page {
        match change {
            Change::Stored(it) => {
                stored.insert(*it.event.id(), &it.event);
            }
            Change::Removed { id, cause, .. } => {
                gone.insert(*id, *cause);
            }
            // What was removed long ago is marked by the history, as far as it was replaced.
            Change::Gap { .. } => {}
        }
    }
    let events: Vec<&Event> = stored.into_values().map(|event| &**event).collect();
    copy_events(mirror, &events).await?;
    let ids: Vec<String> = gone.keys().map(EventId::to_hex).collect();
    let causes: Vec<String> = gone.values().map(|it| cause_name(*it).to_owned()).collect();
    if !ids.is_empty() {
        let mark = async |pool: &_| writing::removed(pool, &ids, &causes).await;
        mirror.database.run(mark).await?;
    }
    count_page(me, mirror).await
}

/// How many pages of events were copied, by the relay's own count.
async fn copied_pages(host: &Host) -> Result<u64, StoreError> {
    let row = host.kv_get(COPIED).await?;
    let row = row.and_then(|row| <[u8; 8]>::try_from(row).ok());
    Ok(row.map_or(0, u64::from_be_bytes))
}

/// Counts one page more, on both sides.
async fn count_page(me: &QubeCoordination, mirror: &Mirror) -> Result<(), MirrorError> {
    let (relay, pages) = (&mirror.relay, copied_pages(&me.host).await? + 1);
    let note = async |pool: &_| writing::note_copied(pool, relay, pages).await;
    mirror.database.run(note).await?;
    let row = Some(pages.to_be_bytes().to_vec());
    Ok(me.host.kv_put(COPIED, row).await?)
}

/// As `removed_as` has it.
fn cause_name(cause: Cause) -> &'static str {
    match cause {
        Cause::Replacement => REPLACED,
        Cause::Deletion => "deletion",
        Cause::Expiry => "expiry",
        Cause::Vanish => "vanish",
        Cause::Retention => "retention",
        Cause::Admin => "admin",
    }
}

/// As `removed_as` has it.
const REPLACED: &str = "replacement";

#[cfg(test)]
mod tests;
