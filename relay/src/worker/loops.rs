//! The two loops of a worker: its inbox, and its look at timeouts.

use super::{Worker, WorkerMessage};
use crate::config::Network;
use crate::flow;
use crate::session::SessionId;
use std::future::poll_fn;
use std::rc::Weak;
use std::task::Poll;

/// Takes messages as they come; several that wait are handled in one go, so that each client's socket is written once.
pub(super) async fn listen(worker: Weak<Worker>) {
    /// A worker that no longer takes from its inbox would hold the writer up for ever.
    struct Fatal(Weak<Worker>);
    impl Drop for Fatal {
        fn drop(&mut self) {
            if std::thread::panicking()
                && let Some(worker) = self.0.upgrade()
            {
                worker.relay.writer.declare_dead();
            }
        }
    }
    let _fatal = Fatal(worker.clone());
    let mut bytes = 0;
    loop {
        let message = poll_fn(|cx| match worker.upgrade() {
            Some(worker) => worker.inbox.borrow_mut().poll_recv(cx),
            None => Poll::Ready(None),
        });
        let (Some(message), Some(worker)) = (message.await, worker.upgrade()) else {
            return;
        };
        bytes += match &message {
            WorkerMessage::Committed(batch) => batch.bytes,
            WorkerMessage::Ephemeral(event, _) => event.json().len(),
            _ => 0,
        };
        worker.handle(message);
        while worker.fan_out() {
            tokio::task::yield_now().await;
        }
        if bytes > STEP_BYTES {
            bytes = 0;
            tokio::task::yield_now().await;
        }
    }
}

/// Bytes of events that are fanned out before the fronts may write.
pub(super) const STEP_BYTES: usize = 128 * 1024;

/// Between two looks, each at a share of the sessions.
const TICK: std::time::Duration = std::time::Duration::from_millis(250);
/// Sessions are looked at once in so many ticks where no timeout is so short that it matters: thousands that are idle cost
/// little then.
const SHARES: usize = 4;
const LEAST_MARGIN: std::time::Duration = std::time::Duration::from_secs(5);

/// Looks after timeouts: one timer a worker costs less than one a connection.
pub(super) async fn tick(worker: Weak<Worker>) {
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut outbox_bytes = [0; SHARES];
    let mut share = 0;
    loop {
        ticks.tick().await;
        let Some(worker) = worker.upgrade() else {
            return;
        };
        let config = worker.config();
        let is_exact = wants_exact_looks(&config.network);
        let is_due = |of: usize| is_exact || of == share;
        let share_of = |id: SessionId| (id % SHARES as u64) as usize;
        for (of, bytes) in outbox_bytes.iter_mut().enumerate() {
            if is_due(of) {
                *bytes = 0;
            }
        }
        for session in worker.sessions_where(|id| is_due(share_of(id))) {
            session.tick(&config.network);
            outbox_bytes[share_of(session.id)] += session.outbox().waiting_bytes();
            flow::negentropy::close_idle(&session);
        }
        worker.gauge_outboxes(outbox_bytes.iter().sum());
        share = (share + 1) % SHARES;
    }
}

/// Whether some time is so short that a look at every few ticks would come late: who does not answer is pinged after one
/// time and dropped after another, and what lies between them counts as well.
fn wants_exact_looks(network: &Network) -> bool {
    let ping = network.ping_interval.duration();
    let margin = network.idle_timeout.duration().saturating_sub(ping);
    let shortest = ping.min(margin).min(network.write_timeout.duration());
    shortest < LEAST_MARGIN
}
