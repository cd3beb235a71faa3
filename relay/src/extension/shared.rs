//! The table of hooks in force, and every thread's own copy of it.
//!
//! Invariant: the hot path takes no lock and compares one number; the lock is taken once a thread for each new table.

use super::hooks::Hooks;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

/// The table in force, for all threads.
#[derive(Debug)]
pub struct SharedHooks {
    generation: AtomicU64,
    hooks: RwLock<Arc<Hooks>>,
}

impl SharedHooks {
    /// Until something else is published, no extension has anything to say.
    pub fn new() -> Arc<Self> {
        Arc::new(SharedHooks {
            generation: AtomicU64::new(0),
            hooks: RwLock::new(Arc::new(Hooks::none())),
        })
    }

    /// The table in force now.
    pub fn load(&self) -> Arc<Hooks> {
        let hooks = self.hooks.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&hooks)
    }

    /// The generation of the table in force.
    #[inline]
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    pub(super) fn publish(&self, hooks: Hooks) {
        let generation = hooks.generation();
        *self.hooks.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(hooks);
        self.generation.store(generation, Ordering::Release);
    }
}

/// A thread's own copy of the table.
///
/// ```
/// use trellis_relay::extension::{Local, SharedHooks};
/// let mut local = Local::new(SharedHooks::new());
/// assert!(!local.hooks().plan(1).has_deliver());
/// ```
#[derive(Debug)]
pub struct Local {
    shared: Arc<SharedHooks>,
    hooks: Arc<Hooks>,
}

impl Local {
    /// A copy of what is in force now.
    pub fn new(shared: Arc<SharedHooks>) -> Self {
        let hooks = shared.load();
        Local { shared, hooks }
    }

    /// The table in force: this thread's copy, renewed if something was published since.
    #[inline]
    pub fn hooks(&mut self) -> &Arc<Hooks> {
        if self.shared.generation() != self.hooks.generation() {
            self.hooks = self.shared.load();
        }
        &self.hooks
    }
}
