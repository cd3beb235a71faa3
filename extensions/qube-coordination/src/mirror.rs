//! A copy of directives, reports and history in PostgreSQL, for whoever asks questions that the relay does not answer.
//!
//! Invariant: the relay never waits for it. Events come by the durable cursor of a `stored` hook, the history by the number
//! of its last entry in the database; what comes twice changes nothing. A database that is new, or another one, is filled
//! with what the relay had before.

mod address;
mod copying;
mod database;
mod failure;
mod rows;
mod writing;

use crate::QubeCoordination;
use crate::fields;
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

/// Events wait so long for others, to be copied together.
const GATHER: Duration = Duration::from_millis(500);
/// Memory is waited for so often and so long.
const KNOWN_LOOKS: usize = 20;
const KNOWN_LOOK: Duration = Duration::from_millis(50);
/// Between two looks at the history.
const LOOK: Duration = Duration::from_secs(2);
/// After a failure; then twice as long each time.
const AGAIN_MAX: Duration = Duration::from_secs(30);

/// The copy, and whether it goes on.
pub(crate) struct Mirror {
    database: Database,
    relay: String,
    trouble: Mutex<Option<String>>,
    is_filled: AtomicBool,
}

/// Whether this is an address; what is wrong with it, without it.
pub(crate) fn check_address(url: &Secret) -> Result<(), String> {
    address::hosts(url).map(drop)
}

impl Mirror {
    /// Connects to nobody yet: the relay starts without its mirror.
    pub(crate) fn new(url: &Secret, host: &Host) -> Result<Self, String> {
        Ok(Mirror {
            database: Database::new(url)?,
            relay: host.relay_pubkey().to_hex(),
            trouble: Mutex::default(),
            is_filled: AtomicBool::new(false),
        })
    }

    /// Why the copy does not go on at the moment.
    pub(crate) fn trouble(&self) -> Option<String> {
        let trouble = self.trouble.lock();
        trouble.unwrap_or_else(PoisonError::into_inner).clone()
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
    Store(#[from] trellis_relay::store::StoreError),
}

/// Tells health, alerts, metrics and, where it is news, the log.
fn note(me: &QubeCoordination, mirror: &Mirror, done: &Result<(), MirrorError>) {
    let why = done.as_ref().err().map(ToString::to_string);
    metering::mirror(why.is_none());
    me.alerts.note_mirror(why.as_deref());
    let trouble = mirror.trouble.lock();
    let mut trouble = trouble.unwrap_or_else(PoisonError::into_inner);
    if why.is_some() {
        // Whatever answers next may be another database.
        mirror.is_filled.store(false, Relaxed);
    }
    match (&*trouble, &why) {
        (None, Some(why)) => tracing::warn!("the mirror's database cannot be used: {why}"),
        (Some(_), None) => tracing::info!("the mirror's database can be used again"),
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
    until_known(me, &events).await;
    copy_events(me, mirror, &events).await?;
    let ids: Vec<String> = gone.keys().map(EventId::to_hex).collect();
    let causes: Vec<String> = gone.values().map(|it| cause_name(*it).to_owned()).collect();
    if !ids.is_empty() {
        let mark = async |pool: &_| writing::removed(pool, &ids, &causes).await;
        mirror.database.run(mark).await?;
    }
    Ok(())
}

/// Which directive a report belongs to memory tells, which follows by a hook of its own: it is waited for, a little.
async fn until_known(me: &QubeCoordination, events: &[&Event]) {
    let signals = events.iter().filter(|event| event.kind() == KIND_SIGNAL);
    let signals: Vec<_> = signals.map(|event| fields::id(event)).collect();
    for _ in 0..KNOWN_LOOKS {
        if signals.iter().all(|id| me.holdings.knows(id)) {
            return;
        }
        tokio::time::sleep(KNOWN_LOOK).await;
    }
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
