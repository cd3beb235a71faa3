//! From an event and the state to a decision: everything that touches a group comes through here, in the transaction that
//! stores it.
//!
//! Invariant: pure. The same event on the same rows gives the same answer and the same rows, whoever asks.

use crate::kinds::{self, JOIN, LEAVE};
use crate::rules::Rules;
use crate::state::{Refusal, State};
use crate::{joining, metadata, moderation, posting};
use trellis_relay::extension::prelude::*;

/// Judges an event and makes its changes to the state, which are to be dropped if it is refused.
pub(crate) fn judge(
    event: &Event,
    state: &mut State<'_>,
    rules: &Rules,
    now_s: u64,
) -> Result<(), Refusal> {
    match event.kind() {
        JOIN => joining::join(event, state, rules, now_s),
        LEAVE => joining::leave(event, state, rules),
        kind if kinds::is_moderation(kind) => {
            moderation::judge(event, state, rules, now_s)?;
            // A moderation event is part of what people see of the group, and may be referred to.
            match kind {
                kinds::DELETE_GROUP => Ok(()),
                _ => crate::previous::follow(event, &crate::tags::group(event)?, state, rules),
            }
        }
        kind if kinds::is_said_by_relay(kind) => metadata::may_be_said(event, state, rules),
        _ => posting::judge(event, state, rules),
    }
}

#[cfg(test)]
mod tests;
