//! Requests of users (NIP-29): 9021 to join, 9022 to leave.
//!
//! Invariant: a request changes nobody's standing. It is noted with the event, and the relay answers it with a moderation
//! event of its own, a put-user or a remove-user that names the request, so that the state follows from moderation events
//! alone. Not here: giving that answer (`answering`).

use crate::group::Standing;
use crate::moderation::{
    code_sha256, full, keepers, last_keeper, living, must_have_room, no_such_group,
};
use crate::rules::Rules;
use crate::state::{Refusal, State};
use crate::tags;
use trellis_relay::extension::prelude::*;

/// May the author join?
pub(crate) fn join(
    event: &Event,
    state: &mut State<'_>,
    rules: &Rules,
    now_s: u64,
) -> Result<(), Refusal> {
    let id = tags::group(event)?;
    let group = living(state, &id)?;
    let standing = state.standing(&id, event.pubkey())?;
    if standing == Some(Standing::Member) {
        return Err(Reason::duplicate("you are a member of this group already").into());
    }
    let code = event.first_tag_value("code").map(|code| code_sha256(&code));
    let removed_at_s = state.removed_at_s(&id, event.pubkey())?;
    let is_invited = match &code {
        Some(code) => state.invites(&id)?.iter().any(|invite| {
            let is_meant = invite.made_at_s >= removed_at_s;
            invite.code_sha256 == *code && invite.is_good_at(now_s) && is_meant
        }),
        None => false,
    };
    let is_above = rules.is_above_groups(event.pubkey());
    if group.is_hidden && !is_invited && !is_above {
        return Err(no_such_group().into());
    }
    let needs_invite = group.is_closed || standing == Some(Standing::Removed);
    if needs_invite && !is_invited && !is_above {
        let text = match (&code, standing) {
            (Some(_), _) => "this invite is not good, or not any more; ask an admin for another",
            (None, Some(_)) => "you were removed from this group; only an invite lets you in again",
            (None, None) => "this group is closed; ask one of its admins for an invite",
        };
        return Err(Reason::restricted(text).into());
    }
    if group.members >= rules.max_members {
        return Err(full().into());
    }
    if standing.is_none() {
        must_have_room(1, rules.max_users, group.founder.as_ref(), state, rules)?;
    }
    state.set_request(&id, event.pubkey(), Some(event.id()))
}

/// May the author leave? Everybody may but the last one who can add users.
pub(crate) fn leave(event: &Event, state: &mut State<'_>, rules: &Rules) -> Result<(), Refusal> {
    let id = tags::group(event)?;
    let group = living(state, &id)?;
    if state.standing(&id, event.pubkey())? != Some(Standing::Member) {
        let reason = match group.is_hidden && !rules.is_above_groups(event.pubkey()) {
            true => no_such_group(),
            false => Reason::invalid("you are no member of this group"),
        };
        return Err(reason.into());
    }
    let mut staff = state.staff(&id)?;
    let before = keepers(&staff, rules);
    staff.remove(event.pubkey());
    if before > 0 && keepers(&staff, rules) == 0 {
        return Err(last_keeper().into());
    }
    state.set_request(&id, event.pubkey(), Some(event.id()))
}
