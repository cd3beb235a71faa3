//! Brings over events that only the peer has: asked for by id, verified, committed.

use super::peer::PeerMessage;
use super::{SyncError, Work};
use crate::event::{Event, EventId, KindClass};
use crate::nips::{nip62, nip70};
use crate::reason::Prefix;
use crate::store::{Outcome, StoreError, Write};
use serde_json::json;
use serde_json::value::RawValue;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Ids of one REQ. Where the peer sends fewer events for one, it is asked again.
const CHUNK_IDS: usize = 100;
/// A REQ beside its ids: `["REQ","sync-18446744073709551615",{"ids":[]}]`.
const ENVELOPE_BYTES: usize = 64;
/// REQs that are under way at a time.
const MOST_CHUNKS: usize = 4;
/// What is kept before it is verified and committed.
const BATCH_EVENTS: usize = 1_024;
const BATCH_BYTES: usize = 8 << 20;

/// Brings over as many of these as the peer gives.
pub(super) fn download(work: &mut Work<'_>, ids: &[EventId]) -> Result<(), SyncError> {
    let mut wanted = Vec::with_capacity(ids.len());
    for id in ids {
        match work.target.store().contains(id)? {
            true => work.totals.known += 1,
            false => wanted.push(*id),
        }
    }
    let mut arrived = Batch::default();
    let received = receive(work, &wanted, &mut arrived);
    // Kept though the peer may have failed, so that another run need not ask again.
    commit(work, arrived)?;
    received
}

fn receive(work: &mut Work<'_>, ids: &[EventId], arrived: &mut Batch) -> Result<(), SyncError> {
    let mut chunks = ids.chunks(chunk_ids(work));
    let mut next_number = 0;
    let mut asked: HashMap<String, Asked> = HashMap::new();
    // What is missing of chunks that the peer's limit has cut short.
    let mut again: Vec<HashSet<EventId>> = Vec::new();
    let mut deadline = work.deadline();
    loop {
        while asked.len() < MOST_CHUNKS
            && let Some(missing) = again
                .pop()
                .or_else(|| Some(chunks.next()?.iter().copied().collect()))
        {
            let sub = format!("sync-{next_number}");
            next_number += 1;
            ask(work, &sub, missing.iter())?;
            asked.insert(sub, Asked::new(missing));
            deadline = work.deadline();
        }
        if asked.is_empty() {
            return Ok(());
        }
        match work.next(deadline, "send events")? {
            PeerMessage::Event(sub, json) => {
                let Some(asked) = asked.get_mut(&sub) else {
                    continue;
                };
                // What was not asked for is not looked at, and wins the peer no time.
                if let Some(event) = read(work, &json, &mut asked.missing) {
                    deadline = work.deadline();
                    arrived.add(event);
                }
            }
            PeerMessage::Eose(sub) => {
                if let Some(asked) = asked.remove(&sub) {
                    work.peer.send(json!(["CLOSE", sub]).to_string())?;
                    // Each time brings something, so this ends.
                    match asked.is_cut_short() {
                        true => again.push(asked.missing),
                        false => work.totals.missing += asked.missing.len() as u64,
                    }
                }
            }
            PeerMessage::Closed(sub, reason) => {
                let Some(Asked { missing, .. }) = asked.remove(&sub) else {
                    continue;
                };
                if reason.starts_with("auth-required:") && work.authenticate()? {
                    ask(work, &sub, missing.iter())?;
                    asked.insert(sub, Asked::new(missing));
                    deadline = work.deadline();
                } else {
                    for _ in missing {
                        work.totals.refused.add(&reason);
                    }
                }
            }
            _ => {}
        }
        if arrived.events.len() >= BATCH_EVENTS || arrived.bytes >= BATCH_BYTES {
            commit(work, std::mem::take(arrived))?;
        }
    }
}

/// As many as the peer takes and answers at once, so far as that is known.
fn chunk_ids(work: &Work<'_>) -> usize {
    let limits = work.peer.limits();
    let events = limits.events.unwrap_or(CHUNK_IDS);
    let bytes = limits.message_bytes.unwrap_or(usize::MAX);
    // 64 digits, quotes and a comma.
    let ids = bytes.saturating_sub(ENVELOPE_BYTES) / 67;
    CHUNK_IDS.min(events).min(ids).max(1)
}

/// A REQ that is under way.
struct Asked {
    missing: HashSet<EventId>,
    ids: usize,
}

impl Asked {
    fn new(missing: HashSet<EventId>) -> Self {
        let ids = missing.len();
        Asked { missing, ids }
    }

    /// Whether some came and some did not, as with a peer that sends fewer events for a REQ than it was asked for.
    fn is_cut_short(&self) -> bool {
        !self.missing.is_empty() && self.missing.len() < self.ids
    }
}

fn ask<'i>(
    work: &mut Work<'_>,
    sub: &str,
    ids: impl Iterator<Item = &'i EventId>,
) -> Result<(), SyncError> {
    let ids: Vec<String> = ids.map(|id| id.to_hex()).collect();
    work.peer
        .send(json!(["REQ", sub, {"ids": ids}]).to_string())
}

/// Events that arrived and are not verified yet.
#[derive(Default)]
struct Batch {
    events: Vec<Event>,
    bytes: usize,
}

impl Batch {
    fn add(&mut self, event: Event) {
        self.bytes += event.json().len();
        self.events.push(event);
    }
}

/// The event, if it is one of those that are missing, and of the form that is stored.
fn read(work: &mut Work<'_>, json: &RawValue, missing: &mut HashSet<EventId>) -> Option<Event> {
    let event = Event::parse(json.get().as_bytes()).ok()?;
    if !missing.remove(event.id()) {
        return None;
    }
    let config = work.target.config();
    let limits = &config.limitation;
    let ahead_s = event.created_at().saturating_sub(work.target.now_s());
    let is_ahead = ahead_s > limits.max_event_time_newer_than_now.as_secs()
        && !limits.created_at_exempt_kinds.contains(event.kind());
    let problem = if event.json().len() > limits.max_message_length.as_usize() {
        "longer than limitation.max_message_length"
    } else if !work.filter.matches(&event) {
        "does not match the filter"
    } else if nip70::is_protected(&event) {
        "only its author may publish it (NIP-70)"
    } else if is_ahead {
        "dated further ahead than limitation.max_event_time_newer_than_now"
    } else if event.class() == KindClass::Ephemeral {
        "ephemeral, not to be stored"
    } else {
        return Some(event);
    };
    work.totals.refused.add(problem);
    None
}

fn commit(work: &mut Work<'_>, batch: Batch) -> Result<(), SyncError> {
    let (good, bad) = verify(batch.events);
    for _ in 0..bad {
        work.totals.refused.add("the id or the signature is wrong");
    }
    let config = work.target.config();
    let known_as = config.network.relay_url.as_deref();
    let mut writes: Vec<Write> = Vec::with_capacity(good.len());
    for event in good {
        // NIP-62: a request to vanish binds here as well, if it is for this relay.
        match nip62::write_for(Arc::new(event), known_as) {
            Ok(write) => writes.push(write),
            Err(reason) => work.totals.refused.add(&reason.to_string()),
        }
    }
    for outcome in work.target.commit(writes)? {
        let totals = &mut work.totals;
        match outcome {
            Outcome::Stored(_) | Outcome::StoredThenRemoved => totals.stored += 1,
            Outcome::Duplicate | Outcome::Superseded | Outcome::Deleted | Outcome::Vanished => {
                totals.known += 1
            }
            Outcome::Refused(reason) => {
                if reason.prefix == Prefix::Error && work.target.store().stats()?.full {
                    return Err(StoreError::Full(reason.text.to_string()).into());
                }
                totals.refused.add(&reason.to_string());
            }
            Outcome::Done | Outcome::Kept => {}
        }
    }
    work.progress()
}

/// The events whose id and signature are right, in order, and how many are not. Signatures cost most, so the events are
/// shared out to threads.
fn verify(events: Vec<Event>) -> (Vec<Event>, usize) {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let share = events.len().div_ceil(threads).max(1);
    let count = events.len();
    let is_right = |share: &[Event]| -> Vec<bool> {
        let verdicts = share.iter().map(|event| event.verify().is_ok());
        verdicts.collect()
    };
    let verdicts: Vec<bool> = std::thread::scope(|scope| {
        let threads: Vec<_> = events
            .chunks(share)
            .map(|share| (share.len(), scope.spawn(move || is_right(share))))
            .collect();
        threads
            .into_iter()
            .flat_map(|(len, thread)| thread.join().unwrap_or_else(|_| vec![false; len]))
            .collect()
    });
    let good: Vec<Event> = events
        .into_iter()
        .zip(verdicts)
        .filter_map(|(event, is_right)| is_right.then_some(event))
        .collect();
    let bad = count - good.len();
    (good, bad)
}
