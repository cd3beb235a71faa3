//! All directives and reports in memory, and what follows from them.
//!
//! Invariant: a copy of what is stored, filled before any hook is in force and kept by the commits.

use crate::config::Settings;
use std::sync::Arc;
use tokio::sync::watch;
use trellis_relay::clock::Clock;

/// What the relay holds of the fleet.
pub(crate) struct Holdings {
    clock: Arc<dyn Clock>,
    revision: watch::Sender<u64>,
}

impl Holdings {
    /// Nothing yet.
    pub(crate) fn new(_settings: &Settings, clock: Arc<dyn Clock>) -> Self {
        Holdings {
            clock,
            revision: watch::Sender::new(0),
        }
    }

    /// Tells of changes; the number is the revision, which grows with each.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.revision.subscribe()
    }
}
