//! Calls a hook's asynchronous code, which runs on the extension's own runtime.
//!
//! Invariant: whoever waits is told within the timeout, and what runs on afterwards holds its permit.

use super::super::answer::Checked;
use super::super::panics::{self, Ended};
use super::{Answer, Fault, Hook};
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

impl Hook {
    /// Runs an author's future on the extension's own runtime, so that one that blocks its thread stalls no worker. The
    /// timeout bounds the wait for a permit, which ends in [`Fault::Busy`], and then the hook's own time.
    pub(in super::super) async fn run<R, F>(
        &self,
        timeout: Duration,
        call: impl FnOnce() -> F + Send + 'static,
    ) -> Result<R, Fault>
    where
        R: Checked + Send + 'static,
        F: Future<Output = Answer<R>> + Send + 'static,
    {
        let permits = Some(self.owner.permits.clone());
        self.run_with(permits, timeout, call).await
    }

    /// As [`Hook::run`], for what a hook may be waiting for itself: a permit of its own could be the one that it waits
    /// for.
    pub(in super::super) async fn run_nested<R, F>(
        &self,
        timeout: Duration,
        call: impl FnOnce() -> F + Send + 'static,
    ) -> Result<R, Fault>
    where
        R: Checked + Send + 'static,
        F: Future<Output = Answer<R>> + Send + 'static,
    {
        self.run_with(None, timeout, call).await
    }

    async fn run_with<R, F>(
        &self,
        permits: Option<Arc<Semaphore>>,
        timeout: Duration,
        call: impl FnOnce() -> F + Send + 'static,
    ) -> Result<R, Fault>
    where
        R: Checked + Send + 'static,
        F: Future<Output = Answer<R>> + Send + 'static,
    {
        if self.is_skipped() {
            return Err(Fault::Skipped);
        }
        let permit = match permits {
            None => None,
            Some(permits) => match tokio::time::timeout(timeout, permits.acquire_owned()).await {
                Ok(Ok(permit)) => Some(permit),
                // Closed, with its instance.
                Ok(Err(_)) => return Err(Fault::CutOff),
                Err(_) => return Err(self.busy()),
            },
        };
        // Others may have failed meanwhile.
        if self.is_skipped() {
            return Err(Fault::Skipped);
        }
        let mut task = AbortOnDrop(self.owner.runtime.spawn(async move {
            // The task holds the permit, not the waiter: one that blocks its thread goes on holding it.
            let _permit = permit;
            // Called here, since an author's function may panic before it returns its future.
            call().await
        }));
        self.calls.increment(1);
        let started = Instant::now();
        let ended = tokio::time::timeout(timeout, &mut task.0).await;
        self.seconds.record(started.elapsed().as_secs_f64());
        match ended.map(panics::joined) {
            Ok(Ok(answer)) => self.take(answer),
            // Which is no fault.
            Ok(Err(Ended::CutOff)) => Err(Fault::CutOff),
            Ok(Err(Ended::Panicked)) => Err(self.fault(Fault::Panicked)),
            Err(_) => Err(self.fault(Fault::TimedOut(timeout))),
        }
    }
}

/// Nobody waits any more: the task need not go on.
pub(in crate::extension) struct AbortOnDrop<T>(pub(in crate::extension) tokio::task::JoinHandle<T>);

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
