//! What is on its way to the store, and when there is enough of it for a commit.
//!
//! A batch is due when nobody approaches any more, when it is full, or when those who approach have been waited for long
//! enough. Whoever brings one of the first two about wakes the writer; the third it sees by itself, at the end of a wait
//! that the first write begins. Invariant: a write waits for company no longer than that, whatever those who approach do.
//! The writes between the first and the last of a batch wake nobody, because on a busy machine that switch of threads
//! costs as much as storing the event. Unbounded in length, bounded by the byte budget whose permits travel with the
//! events.

use super::{Submission, WriterGone, weight};
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

const BATCH_EVENTS: usize = 2_048;
const BATCH_BYTES: usize = 8 * 1024 * 1024;

/// The queue between those who submit and the writer thread.
#[derive(Debug, Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    due: Condvar,
    times: Times,
}

/// How long the writer waits for what.
#[derive(Debug)]
struct Times {
    /// Writes are gathered at least so long while more of them approach, however little the last batch took to commit.
    shortest_gathering: Duration,
    /// And at most so long.
    longest_gathering: Duration,
    /// How often a writer without work asks whether to stop.
    look_up: Duration,
}

impl Default for Times {
    fn default() -> Self {
        Times {
            shortest_gathering: Duration::from_millis(2),
            longest_gathering: Duration::from_millis(50),
            look_up: Duration::from_millis(100),
        }
    }
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
    /// Adds a write; the writer hears of the first one, and when the batch is due.
    pub(super) fn push(&self, submission: Submission) -> Result<(), WriterGone> {
        let mut state = self.lock();
        if state.writer_is_gone {
            return Err(WriterGone);
        }
        let is_first = state.submissions.is_empty();
        if is_first {
            state.gathering_since = Some(Instant::now());
        }
        state.bytes += weight(&submission.write);
        state.submissions.push_back(submission);
        if is_first || state.approaching == 0 || state.is_full() {
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
        let mut state = self.lock();
        let times = &self.times;
        state.patience = last_commit.clamp(times.shortest_gathering, times.longest_gathering);
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
            let longest = state.time_to_gather().unwrap_or(times.look_up);
            (state, _) = self
                .due
                .wait_timeout(state, longest)
                .unwrap_or_else(PoisonError::into_inner);
            state.writer_waits = false;
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
        !self.submissions.is_empty()
            && (self.approaching == 0
                || self.is_full()
                || self.time_to_gather().is_some_and(|left| left.is_zero()))
    }

    /// How long the writes that are there still wait for those who approach; `None` where there are none.
    fn time_to_gather(&self) -> Option<Duration> {
        let since = self.gathering_since?;
        (!self.submissions.is_empty()).then(|| self.patience.saturating_sub(since.elapsed()))
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
