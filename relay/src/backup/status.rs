//! How the backup goes, for health and those who ask.

use serde::Serialize;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What is known, shared by the thread and who asks.
#[derive(Debug)]
pub(super) struct Status {
    state: Mutex<Health>,
}

/// How a backup goes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Health {
    /// `ok`, `degraded` while it fails, or `superseded` where another relay has taken over.
    pub status: State,
    /// Why it is not `ok`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When everything that was committed was last there. Milliseconds since 1970; none yet.
    pub last_success_at_ms: Option<u64>,
    /// When everything was last copied anew. Milliseconds since 1970; none yet.
    pub last_snapshot_at_ms: Option<u64>,
    /// Everything up to this row is there.
    pub row: u64,
}

/// In a word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It goes on.
    #[default]
    Ok,
    /// It fails, and is tried again.
    Degraded,
    /// Another relay writes there now.
    Superseded,
}

impl Status {
    pub(super) fn new(row: u64) -> Self {
        let health = Health {
            row,
            ..Health::default()
        };
        Status {
            state: Mutex::new(health),
        }
    }

    pub(super) fn health(&self) -> Health {
        self.lock().clone()
    }

    pub(super) fn is_superseded(&self) -> bool {
        self.lock().status == State::Superseded
    }

    pub(super) fn supersede(&self) {
        let mut state = self.lock();
        state.status = State::Superseded;
        state.reason = Some("another relay has taken over".to_owned());
    }

    pub(super) fn succeed(&self, now_ms: u64, row: u64, snapshot_at_ms: Option<u64>) {
        let mut state = self.lock();
        state.last_success_at_ms = Some(now_ms);
        state.last_snapshot_at_ms = snapshot_at_ms;
        state.row = row;
        if state.status == State::Degraded {
            state.status = State::Ok;
            state.reason = None;
        }
    }

    pub(super) fn fail(&self, reason: String) {
        let mut state = self.lock();
        if state.status != State::Superseded {
            state.status = State::Degraded;
            state.reason = Some(reason);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Health> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
