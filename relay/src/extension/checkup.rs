//! Asks an instance how it is, without waiting for ever.
//!
//! Invariant: of one instance at most one health check is under way, on a thread of its extension; while it hangs, nobody
//! asks again.

use super::compiled::Instance;
use super::hook::Owner;
use super::{Health, panics};
use crate::reason::presentable;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A check that takes longer is no answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// The health checks of one instance.
#[derive(Default)]
pub(super) struct Checkup {
    late: Mutex<Option<Receiver<Option<Health>>>>,
}

impl Checkup {
    /// Blocks for some seconds at most. Whoever asks while another waits, waits with them.
    pub(super) fn ask(&self, owner: &Owner, instance: &Arc<dyn Instance>) -> Health {
        let mut late = self.late.lock().unwrap_or_else(PoisonError::into_inner);
        let (asked, patience) = match late.take() {
            Some(asked) => (asked, Duration::ZERO),
            None => (start(owner, instance), PATIENCE),
        };
        let problem = match asked.recv_timeout(patience) {
            Ok(Some(health)) => return fit(health),
            Ok(None) => {
                owner.count_fault("health");
                "its health check panicked"
            }
            Err(RecvTimeoutError::Disconnected) => "it is being stopped",
            Err(RecvTimeoutError::Timeout) => {
                *late = Some(asked);
                if !patience.is_zero() {
                    owner.count_fault("health");
                    tracing::warn!(extension = owner.name, "its health check does not answer");
                }
                "its health check does not answer"
            }
        };
        Health::Degraded(problem.to_owned())
    }
}

/// `None` comes for a check that panicked.
fn start(owner: &Owner, instance: &Arc<dyn Instance>) -> Receiver<Option<Health>> {
    let (answer, asked) = channel();
    let instance = instance.clone();
    owner.runtime.spawn_blocking(move || {
        // Nobody may be asking any more.
        let _ = answer.send(panics::contain(|| instance.health()).ok());
    });
    asked
}

/// Its words stand on a page and in the log.
fn fit(health: Health) -> Health {
    let fit = |text: String| presentable(text.into()).into_owned();
    match health {
        Health::Ok => Health::Ok,
        Health::Degraded(text) => Health::Degraded(fit(text)),
        Health::Down(text) => Health::Down(fit(text)),
    }
}
