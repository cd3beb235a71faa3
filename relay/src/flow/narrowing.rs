//! Narrows what is open anew: after AUTH, when extensions or lists have changed, and where an extension says that what a
//! viewer may see has changed. Stored events are not sent again.
//!
//! Invariant: looks may take time and overlap; the one that was begun last decides.

use super::negentropy::close_touching;
use super::req;
use super::request::{self, Look};
use crate::access_changes::touches;
use crate::extension::Verb;
use crate::fanout::SubKey;
use crate::filter::Filter;
use crate::kinds::Kinds;
use crate::reason::Reason;
use crate::session::{Session, Wait};
use crate::wire::SubId;
use futures_util::FutureExt as _;
use futures_util::future::join_all;
use std::rc::Rc;

/// Runs the `request` hooks of every subscription again, the async ones first, from what the client asked for.
pub(crate) fn narrow_again(session: &Rc<Session>) -> Option<Wait> {
    narrow_where(session, |_| true)
}

/// An extension says that what the viewer may see of these kinds has changed: the same for the subscriptions whose own
/// filters touch them, while sets that are being reconciled are over.
pub(crate) fn access_changed(session: &Rc<Session>, kinds: &Kinds) {
    session.staleness.count_change();
    close_touching(session, kinds);
    look_anew(session, kinds);
}

/// Narrows the subscriptions that touch these kinds, now or as soon as the look that is under way has ended.
pub(super) fn look_anew(session: &Rc<Session>, kinds: &Kinds) {
    if session.staleness.add(kinds)
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
    while let Some(kinds) = session.staleness.take() {
        let wait = narrow_where(session, |filters| touches(&kinds, filters));
        if wait.is_some() {
            return wait;
        }
    }
    None
}

fn narrow_where(session: &Rc<Session>, wants: impl Fn(&[Filter]) -> bool) -> Option<Wait> {
    let mut loadings = Vec::new();
    for (id, key, serial) in session.sub_keys() {
        let original = session.worker.original(key);
        let Some(original) = original.filter(|filters| wants(filters)) else {
            continue;
        };
        match request::load(session, Verb::Req, &original, true) {
            None => install(session, &id, key, &original, Look::at(&original)),
            Some(loading) => {
                let session = session.clone();
                loadings.push(async move {
                    let (look, loaded) = loading.await;
                    // Its id and its key may be another subscription's by now.
                    if !session.has_sub(&id, serial) {
                        return;
                    }
                    match loaded {
                        Ok(()) => install(&session, &id, key, &original, look),
                        Err(reason) => close(&session, &id, key, &reason, look),
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

fn install(session: &Session, id: &SubId, key: SubKey, original: &[Filter], look: Look) {
    match request::narrow(session, Verb::Req, original, look) {
        Ok(filters) => session.worker.reindex(key, filters, look),
        Err(reason) => close(session, id, key, &reason, look),
    }
}

fn close(session: &Session, id: &SubId, key: SubKey, reason: &Reason, look: Look) {
    if !session.worker.was_looked_at_since(key, look) {
        req::refuse(session, id, reason);
    }
}
