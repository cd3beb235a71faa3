//! A test that a `request` hook puts on one filter: which events come out through it.
//!
//! Invariant: the author's code is called through its hook alone, and whatever keeps it from answering hides the event.

use super::super::hook::Hook;
use super::super::panics;
use crate::event::Event;
use crate::kinds::Kinds;
use std::fmt;
use std::sync::Arc;

type TestCall = dyn Fn(&Event) -> bool + Send + Sync;

/// Equal to another that the same hook has put on the same kinds: what the two say may differ, so whoever keeps a filter
/// and compares it with a newer one goes on with the newer one.
pub(super) struct EventTest {
    pub(super) kinds: Kinds,
    /// Whose it is; absent where a filter is narrowed by nobody's hook.
    hook: Option<Arc<Hook>>,
    /// There until the end.
    test: Option<Box<TestCall>>,
}

impl EventTest {
    pub(super) fn new(kinds: Kinds, hook: Option<Arc<Hook>>, test: Box<TestCall>) -> Self {
        EventTest {
            kinds,
            hook,
            test: Some(test),
        }
    }

    /// Whether the event is of other kinds, or passes.
    pub(super) fn passes(&self, event: &Event) -> bool {
        if !self.kinds.contains(event.kind()) {
            return true;
        }
        let Some(test) = &self.test else {
            return false;
        };
        match &self.hook {
            Some(hook) => hook.passes(|| test(event)),
            None => panics::contain(|| test(event)) == Ok(true),
        }
    }

    fn owner_name(&self) -> &'static str {
        self.hook.as_ref().map_or("nobody", |hook| hook.owner.name)
    }
}

impl PartialEq for EventTest {
    fn eq(&self, other: &Self) -> bool {
        let hook = |test: &EventTest| test.hook.as_ref().map(Arc::as_ptr);
        self.kinds == other.kinds && hook(self) == hook(other)
    }
}

impl Eq for EventTest {}

impl Drop for EventTest {
    fn drop(&mut self) {
        // What the closure holds may panic when it goes, and the worker that has it is not to blame.
        let test = self.test.take();
        if panics::contain_as(self.owner_name(), || drop(test)).is_err()
            && let Some(hook) = &self.hook
        {
            hook.owner.count_fault("drop");
        }
    }
}

impl fmt::Debug for EventTest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EventTest({} of {})", self.kinds, self.owner_name())
    }
}
