//! Everything else that is sent to a group: who may write it.

use crate::group::{Group, Standing};
use crate::kinds::DELETION;
use crate::rules::Rules;
use crate::state::{Refusal, State, Stray};
use crate::{late, previous, tags};
use trellis_relay::extension::prelude::*;

/// Judges an event by every group of ours that it names; the others are nobody's business here. For strangers a hidden group
/// is one of those others: what they send is stored, and is not the group's.
pub(crate) fn judge(
    event: &Event,
    state: &mut State<'_>,
    rules: &Rules,
    now_s: u64,
) -> Result<(), Refusal> {
    for id in tags::groups(event) {
        let Some(group) = state.group(&id)? else {
            continue;
        };
        let author = event.pubkey();
        let standing = match rules.is_above_groups(author) {
            true => Some(Standing::Member),
            false => state.standing(&id, author)?,
        };
        // Who waits for an answer has been let in.
        let is_stranger =
            group.is_hidden && standing.is_none() && state.request(&id, author)?.is_none();
        if !is_stranger {
            if group.is_hidden {
                state.set_stray(&id, event.id(), None)?;
            }
            take(event, &id, &group, standing, state, rules)?;
            continue;
        }
        let taken = match late::check(event, rules.late_window_s, now_s) {
            Ok(()) => take(event, &id, &group, standing, state, rules),
            Err(late) => Err(late.into()),
        };
        let is_kept_from_members = match taken {
            Ok(()) => false,
            Err(Refusal::No(_)) => true,
            Err(failure) => return Err(failure),
        };
        let stray = Stray {
            is_kept_from_members,
        };
        state.set_stray(&id, event.id(), Some(stray))?;
    }
    Ok(())
}

/// Whether the group takes the event.
fn take(
    event: &Event,
    id: &str,
    group: &Group,
    standing: Option<Standing>,
    state: &mut State<'_>,
    rules: &Rules,
) -> Result<(), Refusal> {
    may_write(group, standing, event.kind())?;
    if state.is_erased(id, event.id())? {
        let text = "a moderator has deleted this event from the group";
        return Err(Reason::blocked(text).into());
    }
    previous::follow(event, id, state, rules)
}

/// Whether somebody may write an event of this kind to the group.
pub(crate) fn may_write(
    group: &Group,
    standing: Option<Standing>,
    kind: u16,
) -> Result<(), Reason> {
    if group.is_deleted {
        return Err(Reason::blocked("this group was deleted by its admins"));
    }
    if standing == Some(Standing::Removed) {
        return Err(Reason::blocked("you were removed from this group"));
    }
    if group.is_restricted && standing != Some(Standing::Member) {
        return Err(Reason::restricted(
            "only members write to this group; ask to join it with kind 9021",
        ));
    }
    // What they wrote people may delete, whatever the group is for.
    let is_supported = |kinds: &Vec<u16>| kinds.binary_search(&kind).is_ok();
    match kind == DELETION || group.supported_kinds.as_ref().is_none_or(is_supported) {
        true => Ok(()),
        false => Err(Reason::blocked(format!(
            "kind {kind} is not among the kinds that this group supports"
        ))),
    }
}
