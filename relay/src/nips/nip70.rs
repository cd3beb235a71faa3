//! NIP-70: an event with the tag `["-"]` is taken only from its authenticated author.

use crate::event::Event;
use crate::extension::Viewer;
use crate::reason::Reason;

/// Refuses a protected event that somebody else brings.
pub fn check(event: &Event, viewer: &Viewer) -> Result<(), Reason> {
    let protected = event.tags().any(|tag| tag.name() == "-");
    if !protected || viewer.is(event.pubkey()) {
        return Ok(());
    }
    let text = "this event may only be published by its author";
    Err(if viewer.pubkeys().is_empty() {
        Reason::auth_required(text)
    } else {
        Reason::restricted(text)
    })
}
