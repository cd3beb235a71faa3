//! Events of others that an extension has kept and brings back into the store.
//!
//! Invariant: what comes in this way was signed by its author, and nothing comes back that was deleted, has vanished, has
//! expired or is not wanted by the operator. Not here: whether anybody may publish it, which was asked when it came first.

use super::{Core, Host};
use crate::event::{Event, KindClass};
use crate::nips::nip62;
use crate::reason::Reason;
use crate::store::{Outcome, StoreError, Write};
use std::sync::Arc;

/// What became of an event that was to be restored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Restored {
    /// It is stored, durably.
    Stored,
    /// The store has it, or a newer version of it.
    Known,
    /// It was deleted (NIP-09), or its author or recipient has vanished (NIP-62): forget it.
    Deleted,
    /// It cannot be stored: it is forged, has expired, is on a list of the operator's, or a hook refused it. With the
    /// prefix `error` it may be stored later.
    Refused(Reason),
}

impl Host {
    /// Stores events that others have signed, as the operator's import does, and says for each what became of it, in
    /// order, once it is durable. Ids and signatures are verified. `admit` hooks are not asked, since they judge who
    /// publishes; `commit` hooks, guards of removal, deletions and the operator's lists have their say. Subscriptions that
    /// are open hear of what is new.
    ///
    /// Give it some hundreds of events at a time: all of them are in memory until they are stored.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use trellis_relay::extension::Restored;
    /// use trellis_relay::extension::prelude::*;
    /// async fn bring_back(host: &Host, kept: Vec<Arc<Event>>) -> Result<usize, HookError> {
    ///     let restored = host.restore(kept).await?;
    ///     Ok(restored.iter().filter(|it| **it == Restored::Stored).count())
    /// }
    /// ```
    pub async fn restore(&self, events: Vec<Arc<Event>>) -> Result<Vec<Restored>, StoreError> {
        let core: &dyn Core = &*self.inner.core;
        let mut restored = Vec::with_capacity(events.len());
        let mut sound = Vec::new();
        for event in events {
            restored.push(problem(&event).map(Restored::Refused));
            if let Some(None) = restored.last() {
                sound.push(event);
            }
            // A signature takes some 50 microseconds, and others are on this thread.
            tokio::task::yield_now().await;
        }
        let outcomes = match sound.is_empty() {
            true => Vec::new(),
            false => core.restore(sound).await?,
        };
        let mut outcomes = outcomes.into_iter();
        let restored = restored.into_iter().map(|refused| match refused {
            Some(refused) => refused,
            None => outcomes
                .next()
                .map_or_else(|| Restored::Refused(Reason::internal()), Restored::of),
        });
        Ok(restored.collect())
    }
}

impl Restored {
    fn of(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Stored(_) | Outcome::StoredThenRemoved => Restored::Stored,
            Outcome::Duplicate | Outcome::Superseded | Outcome::Done | Outcome::Kept => {
                Restored::Known
            }
            Outcome::Deleted | Outcome::Vanished => Restored::Deleted,
            Outcome::Refused(reason) => Restored::Refused(reason),
        }
    }
}

/// Why an event cannot be restored, whatever the store says of it.
fn problem(event: &Event) -> Option<Reason> {
    if event.class() == KindClass::Ephemeral {
        return Some(Reason::invalid("an ephemeral event is not stored"));
    }
    if event.kind() == nip62::KIND {
        return Some(Reason::invalid(
            "a request to vanish is published, not restored",
        ));
    }
    let verified = event.verify();
    verified
        .err()
        .map(|error| Reason::invalid(error.to_string()))
}

/// The writes that store these events.
pub(in crate::extension) fn writes_of(events: Vec<Arc<Event>>) -> Vec<Write> {
    events.into_iter().map(Write::Put).collect()
}
