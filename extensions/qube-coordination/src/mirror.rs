//! A copy of directives, reports and history in PostgreSQL, for whoever asks questions that the relay does not answer.
//!
//! Invariant: the relay never waits for it. Events come by the durable cursor of a `stored` hook, the history by the number
//! of its last entry in the database; what comes twice changes nothing. A database that is new, or another one, is filled
//! with what the relay had before.

mod address;
mod database;
mod failure;
mod rows;
#[cfg(test)]
mod tests;
mod writing;

use crate::QubeCoordination;
use crate::fields;
use crate::log::Chain;
use crate::metering;
use database::Database;
use failure::Failure;
use rows::{AckRow, LogRow, SignalRow};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use trellis_qube_protocol::{Fields, KIND_ACK, KIND_SIGNAL, Signal, chain::Entry, verified};
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
/// Entries and events of one statement.
const BATCH: usize = 500;
/// Events of one query of the store.
const QUERY_EVENTS: usize = 2_000;

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

const REPLACED: &str = "replacement";

async fn copy_events(
    me: &QubeCoordination,
    mirror: &Mirror,
    events: &[&Event],
) -> Result<(), MirrorError> {
    let (mut signals, mut acks) = (Vec::new(), Vec::new());
    for event in events {
        let json = String::from_utf8_lossy(event.json()).into_owned();
        match event.kind() {
            KIND_SIGNAL => signals.extend(fields::signal(event).ok().map(|signal| SignalRow {
                signal,
                json,
                removed_as: None,
            })),
            _ => acks.extend(fields::ack(event).ok().map(|ack| AckRow {
                signal: me.holdings.resolve(&ack),
                ack,
                json,
            })),
        }
    }
    write_signals(mirror, &signals).await?;
    for some in acks.chunks(BATCH) {
        let put = async |pool: &_| writing::acks(pool, some).await;
        metering::mirrored("acks", mirror.database.run(put).await?);
    }
    Ok(())
}

async fn write_signals(mirror: &Mirror, signals: &[SignalRow]) -> Result<(), MirrorError> {
    for some in signals.chunks(BATCH) {
        let put = async |pool: &_| writing::signals(pool, some).await;
        metering::mirrored("signals", mirror.database.run(put).await?);
    }
    Ok(())
}

/// What was stored before this database was the mirror.
async fn fill(me: &QubeCoordination, mirror: &Mirror) -> Result<(), MirrorError> {
    if mirror.is_filled.load(Relaxed) {
        return Ok(());
    }
    let relay = &mirror.relay;
    let ask = async |pool: &_| writing::is_filled(pool, relay).await;
    if !mirror.database.run(ask).await? {
        copy_stored(me, mirror).await?;
        let now_s = me.host.clock().now_s();
        let note = async |pool: &_| writing::note_filled(pool, relay, now_s).await;
        mirror.database.run(note).await?;
    }
    mirror.is_filled.store(true, Relaxed);
    Ok(())
}

async fn copy_stored(me: &QubeCoordination, mirror: &Mirror) -> Result<(), MirrorError> {
    let (mut until, mut limit) = (None, QUERY_EVENTS);
    loop {
        let mut filter = Filter {
            kinds: Some(vec![KIND_ACK, KIND_SIGNAL]),
            until,
            limit: Some(limit),
            ..Filter::default()
        };
        filter.normalize();
        let events = me.host.query(filter).await?;
        let all: Vec<&Event> = events.iter().map(|event| &**event).collect();
        copy_events(me, mirror, &all).await?;
        let (Some(first), Some(last)) = (all.first(), all.last()) else {
            return Ok(());
        };
        if all.len() < limit {
            return Ok(());
        }
        // The second in which a page ends is asked for again; one that fills a page by itself, with a larger page.
        let (first_s, last_s) = (first.created_at(), last.created_at());
        limit = if first_s == last_s {
            2 * limit
        } else {
            QUERY_EVENTS
        };
        until = Some(last_s);
        if limit > 5 * QUERY_EVENTS {
            // More of one second than a query gives.
            (until, limit) = (last_s.checked_sub(1), QUERY_EVENTS);
            if until.is_none() {
                return Ok(());
            }
        }
    }
}

/// Entries of both logs that are not there yet, and the directives in them.
async fn copy_history(me: &QubeCoordination, mirror: &Mirror) -> Result<(), MirrorError> {
    for chain in [Chain::Log, Chain::Adopted] {
        let (relay, name) = (&mirror.relay, chain.name());
        let ask = async |pool: &_| writing::last_seq(pool, relay, name).await;
        let mut last = mirror.database.run(ask).await?;
        loop {
            let entries = chain.after(&me.host, last, BATCH).await?;
            let Some(newest) = entries.last() else {
                break;
            };
            last = newest.seq;
            // Before their entries: what fails is done again from the last entry on.
            let signals: Vec<SignalRow> = entries.iter().filter_map(signal_of).collect();
            write_signals(mirror, &signals).await?;
            let rows = entries.iter().map(|entry| LogRow { chain: name, entry });
            let rows: Vec<LogRow<'_>> = rows.collect();
            let put = async |pool: &_| writing::log(pool, relay, &rows).await;
            metering::mirrored("log", mirror.database.run(put).await?);
        }
    }
    Ok(())
}

/// The directive in an entry, which something else has replaced.
fn signal_of(entry: &Entry) -> Option<SignalRow> {
    let event = verified(&entry.event).ok()?;
    Some(SignalRow {
        signal: Signal::parse(&Fields::of(&event)).ok()?,
        json: entry.event.clone(),
        removed_as: Some(REPLACED),
    })
}
