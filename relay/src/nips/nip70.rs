//! NIP-70: an event with the tag `["-"]` is taken only from its authenticated author.

use crate::event::Event;
use crate::extension::Viewer;
use crate::reason::Reason;

/// Refuses a protected event that somebody else brings, and a repost (NIP-18) that embeds one.
pub fn check(event: &Event, viewer: &Viewer) -> Result<(), Reason> {
    if embeds_protected(event) {
        return Err(Reason::blocked(
            "the repost embeds an event that its author protects (NIP-70)",
        ));
    }
    if !event.is_protected() || viewer.is(event.pubkey()) {
        return Ok(());
    }
    let text = "this event may only be published by its author";
    Err(if viewer.pubkeys().is_empty() {
        Reason::auth_required(text)
    } else {
        Reason::restricted(text)
    })
}

/// Whether only its author may bring the event, or nobody: who holds it otherwise must neither take it nor pass it on.
pub fn is_protected(event: &Event) -> bool {
    event.is_protected() || embeds_protected(event)
}

fn embeds_protected(event: &Event) -> bool {
    // What is no event embeds none.
    matches!(event.kind(), 6 | 16)
        && Event::parse(event.content().as_bytes()).is_ok_and(|embedded| embedded.is_protected())
}
