//! What a test makes the store do wrong, and what holds its commits.
//!
//! Invariant: what fails has had no effect, and what is held has had none yet. Cursors and other rows that the relay keeps
//! for itself, and removals alone, are never counted, so that "the next one" means the same in every run, nor held: the
//! thread that writes would stand before the gate with them, and what a test waits for behind it.

use super::wait;
use crate::store::{StoreError, Write};
use std::collections::BTreeSet;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Why the store fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// There is no room.
    Full,
    /// It cannot be reached now.
    Unavailable,
}

impl Failure {
    fn error(self) -> StoreError {
        let why = "a test said so".to_owned();
        match self {
            Failure::Full => StoreError::Full(why),
            Failure::Unavailable => StoreError::Unavailable(why),
        }
    }
}

/// Makes the store of a [`TestRelay`](super::TestRelay) fail; cheap to clone. A new order of the same sort takes the place
/// of the one before.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    orders: Mutex<Orders>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Orders {
    commits: Countdown,
    rows: Countdown,
    cursors: Option<Failure>,
    queries: Countdown,
    reads: Option<Failure>,
    /// Numbers of those who hold the gate shut.
    holders: BTreeSet<u64>,
    next_holder: u64,
    /// Commits that stand before the gate.
    waiting: usize,
    /// Commits that count and went through.
    committed: u64,
    is_cut: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Countdown(Option<(usize, Failure)>);

impl Countdown {
    fn take(&mut self) -> Result<(), StoreError> {
        let Some((left, failure)) = self.0 else {
            return Ok(());
        };
        self.0 = (left > 1).then_some((left - 1, failure));
        Err(failure.error())
    }
}

impl Faults {
    /// The next `count` batches that hold an event fail; their events are answered `OK false error: ...`.
    pub fn fail_commits(&self, count: usize, failure: Failure) {
        self.orders().commits = countdown(count, failure);
    }

    /// The next `count` batches fail that hold a row of an extension (`kv_put`), events with them.
    pub fn fail_rows(&self, count: usize, failure: Failure) {
        self.orders().rows = countdown(count, failure);
    }

    /// Batches fail that save the place of a `stored` hook, events in the same batch with it, until [`Faults::heal`]: after the
    /// next start, pages come again. A hook that starts now does not begin.
    pub fn fail_cursors(&self, failure: Failure) {
        self.orders().cursors = Some(failure);
    }

    /// The next `count` pages fail that are read for REQ, COUNT or NEG-OPEN, or for a query of an extension.
    pub fn fail_queries(&self, count: usize, failure: Failure) {
        self.orders().queries = countdown(count, failure);
    }

    /// Every read fails, those of health checks and cursors too, until [`Faults::heal`].
    pub fn fail_reads(&self, failure: Failure) {
        self.orders().reads = Some(failure);
    }

    /// Nothing fails any more. What is held stays so.
    pub fn heal(&self) {
        let mut orders = self.orders();
        (orders.commits, orders.rows) = (Countdown::default(), Countdown::default());
        orders.queries = Countdown::default();
        (orders.cursors, orders.reads) = (None, None);
    }

    /// No batch with an event or a row of an extension is committed until the answer is dropped, and every other answer to the
    /// same. Reading goes on.
    pub fn hold_commits(&self) -> HeldCommits {
        let mut orders = self.orders();
        let holder = orders.next_holder;
        orders.next_holder += 1;
        orders.holders.insert(holder);
        drop(orders);
        HeldCommits(self.clone(), holder)
    }

    /// Batches with an event or a row of an extension that were committed since the relay was made, restarts included.
    pub fn committed(&self) -> u64 {
        self.orders().committed
    }

    /// Ends every commit that is under way, as the end of power would.
    pub(super) fn cut(&self) {
        let mut orders = self.orders();
        orders.is_cut = true;
        orders.holders.clear();
        self.inner.changed.notify_all();
    }

    /// For the next relay over the same store.
    pub(super) fn uncut(&self) {
        self.orders().is_cut = false;
    }

    pub(super) fn before_commit(&self, batch: &[Write]) -> Result<(), StoreError> {
        let mut orders = self.orders();
        if counts(batch) {
            orders.waiting += 1;
            while !orders.holders.is_empty() {
                let waited = self.inner.changed.wait(orders);
                orders = waited.unwrap_or_else(PoisonError::into_inner);
            }
            orders.waiting -= 1;
        }
        if orders.is_cut {
            return Err(Failure::Unavailable.error());
        }
        if let Some(failure) = orders.cursors.filter(|_| batch.iter().any(is_cursor)) {
            return Err(failure.error());
        }
        if batch.iter().any(has_event) {
            orders.commits.take()?;
        }
        if batch.iter().any(is_row_of_extension) {
            orders.rows.take()?;
        }
        Ok(())
    }

    pub(super) fn after_commit(&self, batch: &[Write]) {
        self.orders().committed += u64::from(counts(batch));
    }

    pub(super) fn before_read(&self) -> Result<(), StoreError> {
        match self.orders().reads {
            Some(failure) => Err(failure.error()),
            None => Ok(()),
        }
    }

    pub(super) fn before_query(&self) -> Result<(), StoreError> {
        self.before_read()?;
        self.orders().queries.take()
    }

    fn orders(&self) -> MutexGuard<'_, Orders> {
        let orders = self.inner.orders.lock();
        orders.unwrap_or_else(PoisonError::into_inner)
    }
}

fn countdown(count: usize, failure: Failure) -> Countdown {
    Countdown((count > 0).then_some((count, failure)))
}

/// Whether a batch is one that a test can tell of: not a cursor alone.
fn counts(batch: &[Write]) -> bool {
    batch
        .iter()
        .any(|write| has_event(write) || is_row_of_extension(write))
}

fn has_event(write: &Write) -> bool {
    write.event().is_some()
}

/// What the relay keeps for itself stands in spaces such as `name@stored` and `core/moderation`.
fn is_row_of_extension(write: &Write) -> bool {
    matches!(write, Write::Kv { extension, .. } if !extension.contains(['@', '/']))
}

/// The place of a `stored` hook in what was committed.
fn is_cursor(write: &Write) -> bool {
    matches!(write, Write::Kv { extension, .. } if extension.ends_with("@stored"))
}

/// Commits that wait until this is dropped.
#[derive(Debug)]
#[must_use = "dropped at once, it holds nothing"]
pub struct HeldCommits(Faults, u64);

impl HeldCommits {
    /// Waits until a commit is under way and stands here.
    pub async fn until_one_waits(&self) {
        wait::until("a commit is under way", async || {
            self.0.orders().waiting > 0
        })
        .await;
    }

    /// Lets them go on, as dropping does.
    pub fn release(self) {}
}

impl Drop for HeldCommits {
    fn drop(&mut self) {
        self.0.orders().holders.remove(&self.1);
        self.0.inner.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    fn row(extension: &str) -> Vec<Write> {
        vec![Write::Kv {
            extension: extension.to_owned(),
            key: vec![1],
            value: None,
        }]
    }

    #[test]
    fn e10_rows_of_the_relay_itself_are_not_counted() {
        let faults = Faults::default();
        for (space, committed) in [("toy@stored", 0), ("core/moderation", 0), ("toy", 1)] {
            faults.after_commit(&row(space));
            assert_eq!(faults.committed(), committed, "{space}");
        }
    }

    #[test]
    fn e10_rows_of_the_relay_itself_are_not_held() {
        let faults = Faults::default();
        let _held = faults.hold_commits();
        let (passed, passing) = channel();
        let gate = faults.clone();
        std::thread::spawn(move || passed.send(gate.before_commit(&row("toy@stored")).is_ok()));
        assert_eq!(passing.recv_timeout(wait::DEADLINE), Ok(true));
    }

    #[test]
    fn e10_places_in_what_was_committed_fail_until_healed() {
        let faults = Faults::default();
        faults.fail_cursors(Failure::Full);
        assert!(faults.before_commit(&row("toy@stored")).is_err());
        assert!(faults.before_commit(&row("toy@stored")).is_err());
        assert!(faults.before_commit(&row("toy")).is_ok());
        faults.heal();
        assert!(faults.before_commit(&row("toy@stored")).is_ok());
    }

    #[tokio::test]
    async fn e10_commits_are_held_until_the_last_holder_lets_go() {
        let faults = Faults::default();
        let (first, second) = (faults.hold_commits(), faults.hold_commits());
        first.release();
        let (passed, passing) = channel();
        let gate = faults.clone();
        std::thread::spawn(move || passed.send(gate.before_commit(&row("toy")).is_ok()));
        second.until_one_waits().await;
        assert!(passing.try_recv().is_err(), "the second holds it still");
        second.release();
        assert_eq!(passing.recv(), Ok(true));
    }
}
