//! The one thread that writes to the store: drain, commit, answer.
//!
//! Invariant: an answer leaves this thread only after the store said that the batch is durable. A batch is committed when
//! no admitted event is on its way here, or when it is full; a lone publisher therefore never waits for a timer.
//!
//! Not here: what a batch does to the store (`store`), who hears of it (`answers`, `worker`).

use crate::config::Config;
use crate::event::{Event, EventId};
use crate::extension::{Admit, CommitHooks, Hooks, Local, Viewer};
use crate::moderation::Moderation;
use crate::orders;
use crate::reason::Reason;
use crate::relay::Relay;
use crate::store::{Outcome, Stored, Write};
use crate::worker::WorkerMessage;
use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

mod answers;

pub(crate) use answers::public_reason;

const BATCH_EVENTS: usize = 2_048;
const BATCH_BYTES: usize = 8 * 1024 * 1024;
const BATCH_TIME: Duration = Duration::from_millis(10);

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
    queue: Sender<Submission>,
    approaching: AtomicUsize,
    /// Held from where the operator's orders are read until what they allow is committed.
    committing: tokio::sync::Mutex<()>,
    dead: AtomicBool,
}

/// The receiving end, to be given to [`run`].
#[derive(Debug)]
pub struct WriterQueue(Receiver<Submission>);

/// The writer thread is gone, which only a fault of the store or the end of the process explains.
#[derive(Debug, thiserror::Error)]
#[error("the writer has stopped")]
pub struct WriterGone;

impl Writer {
    /// A handle and the queue that it fills.
    pub fn new() -> (Self, WriterQueue) {
        // Unbounded in length, bounded by the byte budget whose permits travel with the events.
        let (queue, receiver) = channel();
        let writer = Writer {
            queue,
            approaching: AtomicUsize::new(0),
            committing: tokio::sync::Mutex::default(),
            dead: AtomicBool::new(false),
        };
        (writer, WriterQueue(receiver))
    }

    /// Says that events may follow within this turn of a worker, so that the batch waits for them.
    pub fn approach(&self) -> Approach<'_> {
        self.approaching.fetch_add(1, Ordering::AcqRel);
        Approach(self)
    }

    /// Queues a write.
    pub fn submit(&self, submission: Submission) -> Result<(), WriterGone> {
        self.queue.send(submission).map_err(|_| WriterGone)
    }

    /// Waits until no batch is under way that was judged by orders from before this call.
    pub(crate) async fn finish_batch(&self) {
        drop(self.committing.lock().await);
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

/// While it lives the writer expects more events.
#[derive(Debug)]
pub struct Approach<'w>(&'w Writer);

impl Drop for Approach<'_> {
    fn drop(&mut self) {
        self.0.approaching.fetch_sub(1, Ordering::AcqRel);
    }
}

thread_local! {
    static IS_WRITER: Cell<bool> = const { Cell::new(false) };
}

/// Whether this is the writer thread, which must not wait for itself.
pub(crate) fn is_this_thread() -> bool {
    IS_WRITER.get()
}

/// The writer thread: ends when every handle is dropped or [`Relay::stop_writer`] was called and the queue is empty.
pub fn run(relay: &Relay, queue: WriterQueue) {
    struct Death<'r>(&'r Relay);
    impl Drop for Death<'_> {
        fn drop(&mut self) {
            self.0.writer.dead.store(true, Ordering::Release);
        }
    }
    let _death = Death(relay);
    IS_WRITER.set(true);
    let mut hooks = Local::new(relay.hooks.clone());
    while let Some(batch) = drain(relay, &queue.0) {
        commit(relay, &mut hooks, batch);
    }
}

/// Waits for a first write, then takes what comes until nothing more is on its way.
fn drain(relay: &Relay, queue: &Receiver<Submission>) -> Option<Vec<Submission>> {
    const LOOK_UP: Duration = Duration::from_millis(100);
    let first = loop {
        match queue.recv_timeout(LOOK_UP) {
            Ok(first) => break first,
            Err(RecvTimeoutError::Timeout) if relay.writer_may_stop() => return None,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return None,
        }
    };
    let started = Instant::now();
    let mut bytes = weight(&first.write);
    let mut batch = vec![first];
    while batch.len() < BATCH_EVENTS && bytes < BATCH_BYTES {
        let next = match queue.try_recv() {
            Ok(next) => next,
            Err(_) if relay.writer.approaching.load(Ordering::Acquire) == 0 => {
                // An event sent just before the count fell to zero is in the queue by now.
                match queue.try_recv() {
                    Ok(next) => next,
                    Err(_) => break,
                }
            }
            Err(_) => {
                let Some(left) = BATCH_TIME.checked_sub(started.elapsed()) else {
                    break;
                };
                match queue.recv_timeout(left.min(Duration::from_micros(200))) {
                    Ok(next) => next,
                    Err(_) => continue,
                }
            }
        };
        bytes += weight(&next.write);
        batch.push(next);
    }
    Some(batch)
}

fn weight(write: &Write) -> usize {
    match write {
        Write::Put(event) | Write::Vanish(event) => event.json().len(),
        Write::Remove(..) | Write::EndVanishing(_) => 0,
        Write::Kv { key, value, .. } => key.len() + value.as_ref().map_or(0, Vec::len),
    }
}

fn commit(relay: &Relay, hooks: &mut Local, submissions: Vec<Submission>) {
    let hooks = hooks.hooks().clone();
    let committing = relay.writer.committing.blocking_lock();
    let orders = Orders {
        moderation: relay.moderation(),
        config: relay.config(),
        now_s: relay.clock.now_s(),
    };
    let mut batch = Vec::with_capacity(submissions.len());
    let mut answered: Vec<Option<Outcome>> = Vec::with_capacity(submissions.len());
    let mut writes = Vec::with_capacity(submissions.len());
    for submission in submissions {
        let answer = match readmit(&hooks, &orders, &submission) {
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
    let result = relay
        .store
        .commit(&writes, &CommitHooks(hooks), orders.now_s);
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
    if plan.wants_async() {
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
