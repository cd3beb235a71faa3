//! How many stored queries of one connection keep pages at once (`limitation.max_running_queries`).

use super::Session;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;

/// The right to keep pages of a stored query; dropping it lets another begin.
pub struct QuerySlot(Rc<Session>);

impl Drop for QuerySlot {
    fn drop(&mut self) {
        let running = &self.0.running_queries;
        running.set(running.get().saturating_sub(1));
        self.0.outbox().wake_room();
    }
}

impl Session {
    /// The right to keep pages of a stored query, where fewer than `limitation.max_running_queries` have it.
    pub fn query_slot(self: &Rc<Self>) -> Option<QuerySlot> {
        let max = self.worker.config().limitation.max_running_queries;
        let running = self.running_queries.get();
        if running >= max {
            return None;
        }
        self.running_queries.set(running + 1);
        Some(QuerySlot(self.clone()))
    }

    /// Waits for a slot, or for a sign that there is no use in waiting: then there is none.
    pub async fn wait_for_query_slot(self: &Rc<Self>) -> Option<QuerySlot> {
        let mut asked = false;
        poll_fn(|cx| match self.query_slot() {
            Some(slot) => Poll::Ready(Some(slot)),
            None if asked => Poll::Ready(None),
            None => {
                asked = true;
                self.outbox().wake_on_room(cx.waker());
                Poll::Pending
            }
        })
        .await
    }
}
