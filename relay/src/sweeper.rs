//! Removes what has to go, a few events at a time: expired ones (NIP-40), those of people who vanished (NIP-62), and what
//! the rules of retention give up.
//!
//! Invariant: a batch of the writer holds at most [`CHUNK`] of these removals, and after each chunk the sweeper rests for
//! as long as it took, so that publishers do not wait. Readers do not wait for it either: what has expired or vanished is
//! hidden from them already.

mod retention;
mod vanish;

use crate::relay::Relay;
use crate::store::{Cause, Outcome, Store, StoreError, Write};
use crate::writer::{Origin, Submission};
use retention::RetentionSweep;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;
use vanish::VanishSweep;

/// Removals in one batch.
const CHUNK: usize = 256;
/// How long to wait for more to do.
const PAUSE: Duration = Duration::from_secs(1);

/// Sweeps until the relay is gone.
pub(crate) async fn run(relay: Weak<Relay>) {
    let mut vanishing = VanishSweep::default();
    let mut retention = RetentionSweep::default();
    loop {
        let started = Instant::now();
        let more = {
            let Some(relay) = relay.upgrade().filter(|relay| !relay.is_stopping()) else {
                return;
            };
            let mut more = false;
            for swept in [
                expire(&relay).await,
                vanishing.step(&relay).await,
                retention.step(&relay).await,
            ] {
                match swept {
                    Ok(has_more) => more |= has_more,
                    Err(error) => tracing::error!(%error, "the sweep goes on later"),
                }
            }
            more
        };
        let rest = if more { started.elapsed() } else { PAUSE };
        tokio::time::sleep(rest.min(PAUSE)).await;
    }
}

/// Why a sweep has to be tried again later.
#[derive(Debug, thiserror::Error)]
enum SweepError {
    #[error("events to be removed could not be listed: {0}")]
    List(#[from] StoreError),
    #[error("the readers are busy")]
    Busy,
    #[error("removals were not committed")]
    NotCommitted,
}

/// One chunk of what has expired; says whether there may be more.
async fn expire(relay: &Relay) -> Result<bool, SweepError> {
    let now = relay.clock.now_s();
    let expired = list(relay, move |store| store.expired(now, CHUNK)).await?;
    let removals = expired.iter().map(|id| Write::Remove(*id, Cause::Expiry));
    commit(relay, removals.collect()).await?;
    Ok(expired.len() == CHUNK)
}

/// Reads on a thread that may block.
async fn list<T: Send + 'static>(
    relay: &Relay,
    read: impl FnOnce(&dyn Store) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, SweepError> {
    let store: Arc<dyn Store> = relay.store.clone();
    let listed = relay.readers.run(move || read(&*store)).await;
    Ok(listed.map_err(|_| SweepError::Busy)??)
}

/// Hands writes to the writer and waits until they are durable, so that the next look sees their effect.
async fn commit(relay: &Relay, writes: Vec<Write>) -> Result<(), SweepError> {
    let mut answers = Vec::with_capacity(writes.len());
    for write in writes {
        let (reply, answer) = oneshot::channel();
        let submission = Submission {
            write,
            origin: Origin::Internal(Some(reply)),
            permit: None,
        };
        let submitted = relay.writer.submit(submission);
        submitted.map_err(|_| SweepError::NotCommitted)?;
        answers.push(answer);
    }
    let mut failed = false;
    for answer in answers {
        failed |= !matches!(answer.await, Ok(Outcome::Done | Outcome::Kept));
    }
    match failed {
        true => Err(SweepError::NotCommitted),
        false => Ok(()),
    }
}
