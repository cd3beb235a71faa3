//! The one thread that writes to the store: drain, commit, answer.
//!
//! Invariant: an answer leaves this thread only after the store said that the batch is durable.
//!
//! Not here: when a batch is complete (`queue`), what it does to the store (`store`), who hears of it (`answers`,
//! `worker`).

use crate::config::Config;
use crate::event::{Event, EventId};
use crate::extension::{Admit, CommitHooks, Hooks, Viewer};
use crate::moderation::Moderation;
use crate::orders;
use crate::reason::Reason;
use crate::relay::Relay;
use crate::store::{CommitPolicy, Outcome, Stored, Write};
use crate::worker::WorkerMessage;
use queue::Queue;
use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

mod answers;
mod queue;

pub(crate) use answers::public_reason;
pub use queue::Approach;

/// A write on its way to the store.
#[derive(Debug)]
pub struct Submission {
    /// What to do.
    pub write: Write,
    /// Who hears of it.
    pub origin: Origin,
    /// The share of the budget for events in flight; given back when the last worker has dropped the batch.
    pub permit: Option<OwnedSemaphorePermit>,
}

/// Who asked for a write.
#[derive(Debug)]
pub enum Origin {
    /// A client's EVENT.
    Session {
        /// The worker on which the session lives.
        worker: usize,
        /// The session.
        session: u64,
        /// The generation of hooks that admitted the event.
        generation: u64,
        /// Who published, for hooks that must be asked again.
        viewer: Arc<Viewer>,
    },
    /// A job of the operator, whose own lists hold for it as well; the mode does not.
    Operator(oneshot::Sender<Outcome>),
    /// The relay itself or an extension.
    Internal(Option<oneshot::Sender<Outcome>>),
}

/// What the writer committed at once, shared by all workers.
#[derive(Debug)]
pub struct Batch {
    /// New events in commit order, without those that a later write of the batch removed.
    pub events: Vec<Stored>,
    /// The last row that is committed.
    pub last_row: u64,
    /// Bytes of the events' JSON.
    pub bytes: usize,
    _permits: Vec<OwnedSemaphorePermit>,
}

/// An answer for a session.
#[derive(Debug)]
pub struct Ack {
    /// The session on the receiving worker.
    pub session: u64,
    /// The event.
    pub id: EventId,
    /// What became of it.
    pub outcome: Outcome,
}

/// The way to the writer thread.
#[derive(Debug)]
pub struct Writer {
    queue: Arc<Queue>,
    /// Held from where the operator's orders are read until what they allow is committed.
    committing: tokio::sync::Mutex<()>,
    dead: AtomicBool,
}

/// The receiving end, to be given to [`run`].
#[derive(Debug)]
pub struct WriterQueue(Arc<Queue>);

impl Drop for WriterQueue {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// The writer thread is gone, which only a fault of the store or the end of the process explains.
#[derive(Debug, thiserror::Error)]
#[error("the writer has stopped")]
pub struct WriterGone;

impl Writer {
    /// A handle and the queue that it fills.
    pub fn new() -> (Self, WriterQueue) {
        let queue = Arc::new(Queue::default());
        let writer = Writer {
            queue: queue.clone(),
            committing: tokio::sync::Mutex::default(),
            dead: AtomicBool::new(false),
        };
        (writer, WriterQueue(queue))
    }

    /// Says that writes may follow, so that the batch waits for them.
    pub fn approach(&self) -> Approach {
        Approach::begin(&self.queue)
    }

    /// Queues a write.
    pub fn submit(&self, submission: Submission) -> Result<(), WriterGone> {
        self.queue.push(submission)
    }

    /// Waits until no batch is under way that was judged by orders from before this call.
    pub(crate) async fn finish_batch(&self) {
        drop(self.committing.lock().await);
    }

    /// The same on a thread that may block.
    #[cfg(feature = "backup")]
    pub(crate) fn finish_batch_blocking(&self) {
        drop(self.committing.blocking_lock());
    }

    /// Notes that the relay cannot go on storing, for a reason outside the writer thread.
    pub(crate) fn declare_dead(&self) {
        self.dead.store(true, Ordering::Release);
    }

    /// Whether the thread ended though nobody asked it to.
    pub fn is_dead(&self) -> bool {
        self.dead.load(Ordering::Acquire)
    }
}

thread_local! {
    static IS_WRITER: Cell<bool> = const { Cell::new(false) };
}

/// Whether this is the writer thread, which must not wait for itself.
pub(crate) fn is_this_thread() -> bool {
    IS_WRITER.get()
}

/// The writer thread: ends when [`Relay::stop_writer`] was called and the queue is empty.
pub fn run(relay: &Relay, queue: WriterQueue) {
    struct Death<'r>(&'r Relay);
    impl Drop for Death<'_> {
        fn drop(&mut self) {
            self.0.writer.dead.store(true, Ordering::Release);
        }
    }
    let _death = Death(relay);
    IS_WRITER.set(true);
    let mut took = Duration::ZERO;
    while let Some(batch) = queue.0.next_batch(took, || relay.writer_may_stop()) {
        let began = Instant::now();
        commit(relay, batch);
        took = began.elapsed();
    }
}

/// Bytes of events that a batch holds by a write.
fn weight(write: &Write) -> usize {
    match write {
        Write::Put(event) | Write::Vanish(event) => event.json().len(),
        Write::Remove(..) | Write::EndVanishing(_) => 0,
        Write::Kv { key, value, .. } => key.len() + value.as_ref().map_or(0, Vec::len),
        Write::Append { entry, .. } => entry.len(),
    }
}

fn commit(relay: &Relay, submissions: Vec<Submission>) {
    // Not kept between batches, or a writer that waits would keep extensions alive that are off.
    let hooks = relay.hooks.load();
    let committing = relay.writer.committing.blocking_lock();
    let orders = Orders {
        moderation: relay.moderation(),
        config: relay.config(),
        now_s: relay.clock.now_s(),
    };
    let backup = relay.backup.get();
    let is_superseded = backup.is_some_and(|backup| backup.is_superseded());
    let mut batch = Vec::with_capacity(submissions.len());
    let mut answered: Vec<Option<Outcome>> = Vec::with_capacity(submissions.len());
    let mut writes = Vec::with_capacity(submissions.len());
    for submission in submissions {
        let readmitted = match is_superseded {
            true => Readmitted::Answer(Outcome::Refused(superseded())),
            false => readmit(&hooks, &orders, &submission),
        };
        let answer = match readmitted {
            Readmitted::Commit => None,
            Readmitted::Answer(outcome) => Some(outcome),
            Readmitted::AskAgain => {
                send_back(relay, submission);
                continue;
            }
        };
        if answer.is_none() {
            writes.push(submission.write.clone());
        }
        answered.push(answer);
        batch.push(submission);
    }
    let started = Instant::now();
    let hooks = CommitHooks(hooks);
    let commit = |policy: &dyn CommitPolicy| relay.store.commit(&writes, policy, orders.now_s);
    let result = match backup {
        Some(backup) => backup.noted().around(&writes, &hooks, commit),
        None => commit(&hooks),
    };
    drop(committing);
    relay.metrics.commit_events.record(writes.len() as f64);
    let took = started.elapsed();
    relay.metrics.commit_seconds.record(took.as_secs_f64());
    let took_us = took.as_micros() as u64;
    tracing::debug!(writes = writes.len(), took_us, "a batch was committed");
    let mut outcomes = match result {
        Ok(outcomes) => outcomes,
        Err(error) => {
            metrics::counter!("trellis_commit_failures_total").increment(1);
            tracing::error!(%error, events = writes.len(), "a batch could not be committed");
            let reason = answers::failure_reason(&error);
            vec![Outcome::Refused(reason); writes.len()]
        }
    }
    .into_iter();
    let outcomes: Vec<Outcome> = answered
        .into_iter()
        .map(|answer| {
            answer
                .or_else(|| outcomes.next())
                .unwrap_or_else(|| Outcome::Refused(Reason::internal()))
        })
        .collect();
    answers::publish(relay, batch, outcomes);
}

/// What anybody is told whose write would be lost: the store that counts is another relay's now.
fn superseded() -> Reason {
    Reason::error("another instance has taken over; connect again")
}

/// What the operator has ordered when a batch is begun.
struct Orders {
    moderation: Arc<Moderation>,
    config: Arc<Config>,
    now_s: u64,
}

impl Orders {
    fn check(&self, event: &Event) -> Result<(), Reason> {
        orders::check(event, &self.config.operation, &self.moderation, self.now_s)
    }
}

/// What becomes of an event that was admitted by hooks that may be out of force.
enum Readmitted {
    Commit,
    Answer(Outcome),
    /// Hooks that take their time have not been asked; they cannot be from here.
    AskAgain,
}

/// The operator's orders are asked again, and hooks where the tables changed between admission and commit, so that nothing
/// slips in behind their backs; hooks are not asked about who vanishes.
fn readmit(hooks: &Hooks, orders: &Orders, submission: &Submission) -> Readmitted {
    if let (Write::Put(event), Origin::Operator(_)) = (&submission.write, &submission.origin)
        && let Err(reason) = orders::check_lists(event, &orders.moderation)
    {
        return Readmitted::Answer(Outcome::Refused(reason));
    }
    if let (Write::Put(event), Origin::Operator(_)) = (&submission.write, &submission.origin)
        && hooks.plan(event.kind()).refuses_all()
    {
        // Who would have had a say in the commit is gone.
        return Readmitted::Answer(Outcome::Refused(Reason::stopping()));
    }
    let (
        Write::Put(event) | Write::Vanish(event),
        Origin::Session {
            generation, viewer, ..
        },
    ) = (&submission.write, &submission.origin)
    else {
        return Readmitted::Commit;
    };
    if let Err(reason) = orders.check(event) {
        return Readmitted::Answer(Outcome::Refused(reason));
    }
    if matches!(submission.write, Write::Vanish(_)) || *generation == hooks.generation() {
        return Readmitted::Commit;
    }
    let plan = hooks.plan(event.kind());
    if plan.wants_async(event, viewer) {
        return Readmitted::AskAgain;
    }
    match plan.admit(event, viewer) {
        Admit::Accept => Readmitted::Commit,
        Admit::Reject(reason) => Readmitted::Answer(Outcome::Refused(reason)),
        // OK, and nothing is stored.
        Admit::Shadow => Readmitted::Answer(Outcome::Done),
    }
}

/// Lets the worker of an event's session ask the extensions anew.
fn send_back(relay: &Relay, submission: Submission) {
    if let (
        Write::Put(event),
        Origin::Session {
            worker,
            session,
            viewer,
            ..
        },
        Some(permit),
    ) = (submission.write, submission.origin, submission.permit)
        && let Some(worker) = relay.workers().get(worker)
    {
        // A worker that has ended has no session left to be answered.
        let _ = worker.blocking_send(WorkerMessage::AskAgain {
            session,
            event,
            viewer,
            permit,
        });
    }
}
