//! Timeline references (NIP-29): a `previous` tag names events that its author has seen in the group, by the first eight
//! digits of their ids, so that a message cannot be taken into another relay's copy of the group.
//!
//! Invariant: what may be referred to is a row of fixed size, the newest events of the group; it changes in the transaction
//! of the event, so a message may refer to one that was stored a moment ago.

use crate::kinds::is_moderation;
use crate::rules::Rules;
use crate::state::{Refusal, State};
use trellis_relay::extension::prelude::*;

/// Bytes of an id that are remembered.
const PREFIX_BYTES: usize = 4;

/// Checks the references of an event and lets later ones refer to it.
pub(crate) fn follow(
    event: &Event,
    id: &str,
    state: &mut State<'_>,
    rules: &Rules,
) -> Result<(), Refusal> {
    if rules.timeline_events == 0 {
        return Ok(());
    }
    let mut timeline = state.timeline(id)?;
    if *event.pubkey() != rules.relay {
        check(event, &timeline, rules)?;
    }
    timeline.extend_from_slice(&event.id().as_bytes()[..PREFIX_BYTES]);
    let max_bytes = rules.timeline_events * PREFIX_BYTES;
    if timeline.len() > max_bytes {
        timeline.drain(..timeline.len() - max_bytes);
    }
    state.set_timeline(id, timeline)
}

fn check(event: &Event, timeline: &[u8], rules: &Rules) -> Result<(), Reason> {
    let tags = event.tags().filter(|tag| tag.name() == "previous");
    let mut references = 0;
    for reference in tags.flat_map(|tag| tag.items().skip(1)) {
        let Some(prefix) = prefix_of(&reference) else {
            return Err(Reason::invalid(format!(
                "previous: found {reference:?}, wanted the first 8 hex digits of an event id"
            )));
        };
        if !timeline.chunks_exact(PREFIX_BYTES).any(|it| it == prefix) {
            return Err(Reason::invalid(format!(
                "previous: {reference} is none of this group's last {} events here",
                rules.timeline_events
            )));
        }
        references += 1;
    }
    // Admins act from tools that show no messages.
    let wanted = match is_moderation(event.kind()) {
        true => 0,
        false => rules.min_previous.min(timeline.len() / PREFIX_BYTES),
    };
    match references >= wanted {
        true => Ok(()),
        false => Err(Reason::invalid(format!(
            "previous: found {references} references to events of this group, wanted {wanted}"
        ))),
    }
}

fn prefix_of(reference: &str) -> Option<[u8; PREFIX_BYTES]> {
    let is_hex = reference.len() == 2 * PREFIX_BYTES
        && reference.bytes().all(|byte| byte.is_ascii_hexdigit());
    let number = is_hex.then(|| u32::from_str_radix(reference, 16).ok());
    number.flatten().map(u32::to_be_bytes)
}
