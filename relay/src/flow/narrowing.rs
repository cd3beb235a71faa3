//! Narrows what is open anew: after AUTH, when extensions or lists have changed, and where an extension says that what a
//! viewer may see has changed. Stored events are not sent again.
//!
//! Invariant: looks may take time and overlap; the one that was begun last decides. Who has but gained by a change loses
//! nothing by the look at it: what is refused now stays as it was.

use super::negentropy::close_touching;
use super::req;
use super::request::{self, Look};
use crate::access_changes::Touched;
use crate::extension::Verb;
use crate::fanout::SubKey;
use crate::filter::Filter;
use crate::reason::Reason;
use crate::session::{Session, Wait};
use crate::wire::SubId;
use futures_util::FutureExt as _;
use futures_util::future::join_all;
use std::rc::Rc;

/// Runs the `request` hooks of every subscription again, the async ones first, from what the client asked for.
pub(crate) fn narrow_again(session: &Rc<Session>) -> Option<Wait> {
    narrow_where(session, |_| Some(Refused::Closes))
}

/// What becomes of a subscription that is refused when it is looked at again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refused {
    Closes,
    Stays,
}

/// An extension says that what the viewer may see has changed: the same for the subscriptions whose own filters it touches,
/// while sets that are being reconciled are over if they have lost by it.
pub(crate) fn access_changed(session: &Rc<Session>, changes: &[&Touched]) {
    for changed in changes {
        session.staleness.tell(changed);
        if !changed.is_gain() {
            close_touching(session, changed);
        }
    }
    look_anew(session, changes.iter().copied().cloned());
}

/// Narrows the subscriptions that these touch, now or as soon as the look that is under way has ended.
pub(super) fn look_anew(session: &Rc<Session>, changes: impl IntoIterator<Item = Touched>) {
    for changed in changes {
        session.staleness.add(changed);
    }
    if session.staleness.begin_look()
        && let Some(mut wait) = look(session)
    {
        let session = session.clone();
        actix_rt::spawn(async move {
            loop {
                wait.await;
                match look(&session) {
                    Some(next) => wait = next,
                    None => return,
                }
            }
        });
    }
}

/// Narrows what is stale until something has to be waited for; nothing is stale where there is no wait.
fn look(session: &Rc<Session>) -> Option<Wait> {
    loop {
        let stale = session.staleness.take();
        if stale.is_empty() {
            return None;
        }
        let wait = narrow_where(session, |filters| {
            let touching = stale.iter().filter(|it| it.touches(filters));
            let is_loss = |it: &Touched| match it.is_gain() {
                true => Refused::Stays,
                false => Refused::Closes,
            };
            touching.map(is_loss).reduce(|one, other| match one {
                Refused::Closes => one,
                Refused::Stays => other,
            })
        });
        if wait.is_some() {
            return wait;
        }
    }
}

fn narrow_where(
    session: &Rc<Session>,
    wants: impl Fn(&[Filter]) -> Option<Refused>,
) -> Option<Wait> {
    let mut loadings = Vec::new();
    for (id, key, serial) in session.sub_keys() {
        let Some(original) = session.worker.original(key) else {
            continue;
        };
        let Some(refused) = wants(&original) else {
            continue;
        };
        match request::load(session, Verb::Req, &original, true) {
            None => {
                let look = Look::at(&original);
                install(session, &id, key, &original, look, refused);
            }
            Some(loading) => {
                let session = session.clone();
                loadings.push(async move {
                    let (look, loaded) = loading.await;
                    // Its id and its key may be another subscription's by now.
                    if !session.has_sub(&id, serial) {
                        return;
                    }
                    match loaded {
                        Ok(()) => install(&session, &id, key, &original, look, refused),
                        Err(reason) => close(&session, &id, key, &reason, look, refused),
                    }
                });
            }
        }
    }
    match loadings.is_empty() {
        true => None,
        false => Some(Box::pin(join_all(loadings).map(drop))),
    }
}

fn install(
    session: &Session,
    id: &SubId,
    key: SubKey,
    original: &[Filter],
    look: Look,
    refused: Refused,
) {
    match request::narrow(session, Verb::Req, original, look) {
        Ok(filters) => session.worker.reindex(key, filters, look),
        Err(reason) => close(session, id, key, &reason, look, refused),
    }
}

fn close(
    session: &Session,
    id: &SubId,
    key: SubKey,
    reason: &Reason,
    look: Look,
    refused: Refused,
) {
    if refused == Refused::Closes && !session.worker.was_looked_at_since(key, look) {
        req::refuse(session, id, reason);
    }
}
