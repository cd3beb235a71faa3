//! What is on its way to the store, and when there is enough of it for a commit.
//!
//! Invariant: nothing waits for a timer. A batch is due when nobody approaches any more, when it is full, or when those
//! who approach have been waited for long enough; whoever makes it due wakes the writer, once a batch and not once a
//! write, because on a busy machine that switch of threads costs as much as storing the event. Unbounded in length,
//! bounded by the byte budget whose permits travel with the events.

use super::{Submission, WriterGone, weight};
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

const BATCH_EVENTS: usize = 2_048;
const BATCH_BYTES: usize = 8 * 1024 * 1024;

/// Writes are gathered at most so long while the writer is free and more of them approach.
const LONGEST_GATHERING: Duration = Duration::from_millis(50);
/// And at least so long, however little the last batch took to commit.
const SHORTEST_GATHERING: Duration = Duration::from_millis(2);

/// The queue between those who submit and the writer thread.
#[derive(Debug, Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    due: Condvar,
}

#[derive(Debug, Default)]
struct State {
    submissions: VecDeque<Submission>,
    bytes: usize,
    approaching: usize,
    /// Since when the first write waits for company rather than for the writer.
    gathering_since: Option<Instant>,
    patience: Duration,
    writer_waits: bool,
    writer_is_gone: bool,
}

impl Queue {
    /// Adds a write; the writer hears of it when the batch is due.
    pub(super) fn push(&self, submission: Submission) -> Result<(), WriterGone> {
        let mut state = self.lock();
        if state.writer_is_gone {
            return Err(WriterGone);
        }
        if state.submissions.is_empty() {
            state.gathering_since = Some(Instant::now());
        }
        state.bytes += weight(&submission.write);
        state.submissions.push_back(submission);
        if state.approaching == 0 || state.is_full() {
            self.wake_writer(state);
        }
        Ok(())
    }

    /// The writer's part: waits for a batch; `None` once it may stop and nothing is left. `last_commit` is how long the
    /// batch before took: gathering may take as long again, so that neither waits much for the other.
    pub(super) fn next_batch(
        &self,
        last_commit: Duration,
        may_stop: impl Fn() -> bool,
    ) -> Option<Vec<Submission>> {
        /// How often it is asked whether to stop.
        const LOOK_UP: Duration = Duration::from_millis(100);
        let mut state = self.lock();
        state.patience = last_commit.clamp(SHORTEST_GATHERING, LONGEST_GATHERING);
        // What came during the last commit did not wait for company.
        state.gathering_since = (!state.submissions.is_empty()).then(Instant::now);
        loop {
            if state.is_due() {
                return Some(state.take_batch());
            }
            if state.submissions.is_empty() && may_stop() {
                return None;
            }
            state.writer_waits = true;
            let (woken, timeout) = self
                .due
                .wait_timeout(state, LOOK_UP)
                .unwrap_or_else(PoisonError::into_inner);
            state = woken;
            state.writer_waits = false;
            if timeout.timed_out() && !state.submissions.is_empty() {
                return Some(state.take_batch());
            }
        }
    }

    /// Nothing is taken any more, and nobody is left waiting for an answer.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.writer_is_gone = true;
        let unanswered = std::mem::take(&mut state.submissions);
        drop(state);
        drop(unanswered);
    }

    fn wake_writer(&self, mut state: MutexGuard<'_, State>) {
        if std::mem::take(&mut state.writer_waits) {
            drop(state);
            self.due.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_full(&self) -> bool {
        self.submissions.len() >= BATCH_EVENTS || self.bytes >= BATCH_BYTES
    }

    fn is_due(&self) -> bool {
        let waited = || self.gathering_since.map(|since| since.elapsed());
        !self.submissions.is_empty()
            && (self.approaching == 0
                || self.is_full()
                || waited().is_some_and(|waited| waited >= self.patience))
    }

    fn take_batch(&mut self) -> Vec<Submission> {
        let mut bytes = 0;
        let full_at = self.submissions.iter().position(|submission| {
            bytes += weight(&submission.write);
            bytes >= BATCH_BYTES
        });
        let count = full_at.map_or(self.submissions.len(), |at| at + 1);
        let count = count.min(BATCH_EVENTS);
        let rest = self.submissions.split_off(count);
        let batch = std::mem::replace(&mut self.submissions, rest);
        let taken: usize = batch.iter().map(|taken| weight(&taken.write)).sum();
        self.bytes = self.bytes.saturating_sub(taken);
        batch.into()
    }
}

/// While it lives the writer expects more writes: their sender holds messages that it has yet to read.
#[derive(Debug)]
pub struct Approach(Arc<Queue>);

impl Approach {
    pub(super) fn begin(queue: &Arc<Queue>) -> Self {
        queue.lock().approaching += 1;
        Approach(queue.clone())
    }

    /// A pause in which others have their turn: a batch that was gathered for long enough goes to the store.
    pub fn pause(&self) {
        let state = self.0.lock();
        if state.writer_waits && state.is_due() {
            self.0.wake_writer(state);
        }
    }
}

impl Drop for Approach {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.approaching -= 1;
        if state.is_due() {
            self.0.wake_writer(state);
        }
    }
}

#[cfg(test)]
mod tests;
