//! What a test makes the store do wrong, and what holds its commits.
//!
//! Invariant: what fails has had no effect, and what is held has had none yet. Cursors and other rows that the relay keeps
//! for itself are never counted, so that "the next one" means the same in every run.

use super::wait;
use crate::store::{StoreError, Write};
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
    queries: Countdown,
    reads: Option<Failure>,
    is_held: bool,
    /// Commits that stand before the gate.
    waiting: usize,
    /// Commits that went through.
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
        orders.reads = None;
    }

    /// No commit goes through until the answer is dropped. Reading goes on.
    pub fn hold_commits(&self) -> HeldCommits {
        self.orders().is_held = true;
        HeldCommits(self.clone())
    }

    /// Batches that were committed since the relay was made, restarts included.
    pub fn committed(&self) -> u64 {
        self.orders().committed
    }

    /// Ends every commit that is under way, as the end of power would.
    pub(super) fn cut(&self) {
        let mut orders = self.orders();
        orders.is_cut = true;
        orders.is_held = false;
        self.inner.changed.notify_all();
    }

    /// For the next relay over the same store.
    pub(super) fn uncut(&self) {
        self.orders().is_cut = false;
    }

    pub(super) fn before_commit(&self, batch: &[Write]) -> Result<(), StoreError> {
        let mut orders = self.orders();
        orders.waiting += 1;
        while orders.is_held {
            let waited = self.inner.changed.wait(orders);
            orders = waited.unwrap_or_else(PoisonError::into_inner);
        }
        orders.waiting -= 1;
        if orders.is_cut {
            return Err(Failure::Unavailable.error());
        }
        if batch.iter().any(|write| write.event().is_some()) {
            orders.commits.take()?;
        }
        if batch.iter().any(is_row_of_extension) {
            orders.rows.take()?;
        }
        Ok(())
    }

    pub(super) fn after_commit(&self) {
        self.orders().committed += 1;
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

/// What the relay keeps for itself stands in spaces such as `name@stored` and `core/moderation`.
fn is_row_of_extension(write: &Write) -> bool {
    matches!(write, Write::Kv { extension, .. } if !extension.contains(['@', '/']))
}

/// Commits that wait until this is dropped.
#[derive(Debug)]
#[must_use = "dropped at once, it holds nothing"]
pub struct HeldCommits(Faults);

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
        self.0.orders().is_held = false;
        self.0.inner.changed.notify_all();
    }
}
