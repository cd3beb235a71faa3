//! Reads what the relay has and hands it to the database, a few hundred rows at a time.
//!
//! Invariant: a failure leaves nothing out: all of it is done again from where the database says that it is. A history in
//! it is gone on with only where it is this relay's.

use super::rows::{AckRow, LogRow, SignalRow, number};
use super::{Mirror, MirrorError, REPLACED, copied_pages, writing};
use crate::QubeCoordination;
use crate::fields;
use crate::log::Chain;
use crate::metering;
use std::sync::atomic::Ordering::Relaxed;
use trellis_qube_protocol::{Fields, KIND_ACK, KIND_SIGNAL, Signal, chain::Entry, verified};
use trellis_relay::extension::prelude::*;

/// Entries and events of one statement.
const BATCH: usize = 500;
/// Events of one query of the store.
const QUERY_EVENTS: usize = 2_000;

/// Directives and reports that the relay has.
pub(super) async fn copy_events(mirror: &Mirror, events: &[&Event]) -> Result<(), MirrorError> {
    let (mut signals, mut acks) = (Vec::new(), Vec::new());
    for event in events {
        let json = String::from_utf8_lossy(event.json()).into_owned();
        match event.kind() {
            KIND_SIGNAL => signals.extend(fields::signal(event).ok().map(|signal| SignalRow {
                signal,
                json,
                removed_as: None,
            })),
            _ => acks.extend(fields::ack(event).ok().map(|ack| AckRow { ack, json })),
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
        let link = async |pool: &_| writing::link(pool, some).await;
        mirror.database.run(link).await?;
    }
    Ok(())
}

/// What was stored before this database was the mirror, or did not get there: it is not where the relay says that it was.
pub(super) async fn fill(me: &QubeCoordination, mirror: &Mirror) -> Result<(), MirrorError> {
    if mirror.is_filled.load(Relaxed) {
        return Ok(());
    }
    let relay = &mirror.relay;
    // First of all: pages that come meanwhile are beyond it.
    let pages = copied_pages(&me.host).await?;
    let ask = async |pool: &_| writing::copied(pool, relay).await;
    // The database learns of a page a moment before the relay does.
    let is_there = |copied: i64| [number(pages), number(pages + 1)].contains(&copied);
    if !mirror.database.run(ask).await?.is_some_and(is_there) {
        copy_stored(me, mirror).await?;
        let now_s = me.host.clock().now_s();
        let note = async |pool: &_| writing::note_filled(pool, relay, now_s, pages).await;
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
        copy_events(mirror, &all).await?;
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

/// Entries of both logs that are not there yet, and the directives in them. Of a log that is another than the relay's, which
/// was put back to an earlier state, say, nothing: it would hold together no more.
pub(super) async fn copy_history(
    me: &QubeCoordination,
    mirror: &Mirror,
) -> Result<(), MirrorError> {
    let mut foreign = None;
    for chain in [Chain::Log, Chain::Adopted] {
        let (relay, name) = (&mirror.relay, chain.name());
        let ask = async |pool: &_| writing::last_entry(pool, relay, name).await;
        let found = mirror.database.run(ask).await?;
        let mut last = found.as_ref().map_or(0, |(seq, _)| *seq);
        if let Some((seq, hash)) = found
            && !has(me, chain, seq, &hash).await?
        {
            foreign.get_or_insert(format!(
                "entry {seq} of the history `{name}` in it is not this relay's, which adds nothing to it"
            ));
            continue;
        }
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
    mirror.note_foreign(foreign);
    Ok(())
}

/// Whether the relay's own entry of this number has this hash.
async fn has(
    me: &QubeCoordination,
    chain: Chain,
    seq: u64,
    hash: &str,
) -> Result<bool, MirrorError> {
    let entries = chain.after(&me.host, seq.saturating_sub(1), 1).await?;
    let is_it = |entry: &Entry| entry.seq == seq && entry.hash.to_string() == hash;
    Ok(entries.first().is_some_and(is_it))
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
