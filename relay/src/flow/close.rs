//! CLOSE: the client no longer wants a subscription.

use crate::session::{Session, Wait};
use crate::wire::SubId;
use std::rc::Rc;

/// Ends a subscription and its stored query. NIP-01 asks for no answer, not even where there was none.
pub fn close(session: &Rc<Session>, id: &SubId) -> Option<Wait> {
    if let Some(wait) = super::event::admissions_done(session) {
        let (session, id) = (session.clone(), id.clone());
        return Some(Box::pin(async move {
            wait.await;
            end(&session, &id);
        }));
    }
    end(session, id);
    None
}

/// Forgets a subscription without a word.
pub(super) fn end(session: &Session, id: &SubId) {
    if let Some(key) = session.remove_sub(id) {
        session.worker.unsubscribe(key);
    }
    // A stored query that waits for room looks up and finds itself gone.
    session.outbox().wake_room();
}
