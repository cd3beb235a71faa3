//! NEG-OPEN, NEG-MSG and NEG-CLOSE (NIP-77): which events of a filter only one side has.
//!
//! Invariant: the set is sealed at NEG-OPEN and holds only what `visibility` shows this viewer; before each answer the
//! filter is narrowed again, and where the viewer gets another answer now than then, it is over. Only ids leave this way,
//! and each only where the viewer would be shown its event at that moment (`recheck`).

mod gather;
mod recheck;
mod seal;

use recheck::answer_of_what_is_seen;
use seal::seal;

use super::event::admissions_done;
use super::limits;
use super::req::{Filters, room};
use super::request;
use crate::access_changes::Touched;
use crate::extension::{Narrowed, Verb};
use crate::filter::Filter;
use crate::nips::nip77::{Flaw, Malformed, check_any_version};
use crate::rate_limit::Action;
use crate::reason::Reason;
use crate::session::{Reconciliation, Session, Wait};
use crate::wire::{HexMessage, RelayMessage, SubId};
use serde_json::value::RawValue;
use std::rc::Rc;
use std::sync::Arc;
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

/// Ends those of which nothing was heard for `negentropy.idle_timeout`, and those older than `negentropy.max_lifetime`.
pub(crate) fn close_idle(session: &Session) {
    if session.reconciliations() > 0 {
        let config = session.worker.config();
        let (idle, lifetime) = (
            config.negentropy.idle_timeout.duration(),
            config.negentropy.max_lifetime.duration(),
        );
        let idle = session.take_reconciliations(|age| age.quiet >= idle);
        let reason = Reason::closed("nothing was heard for too long; open it again");
        end(session, idle, reason);
        let old = session.take_reconciliations(|age| age.open >= lifetime);
        let reason = Reason::closed("it was open for too long; open it again, for less at once");
        end(session, old, reason);
    }
}

/// Ends all of them: what they were sealed by is no longer in force.
pub(crate) fn close_all(session: &Session) {
    let reason = Reason::closed("the rules of the relay have changed; open it again");
    end(session, session.take_reconciliations(|_| true), reason);
}

/// Ends those whose filter asks for what the viewer may see less of than before.
pub(super) fn close_touching(session: &Session, changed: &Touched) {
    let ids = session.take_reconciliations_of(|filters| changed.touches(filters));
    end(session, ids, access_changed());
}

fn access_changed() -> Reason {
    Reason::restricted("what you may see of this filter has changed; open it again")
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
    // First, so that what is found fit to be sent is sent at once.
    room(session, || session.closing().is_some()).await;
    let Some(open) = session.reconciliation(id) else {
        let reason = Reason::closed("nothing is open under this id; send NEG-OPEN first");
        return refuse(session, id, &Refusal::from(reason));
    };
    let answer = reconcile(session, &open, message).await;
    // What was closed meanwhile has had its last word.
    let is_open = session
        .reconciliation(id)
        .is_some_and(|now| Arc::ptr_eq(&now.items, &open.items));
    match answer {
        _ if !is_open => {}
        Ok(answer) => session.send(RelayMessage::NegMsg(id, &answer)),
        Err(refusal) => refuse(session, id, &refusal),
    }
}

async fn reconcile(
    session: &Rc<Session>,
    open: &Reconciliation,
    message: Vec<u8>,
) -> Result<Vec<u8>, Refusal> {
    // What the tests of the filters say, and what the set lacks because it could not be seen then, is looked up anew.
    let filters = narrowed(session, &open.original).await?;
    let is_within = |(then, now): (&Narrowed, &Narrowed)| then.is_within(now);
    if !open.filters.iter().zip(filters.iter()).all(is_within) {
        let reason = Reason::closed("what you may see of this filter has changed; open it again");
        return Err(reason.into());
    }
    let config = session.worker.config();
    let frame_bytes = config
        .negentropy_frame_bytes()
        .ok_or_else(|| Reason::closed("this relay no longer reconciles (NIP-77)"))?;
    answer_of_what_is_seen(session, open, &filters, message, frame_bytes).await
}

async fn narrowed(session: &Rc<Session>, original: &Rc<[Filter]>) -> Result<Filters, Reason> {
    let loading = request::load(session, Verb::Neg, original, false);
    let (look, loaded) = request::loaded(loading, original).await;
    loaded?;
    request::narrow(session, Verb::Neg, original, look)
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
