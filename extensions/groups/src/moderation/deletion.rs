//! 9005 `delete-event` and 9008 `delete-group`.

use super::{Act, revoke, subgroups};
use crate::group::Group;
use crate::state::{Refusal, State};
use crate::tags;
use trellis_relay::extension::prelude::*;

/// An event deletes so many others.
const EVENTS_MAX: usize = 500;

/// Keeps events from coming back and has them removed; with the event that made it an invite is gone too. Moderation events
/// cannot be removed so, which is looked at where it is done.
pub(super) fn delete_events(act: Act<'_>, state: &mut State<'_>) -> Result<(), Refusal> {
    let events = tags::events(act.event)?;
    if !(1..=EVENTS_MAX).contains(&events.len()) {
        let text = format!("delete-event needs 1 to {EVENTS_MAX} e tags");
        return Err(Reason::invalid(text).into());
    }
    for event in &events {
        state.erase(act.id, event)?;
    }
    revoke(act.id, &events, state)?;
    let mut display = state.display(act.id)?;
    let pins_before = display.pins.len();
    let is_deleted = |value: &str| events.iter().any(|event| event.to_hex() == value);
    display.pins.retain(|pin| !is_deleted(&pin.value));
    if display.pins.len() < pins_before {
        state.set_display(act.id, &display)?;
    }
    Ok(())
}

/// Ends a group: its events are hidden at once and removed soon, and its id is not used again. Groups below it have no
/// parent from then on.
pub(super) fn delete_group(act: Act<'_>, state: &mut State<'_>) -> Result<(), Refusal> {
    if let Some(parent) = &act.group.parent {
        subgroups::forget_child(state, parent, act.id)?;
    }
    for child in state.display(act.id)?.children {
        if let Some(mut group) = state.group(&child)? {
            group.parent = None;
            state.set_group(&child, &group)?;
        }
    }
    end(act.id, state)
}

/// The group is gone. Of one whose events were removed there is nothing but this to fold.
pub(super) fn end(id: &str, state: &mut State<'_>) -> Result<(), Refusal> {
    let ended = Group {
        is_deleted: true,
        ..Group::default()
    };
    state.set_group(id, &ended)?;
    state.clear(id)
}
