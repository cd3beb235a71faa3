//! Who may ask for what: a hook on REQ, COUNT and NEG-OPEN.
//!
//! It protects nothing, since `delivery` does. It tells clients why they would get nothing: who asks for private groups alone
//! is told to log in, or that they are no member. Of a hidden group nothing is said, not even this.

use crate::Groups;
use crate::delivery::is_for_members_of_private;
use crate::kinds::{CREATE_INVITE, DELETE_GROUP, JOIN, LEAVE};
use crate::watch::{self, Refused};
use trellis_relay::extension::prelude::*;

/// Registers the hook.
pub(crate) fn register(hooks: &mut Registrar<Groups>) {
    hooks.request(Kinds::all(), |me, viewer, _verb, filter| {
        let filter = filter.filter();
        Ok(match me.is_all_closed(filter, viewer) {
            false => Access::Allow,
            true => {
                watch::refused(Refused::Request);
                match viewer.is_authenticated() {
                    true => Reason::restricted("you are no member of this group"),
                    false => Reason::auth_required("only members read this group; log in"),
                }
                .into()
            }
        })
    });
}

impl Groups {
    /// Whether a filter asks for nothing but what groups keep from this viewer.
    fn is_all_closed(&self, filter: &Filter, viewer: &Viewer) -> bool {
        let (named, kinds) = (&filter.tags, filter.kinds.as_deref());
        let by_metadata =
            || kinds.is_some_and(|kinds| kinds.iter().all(|kind| is_for_members_of_private(*kind)));
        let ids = match (named.get(&b'h'), named.get(&b'd')) {
            (Some(ids), _) => ids,
            (None, Some(ids)) if by_metadata() => ids,
            _ => return false,
        };
        // What they have asked, and the answers, people may see without being members.
        let is_about_viewer = named.get(&b'p').is_some_and(|users| {
            let keys = viewer.pubkeys().iter();
            keys.map(PublicKey::to_hex).any(|key| users.contains(&key))
        });
        if is_about_viewer || may_be_own(filter, viewer) {
            return false;
        }
        let is_closed = |id: &String| {
            let closed = self.directory.look(id, |known| {
                let group = &known.group;
                let is_open = !group.is_private || group.is_hidden || group.is_deleted;
                !is_open && !self.directory.is_insider(id, known, viewer)
            });
            closed == Some(true)
        };
        !ids.is_empty() && ids.iter().all(is_closed)
    }
}

/// Whether a filter may be for what its viewer has sent and sees without being a member: it names them as the author, or
/// asks for nothing but requests.
fn may_be_own(filter: &Filter, viewer: &Viewer) -> bool {
    const SHOWN_TO_AUTHORS: [u16; 4] = [JOIN, LEAVE, CREATE_INVITE, DELETE_GROUP];
    let kinds = filter.kinds.as_deref();
    let may_be_shown = |kind: &u16| SHOWN_TO_AUTHORS.contains(kind);
    let is_request = |kind: &u16| [JOIN, LEAVE].contains(kind);
    match &filter.authors {
        Some(authors) => {
            let is_own = authors.iter().any(|author| viewer.is(author));
            is_own && kinds.is_none_or(|kinds| kinds.iter().any(may_be_shown))
        }
        None => {
            viewer.is_authenticated() && kinds.is_some_and(|kinds| kinds.iter().all(is_request))
        }
    }
}
