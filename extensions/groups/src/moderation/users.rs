//! 9000 `put-user` and 9001 `remove-user`.

use super::{Act, keepers, must_have_room};
use crate::group::{Staff, Standing};
use crate::state::{Refusal, State};
use crate::tags;
use trellis_relay::extension::prelude::*;

/// A user has so many roles, of so many bytes each.
const ROLES_MAX: usize = 16;
const ROLE_BYTES_MAX: usize = 64;
/// The roles of all users of a group are one row, of so many bytes.
const STAFF_BYTES_MAX: usize = 256 * 1024;

/// Adds users, or replaces the roles of those who are there.
pub(super) fn put(mut act: Act<'_>, state: &mut State<'_>) -> Result<(), Refusal> {
    let users = tags::users(act.event)?;
    answers_in_time(&act, &users, state)?;
    let staff_before = state.staff(act.id)?;
    let mut staff = staff_before.clone();
    let keepers_before = keepers(&staff, act.rules);
    let mut new_users = 0;
    for (user, roles) in users {
        let roles = checked(roles, &act)?;
        must_outrank(&act, &staff, &user, &roles)?;
        let before = state.standing(act.id, &user)?;
        act.group.members += usize::from(before != Some(Standing::Member));
        act.group.removed = act
            .group
            .removed
            .saturating_sub(usize::from(before == Some(Standing::Removed)));
        if act.group.members > act.rules.max_members && before != Some(Standing::Member) {
            return Err(full().into());
        }
        new_users += u64::from(before.is_none());
        match roles.is_empty() {
            true => staff.remove(&user),
            false => staff.insert(user, roles),
        };
        state.set_standing(act.id, &user, Some(Standing::Member))?;
        state.set_request(act.id, &user, None)?;
    }
    leaves_room(&act, new_users, state)?;
    if staff.len() > act.rules.max_staff {
        return Err(Reason::restricted("too many users of this group have roles").into());
    }
    must_leave_a_keeper(&act, keepers_before, &staff)?;
    set_staff(&act, &staff_before, &staff, state)?;
    state.set_group(act.id, &act.group)
}

/// Removes users, and remembers them as removed unless they leave of their own accord.
pub(super) fn remove(mut act: Act<'_>, state: &mut State<'_>) -> Result<(), Refusal> {
    let users = tags::users(act.event)?;
    answers_in_time(&act, &users, state)?;
    let is_leaving = is_answer(&act);
    let staff_before = state.staff(act.id)?;
    let mut staff = staff_before.clone();
    let keepers_before = keepers(&staff, act.rules);
    let mut new_users = 0;
    for (user, _) in users {
        must_outrank(&act, &staff, &user, &[])?;
        let before = state.standing(act.id, &user)?;
        let after = match is_leaving || user == *act.event.pubkey() {
            true => None,
            false => Some(Standing::Removed),
        };
        act.group.members = act
            .group
            .members
            .saturating_sub(usize::from(before == Some(Standing::Member)));
        act.group.removed = act
            .group
            .removed
            .saturating_sub(usize::from(before == Some(Standing::Removed)));
        act.group.removed += usize::from(after == Some(Standing::Removed));
        // Members can always be removed: there is a row for each already.
        let is_new = before.is_none() && after.is_some();
        if act.group.removed > act.rules.max_removed && is_new {
            return Err(
                Reason::restricted("this group remembers as many removed users as it can").into(),
            );
        }
        new_users += u64::from(is_new);
        staff.remove(&user);
        match after {
            Some(Standing::Removed) => state.set_removed(act.id, &user, act.event.created_at())?,
            after => state.set_standing(act.id, &user, after)?,
        }
        state.set_request(act.id, &user, None)?;
    }
    leaves_room(&act, new_users, state)?;
    must_leave_a_keeper(&act, keepers_before, &staff)?;
    set_staff(&act, &staff_before, &staff, state)?;
    state.set_group(act.id, &act.group)
}

/// One event may name many who have not asked, so others than the operator's people leave some of the room to those who ask.
fn leaves_room(act: &Act<'_>, new_users: u64, state: &State<'_>) -> Result<(), Refusal> {
    let max_users = match act.actor.is_above_groups {
        true => act.rules.max_users,
        false => act.rules.max_users_by_others(),
    };
    let founder = act.group.founder.as_ref();
    must_have_room(new_users, max_users, founder, state, act.rules)
}

/// Whether the relay answers a request with it.
fn is_answer(act: &Act<'_>) -> bool {
    *act.event.pubkey() == act.rules.relay && tags::answered(act.event).is_some()
}

/// What the relay answers must still be what the user asked last: somebody may have removed them meanwhile.
fn answers_in_time(
    act: &Act<'_>,
    users: &[(PublicKey, Vec<String>)],
    state: &State<'_>,
) -> Result<(), Refusal> {
    if !is_answer(act) || act.rules.is_replay {
        return Ok(());
    }
    let answered = tags::answered(act.event);
    for (user, _) in users {
        if state.request(act.id, user)? != answered {
            return Err(Reason::blocked("something else was decided meanwhile").into());
        }
    }
    Ok(())
}

/// Nobody gives rights, or takes them away, that they do not have.
fn must_outrank(
    act: &Act<'_>,
    staff: &Staff,
    user: &PublicKey,
    roles: &[String],
) -> Result<(), Refusal> {
    let rights_of = |roles: &[String]| act.rules.roles.rights_of(roles);
    let had = staff.get(user).map_or(&[][..], Vec::as_slice);
    let is_ranked = act.actor.rights.has_all(rights_of(had));
    match is_ranked && act.actor.rights.has_all(rights_of(roles)) {
        true => Ok(()),
        false => Err(Reason::restricted(
            "you cannot give or take away rights that you do not have",
        )
        .into()),
    }
}

/// The last one who can add users stays; the operator's people need nobody.
fn must_leave_a_keeper(act: &Act<'_>, before: usize, staff: &Staff) -> Result<(), Refusal> {
    let is_free = act.actor.is_above_groups && !is_answer(act) || act.rules.is_replay;
    match is_free || before == 0 || keepers(staff, act.rules) > 0 {
        true => Ok(()),
        false => Err(last_keeper().into()),
    }
}

/// What the last admin is told who would go.
pub(crate) fn last_keeper() -> Reason {
    Reason::restricted(
        "this would leave the group without an admin; make somebody else one first, or delete the group",
    )
}

/// What those are told who would join.
pub(crate) fn full() -> Reason {
    Reason::restricted("this group has as many members as it takes")
}

/// The row is written only where it changes: most users have no roles, and it may be large.
fn set_staff(
    act: &Act<'_>,
    before: &Staff,
    staff: &Staff,
    state: &mut State<'_>,
) -> Result<(), Refusal> {
    if staff == before {
        return Ok(());
    }
    let bytes = serde_json::to_vec(staff)?.len();
    let is_too_large = bytes > STAFF_BYTES_MAX && !act.rules.is_replay;
    // What takes less room than before is never refused.
    if is_too_large && bytes > serde_json::to_vec(before)?.len() {
        let text = "the roles of this group's users take more room than there is";
        return Err(Reason::restricted(text).into());
    }
    state.set_staff(act.id, staff)
}

fn checked(roles: Vec<String>, act: &Act<'_>) -> Result<Vec<String>, Refusal> {
    let mut kept: Vec<String> = Vec::new();
    for role in roles {
        let is_good = role.len() <= ROLE_BYTES_MAX && !role.contains(char::is_control);
        if !is_good && !act.rules.is_replay {
            let text =
                format!("a role has at most {ROLE_BYTES_MAX} bytes and no control characters");
            return Err(Reason::invalid(text).into());
        }
        if !role.is_empty() && !kept.contains(&role) {
            kept.push(role);
        }
    }
    match kept.len() <= ROLES_MAX {
        true => Ok(kept),
        false => Err(Reason::invalid(format!("a user has at most {ROLES_MAX} roles")).into()),
    }
}
