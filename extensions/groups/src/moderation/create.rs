//! 9007 `create-group`.

use super::must_have_room;
use crate::group::{Display, Group, Staff, Standing};
use crate::rules::Rules;
use crate::state::{Refusal, State};
use crate::tags;
use trellis_relay::extension::prelude::*;

/// Makes a group, whose first member and admin is the author. That this author may, the rate and the free id are looked at
/// when the event is admitted too; here two that come at the same time cannot both pass.
pub(super) fn create(event: &Event, state: &mut State<'_>, rules: &Rules) -> Result<(), Refusal> {
    let id = tags::group(event)?;
    tags::check_id(&id, rules.max_group_id_bytes)?;
    if !rules.is_replay {
        may_found(&id, event.pubkey(), rules)?;
    }
    if !rules.is_replay && !rules.may_create(event.pubkey()) {
        return Err(not_allowed().into());
    }
    match state.group(&id)? {
        Some(group) if group.is_deleted => {
            return Err(Reason::blocked(
                "a group of this id was deleted, and it is not used again",
            )
            .into());
        }
        Some(_) => return Err(Reason::duplicate("there is a group of this id already").into()),
        None => {}
    }
    if state.counts()?.groups >= rules.max_groups as u64 {
        return Err(Reason::restricted("this relay has as many groups as it takes").into());
    }
    let creator = event.pubkey();
    must_have_room(1, rules.max_users, Some(creator), state, rules)?;
    let group = Group {
        members: 1,
        founder: Some(*creator),
        ..Group::default()
    };
    state.set_group(&id, &group)?;
    state.set_display(&id, &Display::default())?;
    let staff = Staff::from([(*creator, vec![rules.creator_role.clone()])]);
    state.set_staff(&id, &staff)?;
    state.set_standing(&id, creator, Some(Standing::Member))?;
    // The relay says so with a put-user of its own, since clients look there for who is a member.
    if !rules.is_replay {
        state.set_request(&id, creator, Some(event.id()))?;
    }
    state.log(event.id())
}

/// Communities are named by the key that they are of, and MLS groups by as many digits: who founded a group of such an id
/// would decide on their events, before the first of them comes.
pub(crate) fn may_found(id: &str, founder: &PublicKey, rules: &Rules) -> Result<(), Reason> {
    let is_key = id.len() == KEY_DIGITS && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    match is_key && id != founder.to_hex() && !rules.is_above_groups(founder) {
        false => Ok(()),
        true => Err(Reason::blocked(
            "an id of 64 hex digits is somebody's public key, and only they found a group of it; choose another",
        )),
    }
}

/// Hex digits of a key, and of the id of an MLS group.
const KEY_DIGITS: usize = 64;

/// What those are told who may not create groups.
pub(crate) fn not_allowed() -> Reason {
    Reason::restricted("you may not create groups on this relay")
}
