//! NEG-OPEN, NEG-MSG and NEG-CLOSE (NIP-77): which events of a filter only one side has.
//!
//! Invariant: the set is sealed at NEG-OPEN and holds only what `visibility` shows this viewer; before each answer the
//! filter is narrowed again, and where the viewer gets another answer now than then, it is over. Only ids leave this way.

use super::count::{Allowance, seen_by_headers};
use super::event::admissions_done;
use super::limits;
use super::query::{Query, Step};
use super::req::{Filters, PAGE, room, shows};
use super::request;
use crate::extension::Verb;
use crate::filter::Filter;
use crate::nips::nip77::{Flaw, ItemList, ItemShare, Malformed, check_any_version};
use crate::rate_limit::Action;
use crate::reason::Reason;
use crate::session::{Reconciliation, SealedItems, Session, Wait};
use crate::store::{Budget, Order, Position, Scan};
use crate::wire::{HexMessage, RelayMessage, SubId};
use serde_json::value::RawValue;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;
use tracing::Instrument as _;

/// Seals the set of a filter and answers the first message, or refuses with NEG-ERR.
pub fn open(
    session: &Rc<Session>,
    id: SubId,
    raw: &RawValue,
    message: HexMessage<'_>,
) -> Option<Wait> {
    session.remove_reconciliation(&id);
    let filters = request::read_filters(session, &[raw]);
    let checked = room_for_one(session)
        .and_then(|()| limits::check_filters(session, Action::Neg, &filters))
        .and_then(|()| read(message))
        .and_then(|message| Ok((filters?, message)));
    let (original, message) = match checked {
        Ok(checked) => checked,
        Err(reason) => {
            refuse(session, &id, &Refusal::from(reason));
            return None;
        }
    };
    let before = admissions_done(session);
    let span = tracing::debug_span!("query", session = session.number());
    let session = session.clone();
    // Like a count, it holds the connection up, so that a client asks for one set at a time.
    let sealing = async move {
        if let Some(before) = before {
            before.await;
        }
        match seal(&session, &original).await {
            Ok(reconciliation) => {
                session.add_reconciliation(id.clone(), reconciliation);
                answer(&session, &id, message).await;
            }
            Err(refusal) => refuse(&session, &id, &refusal),
        }
    };
    Some(Box::pin(sealing.instrument(span)))
}

/// Answers a further message.
pub fn go_on(session: &Rc<Session>, id: SubId, message: HexMessage<'_>) -> Option<Wait> {
    let message = match read(message) {
        Ok(message) => message,
        Err(reason) => {
            refuse(session, &id, &Refusal::from(reason));
            return None;
        }
    };
    let session = session.clone();
    Some(Box::pin(async move {
        answer(&session, &id, message).await;
    }))
}

/// Forgets a set; NIP-77 asks for no answer.
pub fn close(session: &Rc<Session>, id: &SubId) -> Option<Wait> {
    session.remove_reconciliation(id);
    None
}

/// Ends those of which nothing was heard for `negentropy.idle_timeout`.
pub(crate) fn close_idle(session: &Session) {
    if session.reconciliations() > 0 {
        let timeout = session.worker.config().negentropy.idle_timeout.duration();
        let reason = Reason::closed("nothing was heard for too long; open it again");
        end(session, session.take_reconciliations(Some(timeout)), reason);
    }
}

/// Ends all of them: what they were sealed by is no longer in force.
pub(crate) fn close_all(session: &Session) {
    let reason = Reason::closed("the rules of the relay have changed; open it again");
    end(session, session.take_reconciliations(None), reason);
}

fn end(session: &Session, ids: Vec<SubId>, reason: Reason) {
    let refusal = Refusal::from(reason);
    for id in ids {
        refuse(session, &id, &refusal);
    }
}

fn room_for_one(session: &Session) -> Result<(), Reason> {
    let config = session.worker.config();
    if config.negentropy_frame_bytes().is_none() {
        return Err(Reason::unsupported(
            "this relay does not reconcile (NIP-77)",
        ));
    }
    let max = config.negentropy.max_sessions as usize;
    if session.reconciliations() >= max {
        return Err(Reason::blocked(format!(
            "a connection may reconcile {max} sets at a time; close one first"
        )));
    }
    Ok(())
}

/// Cheap, so it comes before the store is asked.
fn read(message: HexMessage<'_>) -> Result<Vec<u8>, Reason> {
    let message = message.decode();
    let message = message
        .ok_or_else(|| Reason::invalid("the message must be a string of pairs of hex digits"))?;
    match check_any_version(&message) {
        Ok(()) => Ok(message),
        Err(Flaw::Version) => Err(Reason::invalid(
            "the message must begin with a version of the Negentropy protocol, 61 for version 1",
        )),
        Err(flaw) => Err(Reason::invalid(Malformed::from(flaw).to_string())),
    }
}

async fn answer(session: &Rc<Session>, id: &SubId, message: Vec<u8>) {
    match reconcile(session, id, message).await {
        Ok(answer) => {
            room(session, || session.closing().is_some()).await;
            session.send(RelayMessage::NegMsg(id, &answer));
        }
        Err(reason) => refuse(session, id, &Refusal::from(reason)),
    }
}

async fn reconcile(session: &Rc<Session>, id: &SubId, message: Vec<u8>) -> Result<Vec<u8>, Reason> {
    let open = session
        .reconciliation(id)
        .ok_or_else(|| Reason::closed("nothing is open under this id; send NEG-OPEN first"))?;
    if narrowed(session, &open.original).await? != open.filters {
        return Err(Reason::closed(
            "what you may see of this filter has changed; open it again",
        ));
    }
    let config = session.worker.config();
    let frame_bytes = config
        .negentropy_frame_bytes()
        .ok_or_else(|| Reason::closed("this relay no longer reconciles (NIP-77)"))?;
    // A message may make it look at every item, which is too much for a worker's thread.
    let readers = session.worker.relay.readers.clone();
    let work = move || open.items.list.answer(&message, frame_bytes);
    let answered = readers.run(work).await;
    answered
        .map_err(|_| Reason::error("the relay is too busy; try again later"))?
        .map_err(|error| Reason::invalid(error.to_string()))
}

async fn narrowed(session: &Rc<Session>, original: &Rc<[Filter]>) -> Result<Filters, Reason> {
    if let Some(loading) = request::load(session, Verb::Neg, original) {
        loading.await?;
    }
    request::narrow(session, Verb::Neg, original)
}

async fn seal(session: &Rc<Session>, original: &Rc<[Filter]>) -> Result<Reconciliation, Refusal> {
    let filters = narrowed(session, original).await?;
    let (generation, config) = (session.worker.hooks().generation(), session.worker.config());
    let mut gathered = Gathered::new(session);
    let mut clock = Allowance::new(session);
    match seen_by_headers(session, &filters[0]) {
        true => gather_headers(session, &filters, &mut gathered, &mut clock).await?,
        false => gather_visible(session, &filters, &mut gathered, &mut clock).await?,
    }
    let seconds = clock.spent.as_secs_f64();
    session
        .worker
        .relay
        .metrics
        .neg_open_seconds
        .record(seconds);
    let Gathered {
        positions, share, ..
    } = gathered;
    let readers = session.worker.relay.readers.clone();
    let sorted = readers.run(move || ItemList::new(positions)).await;
    let list = sorted.map_err(|_| Reason::error("the relay is too busy; try again later"))?;
    // What changes from here on finds it open and ends it.
    let unchanged = session.worker.hooks().generation() == generation
        && Arc::ptr_eq(&session.worker.config(), &config);
    if !unchanged {
        let reason = Reason::closed("the rules of the relay have changed; open it again");
        return Err(reason.into());
    }
    Ok(Reconciliation {
        original: original.clone(),
        filters,
        items: Arc::new(SealedItems { list, share }),
    })
}

/// Positions are short, so a page of them holds more than one of events.
const POSITIONS: Budget = Budget {
    events: usize::MAX,
    ..PAGE
};

/// Nobody guards the kinds: times and ids from the index, without bodies.
async fn gather_headers(
    session: &Session,
    filters: &Filters,
    gathered: &mut Gathered,
    clock: &mut Allowance,
) -> Result<(), Refusal> {
    let relay = session.worker.relay.clone();
    let mut left = filters[0].filter.limit.unwrap_or(usize::MAX);
    let mut resume = None;
    while left > 0 {
        let (filters, store) = (filters.clone(), relay.store.clone());
        let now = relay.clock.now_s();
        let read = move || {
            let started = Instant::now();
            let page = store.positions(&Scan {
                filter: &filters[0].filter,
                order: Order::NewestFirst,
                resume,
                max_row: u64::MAX,
                now,
                budget: Budget {
                    events: left,
                    ..POSITIONS
                },
            });
            (page, started.elapsed())
        };
        let page = clock.charge(relay.readers.run(read).await)?;
        left -= page.positions.len().min(left);
        gathered.extend(page.positions)?;
        if page.next.is_none() {
            return Ok(());
        }
        clock.check()?;
        resume = page.next;
    }
    Ok(())
}

/// Every event has to be asked about, so every event has to be read.
async fn gather_visible(
    session: &Session,
    filters: &Filters,
    gathered: &mut Gathered,
    clock: &mut Allowance,
) -> Result<(), Refusal> {
    let relay = session.worker.relay.clone();
    let limit = filters[0].filter.limit.unwrap_or(usize::MAX);
    let mut query = Query::new(filters.clone(), u64::MAX, |_| limit);
    loop {
        match query.step() {
            Step::Event(stored) => gathered.extend(vec![Position {
                created_at: stored.event.created_at(),
                id: *stored.event.id(),
            }])?,
            Step::End => return Ok(()),
            Step::Starving(index) => {
                let page = query.page(index, relay.clock.now_s(), PAGE);
                let store = relay.store.clone();
                let read = move || {
                    let started = Instant::now();
                    (page.read(&*store), started.elapsed())
                };
                let page = clock.charge(relay.readers.run(read).await)?;
                if page.next.is_some() {
                    clock.check()?;
                }
                query.feed(index, page, |stored| shows(session, stored));
            }
        }
    }
}

/// A set on its way to be sealed.
struct Gathered {
    positions: Vec<Position>,
    share: ItemShare,
    max_items: usize,
    max_in_all: usize,
}

impl Gathered {
    fn new(session: &Session) -> Self {
        let config = session.worker.config();
        Gathered {
            positions: Vec::new(),
            share: session.worker.relay.negentropy_items.share(),
            max_items: config.negentropy.max_items as usize,
            max_in_all: config.negentropy.max_items_in_all as usize,
        }
    }

    fn extend(&mut self, more: Vec<Position>) -> Result<(), Refusal> {
        if self.positions.len() + more.len() > self.max_items {
            return Err(Refusal {
                reason: Reason::blocked(format!(
                    "the filter asks for more than {} events; ask for less at once",
                    self.max_items
                )),
                max_items: Some(self.max_items as u64),
            });
        }
        if !self.share.grow(more.len(), self.max_in_all) {
            let reason = Reason::blocked("too much is being reconciled now; try again later");
            return Err(reason.into());
        }
        self.positions.extend(more);
        Ok(())
    }
}

/// What NEG-ERR says.
struct Refusal {
    reason: Reason,
    max_items: Option<u64>,
}

impl From<Reason> for Refusal {
    fn from(reason: Reason) -> Self {
        Refusal {
            reason,
            max_items: None,
        }
    }
}

/// NIP-77: after NEG-ERR the id is no longer open.
fn refuse(session: &Session, id: &SubId, refusal: &Refusal) {
    session.remove_reconciliation(id);
    session.send(RelayMessage::NegErr {
        id,
        reason: &refusal.reason,
        max_items: refusal.max_items,
    });
}
