//! Who hears of a batch once the store has answered for it, and in which words.

use super::{Ack, Batch, Origin, Submission};
use crate::reason::Reason;
use crate::relay::Relay;
use crate::store::{Outcome, StoreError, Stored, Write};
use crate::worker::WorkerMessage;
use std::sync::Arc;

/// The batch to every worker, then each its answers: a client that was told OK finds its event whatever worker it asks,
/// because a worker looks into its inbox before it reads the store.
pub(super) fn publish(relay: &Relay, batch: Vec<Submission>, outcomes: Vec<Outcome>) {
    let events: Vec<Stored> = outcomes
        .iter()
        .filter_map(|outcome| match outcome {
            Outcome::Stored(stored) => Some(stored.clone()),
            _ => None,
        })
        .collect();
    let committed = events.iter().map(|stored| stored.row).max();
    let last_row = relay.store.last_row().ok().max(committed);
    let workers = relay.workers();
    let mut acks: Vec<Vec<Ack>> = workers.iter().map(|_| Vec::new()).collect();
    let mut permits = Vec::new();
    for (submission, outcome) in batch.into_iter().zip(outcomes) {
        permits.extend(submission.permit);
        count_removal(&submission.write, &outcome);
        match (submission.origin, submission.write) {
            (
                Origin::Session {
                    worker, session, ..
                },
                Write::Put(event) | Write::Vanish(event),
            ) => {
                if let Some(acks) = acks.get_mut(worker) {
                    let id = *event.id();
                    acks.push(Ack {
                        session,
                        id,
                        outcome,
                    });
                }
            }
            (Origin::Internal(Some(reply)) | Origin::Operator(reply), _) => {
                // Whoever asked may have gone.
                let _ = reply.send(outcome);
            }
            _ => {}
        }
    }
    let batch = Arc::new(Batch {
        bytes: events.iter().map(|s| s.event.json().len()).sum(),
        events,
        last_row: last_row.unwrap_or(0),
        _permits: permits,
    });
    // A full inbox holds the writer up, which is the wanted back-pressure; a closed one is a worker that ended.
    if !batch.events.is_empty() {
        for worker in workers.iter() {
            let _ = worker.blocking_send(WorkerMessage::Committed(batch.clone()));
        }
    }
    for (worker, acks) in workers.iter().zip(acks) {
        if !acks.is_empty() {
            let _ = worker.blocking_send(WorkerMessage::Answered(acks));
        }
    }
    if let Some(row) = last_row {
        relay.extensions.committed(row);
    }
}

fn count_removal(write: &Write, outcome: &Outcome) {
    if let (Write::Remove(_, cause), Outcome::Done) = (write, outcome) {
        metrics::counter!("trellis_removals_total", "cause" => cause.label()).increment(1);
    }
}

/// What clients may know of an event that was not stored.
pub(crate) fn public_reason(outcome: &Outcome) -> Option<Reason> {
    match outcome {
        Outcome::Superseded => Some(Reason::duplicate("a newer version of this event is stored")),
        Outcome::Deleted => Some(Reason::blocked(
            "deleted at its author's or recipient's request (NIP-09)",
        )),
        Outcome::Vanished => Some(Reason::blocked(
            "its author, or the recipient of the gift wrap, has vanished from this relay (NIP-62)",
        )),
        Outcome::Refused(reason) => Some(reason.clone()),
        _ => None,
    }
}

/// What clients may know of a failed commit.
pub(super) fn failure_reason(error: &StoreError) -> Reason {
    match error {
        StoreError::Full(_) => Reason::error("the store is full; nothing was stored"),
        _ => Reason::error("the event could not be stored; try again later"),
    }
}
