//! Removes events whose expiration (NIP-40) has come, a few at a time, as the relay's clock says.
//!
//! `visibility` hides them from that second on; the sweeper gives their space back.

use crate::relay::Relay;
use crate::store::{Cause, Outcome, Write};
use crate::writer::{Origin, Submission};
use std::sync::Weak;
use std::time::Duration;

/// Removals in one batch, so that publishers do not wait for a sweep.
const CHUNK: usize = 256;
const PAUSE: Duration = Duration::from_secs(1);

/// Sweeps until the relay is gone.
pub(crate) async fn run(relay: Weak<Relay>) {
    loop {
        let Some(relay) = relay.upgrade().filter(|relay| !relay.is_stopping()) else {
            return;
        };
        if sweep(&relay).await < CHUNK {
            drop(relay);
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// One chunk; says how many events had expired and are gone.
async fn sweep(relay: &Relay) -> usize {
    let (store, now) = (relay.store.clone(), relay.clock.now_s());
    let expired = relay.readers.run(move || store.expired(now, CHUNK)).await;
    let expired = match expired {
        Ok(Ok(expired)) => expired,
        Ok(Err(error)) => {
            tracing::error!(%error, "expired events could not be listed");
            return 0;
        }
        Err(_) => return 0,
    };
    let found = expired.len();
    let mut done = None;
    for id in expired {
        let (reply, answer) = tokio::sync::oneshot::channel();
        done = Some(answer);
        let submission = Submission {
            write: Write::Remove(id, Cause::Expiry),
            origin: Origin::Internal(Some(reply)),
            permit: None,
        };
        if relay.writer.submit(submission).is_err() {
            return 0;
        }
    }
    // The last answer of the chunk; the next look must see its effect. Where the store cannot write now, the next look
    // would find the same events: better later.
    match done {
        Some(answer) => match answer.await {
            Ok(Outcome::Done) => found,
            _ => 0,
        },
        None => 0,
    }
}
