//! The two loops of a worker: its inbox, and its look at timeouts.

use super::{Worker, WorkerMessage};
use crate::flow;
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

/// Fine enough for timeouts of a second and more.
const TICK: std::time::Duration = std::time::Duration::from_millis(250);

/// Looks after timeouts: one timer a worker costs less than one a connection.
pub(super) async fn tick(worker: Weak<Worker>) {
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Some(worker) = worker.upgrade() else {
            return;
        };
        let config = worker.config();
        let mut outbox_bytes = 0;
        for session in worker.all_sessions() {
            session.tick(&config.network);
            outbox_bytes += session.outbox().pending().len();
            flow::negentropy::close_idle(&session);
        }
        worker.gauge_outboxes(outbox_bytes);
    }
}
