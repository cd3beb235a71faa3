//! Everything else that is sent to a group: who may write it.

use crate::group::{Group, Standing};
use crate::kinds::DELETION;
use crate::rules::Rules;
use crate::state::{Refusal, State};
use crate::{previous, tags};
use trellis_relay::extension::prelude::*;

/// Judges an event by every group of ours that it names; the others are nobody's business here.
pub(crate) fn judge(event: &Event, state: &mut State<'_>, rules: &Rules) -> Result<(), Refusal> {
    for id in tags::groups(event) {
        let Some(group) = state.group(&id)? else {
            continue;
        };
        let standing = match rules.is_above_groups(event.pubkey()) {
            true => Some(Standing::Member),
            false => state.standing(&id, event.pubkey())?,
        };
        may_write(&group, standing, event.kind())?;
        if state.is_erased(&id, event.id())? {
            let text = "a moderator has deleted this event from the group";
            return Err(Reason::blocked(text).into());
        }
        previous::follow(event, &id, state, rules)?;
    }
    Ok(())
}

/// What everybody is told who writes to a group that is gone.
pub(crate) fn deleted() -> Reason {
    Reason::blocked("this group was deleted by its admins")
}

/// Whether somebody may write an event of this kind to the group.
pub(crate) fn may_write(
    group: &Group,
    standing: Option<Standing>,
    kind: u16,
) -> Result<(), Reason> {
    if group.is_deleted {
        return Err(deleted());
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
