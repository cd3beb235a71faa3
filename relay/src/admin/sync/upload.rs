//! Sends events that only we have, a few at a time, and hears what becomes of them.
//!
//! Invariant: one event at which the peer ends the connection does not keep the others back: what was unanswered is sent
//! again one by one, and the one at which the connection ends again is left out.

use super::ours;
use super::pace::{Sent, Try};
use super::peer::PeerMessage;
use super::totals::Named;
use super::{LOOK_EVERY, SyncError, Work};
use crate::event::{Event, EventId};
use crate::nips::nip70;
use crate::store::Stored;
use std::collections::VecDeque;
use std::time::Duration;
use tokio::time::Instant;

/// Events that are read from the store at a time.
const CHUNK_IDS: usize = 64;
/// Ends of connections after which a peer is given up: without an answer between them, and in all.
const MOST_ENDS_IN_A_ROW: u32 = 8;
const MOST_ENDS: u32 = 200;
/// Seconds before each try to connect again: a peer that restarts is there after a while.
const PAUSES_S: [u64; 3] = [0, 1, 4];
/// A message as long as this, at which the connection ends, is too long for the peer, and so are longer ones.
const LONG_MESSAGE_BYTES: usize = 16 * 1024;

/// How often connections have ended while events were sent.
#[derive(Default)]
pub(super) struct Connections {
    ends: u32,
    ends_in_a_row: u32,
}

/// Sends as many of these as the peer takes.
pub(super) fn upload(work: &mut Work<'_>, ids: &[EventId]) -> Result<(), SyncError> {
    let mut sent = Sent::new();
    for chunk in ids.chunks(CHUNK_IDS) {
        let events = ours::events(work.target, chunk)?;
        work.totals.gone += (chunk.len() - events.len()) as u64;
        for stored in events {
            if is_kept_back(work, &stored) {
                work.totals.kept_back += 1;
                continue;
            }
            while !sent.has_room() {
                hear_or_reconnect(work, &mut sent)?;
            }
            if is_too_long(work, &stored.event) {
                work.totals.too_long.add(stored.event.id());
            } else if let Some(words) = &work.no_more_uploads {
                work.totals.not_taken.add(words);
            } else {
                match send(work, &mut sent, Try::first(stored.event)) {
                    Err(SyncError::Gone(why)) => go_on_after(work, &mut sent, why)?,
                    done => done?,
                }
            }
        }
        work.progress()?;
    }
    while !sent.is_empty() {
        hear_or_reconnect(work, &mut sent)?;
    }
    work.progress()
}

/// Events that are for some readers alone, or that only their author may publish (NIP-70).
fn is_kept_back(work: &Work<'_>, stored: &Stored) -> bool {
    !work.target.shows_strangers(stored) || nip70::is_protected(&stored.event)
}

fn is_too_long(work: &Work<'_>, event: &Event) -> bool {
    let most = work.peer.limits().message_bytes;
    most.is_some_and(|most| message_bytes(event) > most)
}

/// With `["EVENT",` and `]`.
fn message_bytes(event: &Event) -> usize {
    event.json().len() + 10
}

/// It counts as unanswered from before it is sent, since a part of it may get there.
fn send(work: &mut Work<'_>, sent: &mut Sent, next: Try) -> Result<(), SyncError> {
    let json = String::from_utf8_lossy(next.event.json());
    let message = format!(r#"["EVENT",{json}]"#);
    sent.add(next);
    work.peer.send(message)
}

fn hear_or_reconnect(work: &mut Work<'_>, sent: &mut Sent) -> Result<(), SyncError> {
    match hear(work, sent) {
        Err(SyncError::Gone(why)) => go_on_after(work, sent, why),
        heard => heard,
    }
}

/// Waits for one answer.
fn hear(work: &mut Work<'_>, sent: &mut Sent) -> Result<(), SyncError> {
    if let Some((at, next)) = sent.again() {
        if let Some(words) = &work.no_more_uploads {
            work.totals.not_taken.add(words);
            return Ok(());
        }
        // Unanswered also where the connection ends meanwhile.
        sent.add(next.clone());
        work.pause(at)?;
        sent.remove(next.event.id());
        send(work, sent, next)?;
    }
    let deadline = work.deadline();
    loop {
        let PeerMessage::Ok(id, accepted, words) = work.next(deadline, "answer EVENT")? else {
            continue;
        };
        let Some(answered) = sent.remove(&id) else {
            continue;
        };
        work.connections.ends_in_a_row = 0;
        if accepted {
            work.totals.uploaded += 1;
            sent.speed_up();
        } else if words.starts_with("auth-required:") && work.authenticate()? {
            send(work, sent, answered)?;
        } else if !words.starts_with("rate-limited:") {
            work.totals.not_taken.add(&words);
        } else if !sent.slow_down(answered, &words) {
            work.totals.not_taken.add(&words);
            work.no_more_uploads = Some(words);
        }
        return Ok(());
    }
}

/// Connects again and sends what was unanswered one by one.
fn go_on_after(work: &mut Work<'_>, sent: &mut Sent, why: String) -> Result<(), SyncError> {
    let mut unanswered = sent.take();
    reconnect(work, &unanswered, why)?;
    while let Some(next) = unanswered.front().cloned() {
        let event = next.event.clone();
        let ended = match send_alone(work, next) {
            Err(SyncError::Gone(why)) => Some(why),
            done => {
                done?;
                None
            }
        };
        unanswered.pop_front();
        if let Some(why) = ended {
            work.totals.cut_at.add(event.id());
            if message_bytes(&event) >= LONG_MESSAGE_BYTES {
                work.peer.has_not_taken(message_bytes(&event));
            }
            reconnect(work, &unanswered, why)?;
        }
    }
    Ok(())
}

fn send_alone(work: &mut Work<'_>, next: Try) -> Result<(), SyncError> {
    if is_too_long(work, &next.event) {
        work.totals.too_long.add(next.event.id());
        return Ok(());
    }
    let mut alone = Sent::new();
    send(work, &mut alone, next)?;
    while !alone.is_empty() {
        hear(work, &mut alone)?;
    }
    Ok(())
}

/// Says which events are unanswered where there is no connection to be had.
fn reconnect(
    work: &mut Work<'_>,
    unanswered: &VecDeque<Try>,
    why: String,
) -> Result<(), SyncError> {
    let connections = &mut work.connections;
    connections.ends += 1;
    connections.ends_in_a_row += 1;
    if connections.ends <= MOST_ENDS && connections.ends_in_a_row <= MOST_ENDS_IN_A_ROW {
        for pause_s in PAUSES_S {
            pause(work, Duration::from_secs(pause_s))?;
            if work.peer.reconnect().is_ok() {
                return Ok(());
            }
        }
    }
    let mut named = Named::default();
    for one in unanswered {
        named.add(one.event.id());
    }
    Err(SyncError::Gone(match named.events {
        0 => why,
        _ => format!("{why}; it left unanswered {named}"),
    }))
}

/// A pause without a connection.
fn pause(work: &Work<'_>, length: Duration) -> Result<(), SyncError> {
    let until = Instant::now() + length;
    loop {
        work.go_on()?;
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        std::thread::sleep(left.min(LOOK_EVERY));
    }
}
