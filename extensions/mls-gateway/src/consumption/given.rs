//! "on_read": what sessions were given a moment ago, so that all filters of a REQ together take no more of an owner's packages
//! than one may.
//!
//! Within a moment a session that asks again gets the same again. Bounded: when full, what is older is forgotten, and with
//! nothing older all of it, which `rate_limits` make up for.

use crate::config::Settings;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use trellis_relay::clock::Clock;
use trellis_relay::event::{EventId, PublicKey};

/// By session and owner.
#[derive(Debug)]
pub(crate) struct Given {
    entries: Mutex<HashMap<(u64, PublicKey), Entry>>,
    entries_max: usize,
}

/// What one session was given of one owner; locked while that is decided.
type Ids = Arc<tokio::sync::Mutex<Vec<EventId>>>;

#[derive(Debug)]
struct Entry {
    since: Duration,
    ids: Ids,
}

/// No longer than what was read stays in the store.
const MOMENT: Duration = Duration::from_secs(1);

impl Given {
    pub(crate) fn new(settings: &Settings) -> Self {
        Given {
            entries: Mutex::default(),
            entries_max: settings.max_remembered_reads,
        }
    }

    /// What this session was given a moment ago; nothing yet where nobody has filled it in.
    pub(super) fn to(&self, session: u64, owner: &PublicKey, clock: &dyn Clock) -> Ids {
        let now = clock.monotonic();
        let is_fresh = |entry: &Entry| now.saturating_sub(entry.since) < MOMENT;
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = entries.get(&(session, *owner)).filter(|it| is_fresh(it)) {
            return entry.ids.clone();
        }
        if entries.len() >= self.entries_max {
            entries.retain(|_, entry| is_fresh(entry));
        }
        if entries.len() >= self.entries_max {
            entries.clear();
        }
        let ids = Ids::default();
        let entry = Entry {
            since: now,
            ids: ids.clone(),
        };
        entries.insert((session, *owner), entry);
        ids
    }
}
