//! Which signed HTTP requests each extension has served (NIP-98).
//!
//! Invariant: an extension has one guard for as long as the relay runs, whatever becomes of its instances; a crowd at one
//! extension's routes keeps nobody from another's.

use crate::nips::nip98::ReplayGuard;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The guards of all extensions.
#[derive(Clone)]
pub(super) struct ReplayGuards {
    /// Seconds since 1970 from which they remember.
    since_s: u64,
    by_extension: Arc<Mutex<HashMap<&'static str, Arc<ReplayGuard>>>>,
}

impl ReplayGuards {
    pub(super) fn starting(now_s: u64) -> Self {
        ReplayGuards {
            since_s: now_s,
            by_extension: Arc::default(),
        }
    }

    pub(super) fn of(&self, extension: &'static str) -> Arc<ReplayGuard> {
        let guards = self.by_extension.lock();
        let mut guards = guards.unwrap_or_else(PoisonError::into_inner);
        let guard = guards.entry(extension);
        guard
            .or_insert_with(|| Arc::new(ReplayGuard::starting(self.since_s)))
            .clone()
    }
}
