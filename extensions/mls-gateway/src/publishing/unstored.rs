//! Rosters that were changed by events which are not stored yet.
//!
//! The database has to say first which of two events wins, so a roster is written before its event is. An event that is
//! refused after that, by a store that is full or by another extension, must not leave its mark: what is not stored in time
//! is undone.
//!
//! Invariant: what was undone is not stored afterwards ([`MlsGateway::check_undone`] refuses it at the commit), unless its
//! author sends it again, which does it again. Not undone is the founding of a group, which the same event completes, nor
//! what a relay leaves that is killed, nor what another change was built upon. Bounded: of what does not fit nothing is undone.

use crate::MlsGateway;
use crate::config::Settings;
use crate::directory::Written;
use crate::roster::Roster;
use crate::shorten::Short;
use crate::storage::PutRoster;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use trellis_relay::extension::prelude::*;

/// An event that came in is stored by then or never, but for a store that hangs.
const STORED_AFTER: Duration = Duration::from_secs(30);
/// Undone events are known for so long.
const KNOWN_FOR: Duration = Duration::from_secs(600);

/// What may have to be undone, and what was.
#[derive(Debug)]
pub(crate) struct Unstored {
    states: Mutex<HashMap<EventId, State>>,
    events_max: usize,
    /// Of all rosters that are kept for this.
    members_max: usize,
}

#[derive(Debug)]
enum State {
    Waiting(Arc<Change>),
    Undone(Duration),
}

/// What an event did to a roster.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) group_id: String,
    pub(super) before: Roster,
    /// Of what came after.
    pub(super) revision: u64,
    /// On the monotonic clock.
    pub(super) at: Duration,
}

impl Unstored {
    pub(crate) fn new(settings: &Settings) -> Self {
        Unstored {
            states: Mutex::default(),
            events_max: settings.max_cached_groups,
            members_max: settings.max_cached_groups.saturating_mul(10),
        }
    }

    /// The event has changed a roster, and is on its way to the store.
    pub(super) fn expect(&self, event: EventId, change: Change) {
        let mut states = self.states();
        let now = change.at;
        states.retain(|_, state| match state {
            State::Waiting(_) => true,
            State::Undone(at) => now.saturating_sub(*at) < KNOWN_FOR,
        });
        let members = states.values().map(|state| match state {
            State::Waiting(change) => change.before.members.len(),
            State::Undone(_) => 0,
        });
        let members = members.sum::<usize>() + change.before.members.len();
        if states.len() < self.events_max && members <= self.members_max {
            states.insert(event, State::Waiting(Arc::new(change)));
        } else {
            states.remove(&event);
        }
    }

    /// The event is stored, or was.
    pub(crate) fn confirm(&self, event: &EventId) {
        let mut states = self.states();
        if let Some(State::Waiting(_)) = states.get(event) {
            states.remove(event);
        }
    }

    /// The event comes again and has nothing left to do.
    pub(super) fn let_pass(&self, event: &EventId) {
        let mut states = self.states();
        if let Some(State::Undone(_)) = states.get(event) {
            states.remove(event);
        }
    }

    fn is_undone(&self, event: &EventId) -> bool {
        matches!(self.states().get(event), Some(State::Undone(_)))
    }

    /// What should have been stored by now.
    fn overdue(&self, now: Duration) -> Vec<(EventId, Arc<Change>)> {
        let states = self.states();
        let overdue = states.iter().filter_map(|(event, state)| match state {
            State::Waiting(change) if now.saturating_sub(change.at) >= STORED_AFTER => {
                Some((*event, change.clone()))
            }
            _ => None,
        });
        overdue.collect()
    }

    /// Whether the event was still waited for; it is not to be stored any more.
    fn give_up(&self, event: EventId, now: Duration) -> bool {
        let mut states = self.states();
        let is_waiting = matches!(states.get(&event), Some(State::Waiting(_)));
        if is_waiting {
            states.insert(event, State::Undone(now));
        }
        is_waiting
    }

    fn states(&self) -> std::sync::MutexGuard<'_, HashMap<EventId, State>> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl MlsGateway {
    /// Refuses to commit what was given up, however late it comes.
    pub(super) fn check_undone(&self, event: &Event) -> Commit {
        match self.unstored.is_undone(event.id()) {
            true => Commit::Veto(Reason::error("this took too long; send it again")),
            false => Commit::Accept,
        }
    }

    /// Undoes what events did that were not stored. What fails is tried again.
    pub(crate) async fn undo_unstored(&self) -> Result<(), HookError> {
        let now = self.host.clock().monotonic();
        for (event, change) in self.unstored.overdue(now) {
            let by_id = Filter {
                ids: Some(vec![event]),
                limit: Some(1),
                ..Filter::default()
            };
            if !self.host.query(by_id.clone()).await?.is_empty() {
                self.unstored.confirm(&event);
                continue;
            }
            if !self.unstored.give_up(event, now) {
                continue;
            }
            // It may have been committed in between.
            if self.host.query(by_id).await?.is_empty() {
                self.put_back(&change).await?;
            }
        }
        Ok(())
    }

    async fn put_back(&self, change: &Change) -> Result<(), HookError> {
        let is_followed = self.directory.has_begun();
        let (group_id, before) = (&change.group_id, &change.before);
        let rosters = self.storage.rosters(std::slice::from_ref(group_id)).await?;
        let current = rosters.into_iter().next().map(|(_, current)| current);
        let Some(current) = current.filter(|it| it.revision == change.revision) else {
            return Ok(());
        };
        let now_s = self.host.clock().now_s();
        let put = self
            .storage
            .put_roster(group_id, before, Some(current.revision), now_s);
        if let PutRoster::Written(revision) = put.await? {
            let group = Short::group(group_id);
            tracing::warn!(%group, revision, "the event of a roster was not stored; the roster is as it was before");
            let written = Written {
                before: Some(&current.roster),
                after: Arc::new(before.clone()),
                revision,
                is_followed,
            };
            self.roster_written(group_id, written);
        }
        Ok(())
    }
}
