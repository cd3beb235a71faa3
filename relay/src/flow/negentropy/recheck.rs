//! Answers that tell only of what the viewer would be shown now, however long ago the set was sealed.
//!
//! Events are deleted, replaced, banned or expire, their authors vanish, and extensions change their minds, all without a
//! word to those who hold a set. So what an answer tells of is looked up once more, and what is hidden by now is dropped
//! from the set for good.
//!
//! Invariant: no id, nor a part of one in a bound, leaves in an answer unless `visibility` shows its event, or the message
//! itself has the bound. Fingerprints are of the set as it is, which may still hold what nobody was told of since.

use super::Refusal;
use super::gather::gather;
use crate::event::EventId;
use crate::flow::count::Allowance;
use crate::flow::req::Filters;
use crate::reason::Reason;
use crate::session::{Reconciliation, Session};
use crate::store::Position;
use std::collections::HashSet;
use std::sync::Arc;

/// An answer is made again without what is hidden at most so often. Each time tells of fewer items that are new to it,
/// unless a large part of the set is gone.
const MOST_ANSWERS: usize = 8;

/// Ids that are looked up at once; finding them takes about as long as a page may.
const LOOK_UP: usize = 512;

/// The answer to a message, at most `frame_bytes` long; the filters are those of the set as they are now.
pub(super) async fn answer_of_what_is_seen(
    session: &Session,
    open: &Reconciliation,
    filters: &Filters,
    message: Vec<u8>,
    frame_bytes: usize,
) -> Result<Vec<u8>, Refusal> {
    // A message may make it look at every item, which is too much for a worker's thread.
    let readers = session.worker.relay.readers.clone();
    let message: Arc<[u8]> = message.into();
    let mut clock = Allowance::new(session);
    let mut seen = HashSet::new();
    let mut hidden = HashSet::new();
    for _ in 0..MOST_ANSWERS {
        let (items, message) = (open.items.clone(), message.clone());
        let work = move || items.answer_without(&hidden, &message, frame_bytes);
        let answered = readers.run(work).await;
        let (answer, told) = answered
            .map_err(|_| Reason::error("the relay is too busy; try again later"))?
            .map_err(|error| Reason::invalid(error.to_string()))?;
        let unsure: Vec<EventId> = told.difference(&seen).copied().collect();
        for ids in unsure.chunks(LOOK_UP) {
            look_up(session, filters, ids, &mut seen, &mut clock).await?;
        }
        hidden = unsure.into_iter().filter(|id| !seen.contains(id)).collect();
        if hidden.is_empty() {
            return Ok(answer);
        }
    }
    Err(Reason::closed("much of this set is no longer there; open it again").into())
}

/// Adds those of the ids whose events the viewer is shown now.
async fn look_up(
    session: &Session,
    filters: &Filters,
    ids: &[EventId],
    seen: &mut HashSet<EventId>,
    clock: &mut Allowance,
) -> Result<(), Refusal> {
    clock.check()?;
    let mut narrowed = filters[0].clone();
    narrowed.filter.ids = Some(ids.to_vec());
    // What was within the limit at the time of sealing stays.
    narrowed.filter.limit = None;
    narrowed.filter.normalize();
    let mut take = |found: Vec<_>| {
        seen.extend(found.into_iter().map(|position: Position| position.id));
        Ok(())
    };
    gather(session, &Filters::from([narrowed]), &mut take, clock).await
}
