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
/// Events of one query of the store, as a rule, and at most: it gives no more.
const QUERY_EVENTS: usize = 2_000;
const QUERY_EVENTS_MAX: usize = 10_000;

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
    let mut next = Some(Question::FIRST);
    while let Some(question) = next {
        let mut filter = Filter {
            kinds: Some(vec![KIND_ACK, KIND_SIGNAL]),
            until: question.until,
            limit: Some(question.limit),
            ..Filter::default()
        };
        filter.normalize();
        let events = me.host.query(filter).await?;
        let all: Vec<&Event> = events.iter().map(|event| &**event).collect();
        copy_events(mirror, &all).await?;
        let times: Vec<u64> = all.iter().map(|event| event.created_at()).collect();
        next = question.after(&times);
    }
    Ok(())
}

/// What is asked of the store, newest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Question {
    /// Signed in this second or before. Unix seconds.
    until: Option<u64>,
    limit: usize,
}

impl Question {
    const FIRST: Question = Question {
        until: None,
        limit: QUERY_EVENTS,
    };

    /// What to ask after these times were the answer; nothing where that was all. The second in which an answer ends is asked for
    /// again; one that fills an answer by itself, for a larger one.
    fn after(self, times: &[u64]) -> Option<Question> {
        let (first_s, last_s) = (*times.first()?, *times.last()?);
        if times.len() < self.limit {
            return None;
        }
        if first_s != last_s {
            return Some(Question {
                until: Some(last_s),
                ..Question::FIRST
            });
        }
        match self.limit < QUERY_EVENTS_MAX {
            true => Some(Question {
                until: Some(last_s),
                limit: QUERY_EVENTS_MAX.min(2 * self.limit),
            }),
            // There may be more of this second than a query gives.
            false => Some(Question {
                until: Some(last_s.checked_sub(1)?),
                ..Question::FIRST
            }),
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

#[cfg(test)]
mod tests {
    use super::*;

    /// How many events of a store with so many of each second are copied, when all of it is asked for.
    fn copied(seconds: &[(u64, usize)]) -> usize {
        let of_second = |&(second, count): &(u64, usize)| (0..count).map(move |at| (second, at));
        let stored: Vec<(u64, usize)> = seconds.iter().flat_map(of_second).collect();
        let mut copied = std::collections::BTreeSet::new();
        let mut next = Some(Question::FIRST);
        while let Some(Question { until, limit }) = next {
            let older = |it: &&(u64, usize)| until.is_none_or(|until| it.0 <= until);
            let answer = stored.iter().filter(older).take(limit);
            let answer: Vec<(u64, usize)> = answer.copied().collect();
            let times: Vec<u64> = answer.iter().map(|(second, _)| *second).collect();
            copied.extend(answer);
            next = Question { until, limit }.after(&times);
        }
        copied.len()
    }

    #[test]
    fn q16_a_second_is_copied_whole_up_to_what_a_query_gives() {
        // Of one second 9,000 reports are taken, and directives besides.
        for full in [1, 1_999, 2_000, 4_001, 8_000, 8_001, 9_000, 10_000] {
            let all = [(30, 7), (20, full), (10, 2_500), (0, 3)];
            assert_eq!(copied(&all), 7 + full + 2_500 + 3, "{full}");
        }
        assert_eq!(
            copied(&[(20, 12_000), (10, 5)]),
            10_005,
            "more than a query gives"
        );
    }
}
