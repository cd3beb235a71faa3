//! How many files are on their way in, whichever instance of the server takes them in.
//!
//! Invariant: what has begun counts until it is dropped. How many may be is said by whoever begins one more.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Files on their way in. Clones count together.
#[derive(Clone, Debug, Default)]
pub(crate) struct UnderWay(Arc<AtomicUsize>);

/// One of them, until it is dropped.
#[derive(Debug)]
pub(super) struct Begun(UnderWay);

impl UnderWay {
    /// One more, if there are less than `max`.
    pub(super) fn begin(&self, max: usize) -> Option<Begun> {
        let more = |files: usize| (files < max).then_some(files + 1);
        let begun = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        begun.is_ok().then(|| Begun(self.clone()))
    }

    /// How many there are.
    #[cfg(test)]
    pub(super) fn files(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}
