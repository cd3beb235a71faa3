//! Asks an instance how it is, without waiting for ever.
//!
//! Invariant: of one instance at most one health check is under way, on a thread of its extension; while it hangs, nobody
//! asks again. What it says too late is not heard: it tells how the extension was.

use super::compiled::Instance;
use super::hook::Owner;
use super::{Health, panics};
use crate::reason::presentable;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A check that takes longer is no answer.
const PATIENCE: Duration = Duration::from_secs(2);
const NO_ANSWER: &str = "its health check does not answer";

/// The health checks of one instance.
#[derive(Default)]
pub(super) struct Checkup {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// One that was late, and may have ended since.
    late: Option<Receiver<Option<Health>>>,
    /// Since the last answer in time. That it is slow is one fault, however often it is asked.
    is_slow: bool,
}

impl Checkup {
    /// Blocks for some seconds at most. Whoever asks while another waits, waits with them.
    pub(super) fn ask(&self, owner: &Owner, instance: &Arc<dyn Instance>) -> Health {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(late) = state.late.take()
            && late.try_recv() == Err(TryRecvError::Empty)
        {
            state.late = Some(late);
            return Health::Degraded(NO_ANSWER.to_owned());
        }
        let asked = start(owner, instance);
        let answer = asked.recv_timeout(PATIENCE);
        let was_slow = state.is_slow;
        state.is_slow = answer == Err(RecvTimeoutError::Timeout);
        let problem = match answer {
            Ok(Some(health)) => return fit(health),
            Ok(None) => {
                owner.count_fault("health");
                "its health check panicked"
            }
            Err(RecvTimeoutError::Disconnected) => "it is being stopped",
            Err(RecvTimeoutError::Timeout) => {
                state.late = Some(asked);
                if !was_slow {
                    owner.count_fault("health");
                    tracing::warn!(extension = owner.name, "{NO_ANSWER}");
                }
                NO_ANSWER
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
