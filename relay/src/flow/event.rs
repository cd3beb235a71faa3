//! EVENT from top to bottom: form and limits, known already?, id and signature, extensions, writer, OK.
//!
//! Invariant: cheap checks come before dear ones, and `OK true` is sent only after a durable commit; ephemeral events and
//! silent acceptance by an extension are the two exceptions.

mod admission;
mod check;

pub(crate) use admission::Admissions;
pub(super) use admission::admissions_done;

use crate::event::{Event, EventId, KindClass};
use crate::extension::{Admit, Viewer};
use crate::nips::nip62;
use crate::orders;
use crate::reason::Reason;
use crate::session::{Session, Wait};
use crate::store::Outcome;
use crate::wire::{Published, RelayMessage};
use crate::writer::{Origin, Submission, public_reason};
use std::rc::Rc;
use std::sync::Arc;
use tokio::sync::OwnedSemaphorePermit;

/// An event on its way, with everything the writer needs to know of its coming.
#[derive(Debug)]
pub(crate) struct Candidate {
    pub(crate) event: Arc<Event>,
    pub(crate) viewer: Arc<Viewer>,
    pub(crate) generation: u64,
    pub(crate) permit: OwnedSemaphorePermit,
}

/// Publishes one event. The answer follows when it is decided, which is after the commit for an event that is stored.
pub fn publish(session: &Rc<Session>, published: Published<'_>) -> Option<Wait> {
    let _span = tracing::debug_span!("publish", session = session.number()).entered();
    if let Some(room) = admission::room(session) {
        return Some(later(session, room, published));
    }
    let event = match check::check(session, published) {
        Ok(event) => Arc::new(event),
        Err(refusal) => {
            refusal.answer(session);
            return None;
        }
    };
    session.owe_answer();
    let budget = session.worker.relay.in_flight.clone();
    let permits = session.worker.relay.permits_for(&event);
    match budget.clone().try_acquire_many_owned(permits) {
        Ok(permit) => {
            admit(session, event, permit);
            None
        }
        Err(_) => {
            let session = session.clone();
            Some(Box::pin(async move {
                // The budget is never closed.
                if let Ok(permit) = budget.acquire_many_owned(permits).await {
                    admit(&session, event, permit);
                }
            }))
        }
    }
}

/// Publishes once there is room for one more event to be thought about.
fn later(session: &Rc<Session>, room: Wait, published: Published<'_>) -> Wait {
    let session = session.clone();
    let (read, unread) = match published {
        Published::Read(event) => (Some(event), None),
        Published::Unread(json) => (None, Some(json.to_owned())),
    };
    Box::pin(async move {
        room.await;
        let unread = unread.as_deref().map(Published::Unread);
        if let Some(published) = read.map(Published::Read).or(unread)
            && let Some(wait) = publish(&session, published)
        {
            wait.await;
        }
    })
}

/// Asks the extensions.
fn admit(session: &Rc<Session>, event: Arc<Event>, permit: OwnedSemaphorePermit) {
    let candidate = Candidate {
        viewer: session.viewer(),
        generation: 0,
        event,
        permit,
    };
    admit_again(session, candidate);
}

/// Asks the extensions in force now, whoever was asked before.
pub(crate) fn admit_again(session: &Rc<Session>, mut candidate: Candidate) {
    let hooks = session.worker.hooks();
    candidate.generation = hooks.generation();
    if candidate.event.kind() == nip62::KIND {
        // To vanish is everybody's right, so nobody is asked.
        return admission::settle(session, candidate, Admit::Accept);
    }
    let plan = hooks.plan(candidate.event.kind());
    match plan.admit(&candidate.event, &candidate.viewer) {
        Admit::Accept if plan.wants_async(&candidate.event, &candidate.viewer) => {
            admission::think(session, hooks.clone(), candidate);
        }
        verdict => admission::settle(session, candidate, verdict),
    }
}

/// What follows a verdict, in arrival order.
fn decide(session: &Rc<Session>, candidate: Candidate, verdict: Admit) {
    if !goes_to_writer(session, candidate, verdict) {
        session.gave_answer();
    }
}

/// Whether the writer has the event now, and its answer follows; else it is answered.
fn goes_to_writer(session: &Rc<Session>, candidate: Candidate, verdict: Admit) -> bool {
    let id = *candidate.event.id();
    if let (Admit::Accept, Err(reason)) = (&verdict, orders_now(session, &candidate.event)) {
        refuse(session, &id, &reason);
        return false;
    }
    match verdict {
        Admit::Accept if candidate.event.class() == KindClass::Ephemeral => {
            let fresh = session
                .worker
                .relay
                .send_ephemeral(&candidate.event, candidate.permit);
            let metrics = &session.worker.relay.metrics;
            match fresh {
                true => metrics.ephemeral.increment(1),
                false => metrics.duplicates.increment(1),
            }
            let repeated = Reason::duplicate("this event was sent on already");
            ok(session, &id, true, (!fresh).then_some(&repeated));
        }
        Admit::Accept => {
            let config = session.worker.config();
            let write = match nip62::write_for(candidate.event, config.network.relay_url.as_deref())
            {
                Ok(write) => write,
                Err(reason) => {
                    refuse(session, &id, &reason);
                    return false;
                }
            };
            let submission = Submission {
                write,
                origin: Origin::Session {
                    worker: session.worker.index,
                    session: session.id,
                    generation: candidate.generation,
                    viewer: candidate.viewer,
                },
                permit: Some(candidate.permit),
            };
            if session.worker.relay.writer.submit(submission).is_ok() {
                return true;
            }
            refuse(session, &id, &Reason::stopping());
        }
        Admit::Shadow => {
            metrics::counter!("trellis_events_accepted_total", "how" => "silent").increment(1);
            ok(session, &id, true, None);
        }
        Admit::Reject(reason) => refuse(session, &id, &reason),
    }
    false
}

/// What the operator decided while the extensions were thinking; whatever goes on to the store is asked there once more.
fn orders_now(session: &Session, event: &Event) -> Result<(), Reason> {
    let worker = &session.worker;
    let now_s = worker.relay.clock.now_s();
    orders::check(
        event,
        &worker.config().operation,
        &worker.moderation(),
        now_s,
    )
}

/// Tells the client what became of its event in the store.
pub(crate) fn answer(session: &Session, id: &EventId, outcome: &Outcome) {
    session.gave_answer();
    match outcome {
        Outcome::Stored(_) | Outcome::StoredThenRemoved | Outcome::Done => {
            session.worker.relay.metrics.stored.increment(1);
            ok(session, id, true, None);
        }
        Outcome::Duplicate => duplicate(session, id),
        refused => {
            let reason = public_reason(refused).unwrap_or_else(Reason::internal);
            refuse(session, id, &reason);
        }
    }
}

fn duplicate(session: &Session, id: &EventId) {
    session.worker.relay.metrics.duplicates.increment(1);
    let reason = Reason::duplicate("this event is stored already");
    ok(session, id, true, Some(&reason));
}

fn refuse(session: &Session, id: &EventId, reason: &Reason) {
    metrics::counter!("trellis_events_rejected_total", "reason" => reason.prefix.as_str())
        .increment(1);
    ok(session, id, false, Some(reason));
}

fn ok(session: &Session, id: &EventId, accepted: bool, reason: Option<&Reason>) {
    let prefix = reason.map(|reason| reason.prefix.as_str());
    tracing::debug!(session = session.number(), event = %id.to_hex(), accepted, prefix, "answered");
    session.send(RelayMessage::Ok {
        id,
        accepted,
        reason,
    });
}
