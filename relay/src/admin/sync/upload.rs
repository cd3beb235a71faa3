//! Sends events that only we have, a few at a time, and hears what becomes of them.

use super::ours;
use super::peer::PeerMessage;
use super::{SyncError, Work};
use crate::event::{Event, EventId};
use crate::nips::nip70;
use crate::store::Stored;
use std::collections::HashMap;
use std::sync::Arc;

/// Events that are read from the store at a time.
const CHUNK_IDS: usize = 64;
/// Events that are under way at a time.
const MOST_EVENTS: usize = 64;
const MOST_BYTES: usize = 1 << 20;

/// Sends as many of these as the peer takes.
pub(super) fn upload(work: &mut Work<'_>, ids: &[EventId]) -> Result<(), SyncError> {
    let mut sent = Sent::default();
    for chunk in ids.chunks(CHUNK_IDS) {
        let events = ours::events(work.target, chunk)?;
        // Removed or expired since they were compared.
        work.totals.kept_back += (chunk.len() - events.len()) as u64;
        for stored in events {
            if is_kept_back(work, &stored) {
                work.totals.kept_back += 1;
                continue;
            }
            while !sent.has_room() {
                hear(work, &mut sent)?;
            }
            send(work, &stored.event)?;
            sent.add(stored.event);
        }
        work.progress()?;
    }
    while !sent.events.is_empty() {
        hear(work, &mut sent)?;
    }
    work.progress()
}

/// Events that are for some readers alone, or that only their author may publish (NIP-70).
fn is_kept_back(work: &Work<'_>, stored: &Stored) -> bool {
    !work.target.shows_strangers(stored) || nip70::is_protected(&stored.event)
}

/// Events of which the peer has not said what became of them.
#[derive(Default)]
struct Sent {
    events: HashMap<EventId, Arc<Event>>,
    bytes: usize,
}

impl Sent {
    fn has_room(&self) -> bool {
        self.events.len() < MOST_EVENTS && self.bytes < MOST_BYTES
    }

    fn add(&mut self, event: Arc<Event>) {
        self.bytes += event.json().len();
        self.events.insert(*event.id(), event);
    }

    fn remove(&mut self, id: &EventId) -> Option<Arc<Event>> {
        let event = self.events.remove(id)?;
        self.bytes -= event.json().len();
        Some(event)
    }
}

fn send(work: &mut Work<'_>, event: &Event) -> Result<(), SyncError> {
    let json = String::from_utf8_lossy(event.json());
    work.peer.send(format!(r#"["EVENT",{json}]"#))
}

/// Waits for one answer.
fn hear(work: &mut Work<'_>, sent: &mut Sent) -> Result<(), SyncError> {
    let deadline = work.deadline();
    loop {
        let PeerMessage::Ok(id, accepted, words) = work.next(deadline, "answer EVENT")? else {
            continue;
        };
        let Some(event) = sent.remove(&id) else {
            continue;
        };
        if accepted {
            work.totals.uploaded += 1;
        } else if words.starts_with("auth-required:") && work.authenticate()? {
            send(work, &event)?;
            sent.add(event);
        } else {
            work.totals.not_taken.add(&words);
        }
        return Ok(());
    }
}
