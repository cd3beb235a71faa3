//! "on_read": what sessions were given a moment ago, so that all filters of a REQ together take no more of an owner's packages
//! than one may.
//!
//! Within a moment a session that asks again gets the same again. Bounded: when full, what is older is forgotten, and with
//! nothing older all of it, which `rate_limits` make up for.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use trellis_relay::clock::Clock;
use trellis_relay::event::{EventId, PublicKey};

/// By session and owner.
#[derive(Debug, Default)]
pub(crate) struct Given(Mutex<HashMap<(u64, PublicKey), Entry>>);

/// What one session was given of one owner; locked while that is decided.
type Ids = Arc<tokio::sync::Mutex<Vec<EventId>>>;

#[derive(Debug)]
struct Entry {
    since: Duration,
    ids: Ids,
}

/// No longer than what was read stays in the store.
const MOMENT: Duration = Duration::from_secs(1);
const ENTRIES_MAX: usize = 10_000;

impl Given {
    /// What this session was given a moment ago; nothing yet where nobody has filled it in.
    pub(super) fn to(&self, session: u64, owner: &PublicKey, clock: &dyn Clock) -> Ids {
        let now = clock.monotonic();
        let is_fresh = |entry: &Entry| now.saturating_sub(entry.since) < MOMENT;
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = entries.get(&(session, *owner)).filter(|it| is_fresh(it)) {
            return entry.ids.clone();
        }
        if entries.len() >= ENTRIES_MAX {
            entries.retain(|_, entry| is_fresh(entry));
        }
        if entries.len() >= ENTRIES_MAX {
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
