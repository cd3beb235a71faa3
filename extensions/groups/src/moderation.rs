//! Moderation (NIP-29, kinds 9000 to 9020): whether somebody may do it, and what it changes. One file for each verb or small
//! family of them.
//!
//! Invariant: what is refused changes nothing, since its rows are dropped; what is accepted is logged in the order in which
//! it was stored, from which everything can be computed again.

mod actor;
mod create;
mod deletion;
mod invites;
mod metadata;
mod pins;
mod room;
mod subgroups;
mod users;

pub(crate) use actor::{Actor, keepers};
pub(crate) use create::{may_found, not_allowed};
pub(crate) use invites::{code_sha256, revoke};
pub(crate) use room::must_have_room;
pub(crate) use users::{full, last_keeper};

use crate::group::Group;
use crate::kinds::{
    CREATE_GROUP, CREATE_INVITE, DELETE_EVENT, DELETE_GROUP, EDIT_METADATA, PUT_USER, REMOVE_USER,
    UPDATE_PIN_LIST,
};
use crate::roles::Right;
use crate::rules::Rules;
use crate::state::{Refusal, State};
use crate::tags;
use trellis_relay::extension::prelude::*;

/// A moderation event on its way to what it changes.
pub(crate) struct Act<'a> {
    pub(crate) event: &'a Event,
    pub(crate) id: &'a str,
    pub(crate) group: Group,
    pub(crate) actor: Actor,
    pub(crate) rules: &'a Rules,
    pub(crate) now_s: u64,
}

/// Judges a moderation event and makes its changes.
pub(crate) fn judge(
    event: &Event,
    state: &mut State<'_>,
    rules: &Rules,
    now_s: u64,
) -> Result<(), Refusal> {
    let right = match event.kind() {
        CREATE_GROUP => return create::create(event, state, rules),
        PUT_USER => Right::PutUser,
        REMOVE_USER => Right::RemoveUser,
        EDIT_METADATA => Right::EditMetadata,
        DELETE_EVENT => Right::DeleteEvent,
        DELETE_GROUP => Right::DeleteGroup,
        CREATE_INVITE => Right::CreateInvite,
        UPDATE_PIN_LIST => Right::UpdatePinList,
        kind => {
            let text = format!("kind {kind} has no meaning for groups here");
            return Err(Reason::unsupported(text).into());
        }
    };
    let id = tags::group(event)?;
    if rules.is_replay && right == Right::DeleteGroup && state.group(&id)?.is_none() {
        deletion::end(&id, state)?;
        return state.log(event.id());
    }
    let group = living(state, &id)?;
    let actor = Actor::of(event.pubkey(), &id, state, rules)?;
    if group.is_hidden && !actor.knows_of_group() {
        return Err(no_such_group().into());
    }
    if !actor.rights.has(right) {
        return Err(Reason::restricted(format!(
            "{} is not for you: none of your roles in this group allows it",
            right.name()
        ))
        .into());
    }
    let act = Act {
        event,
        id: &id,
        group,
        actor,
        rules,
        now_s,
    };
    match right {
        Right::PutUser => users::put(act, state)?,
        Right::RemoveUser => users::remove(act, state)?,
        Right::EditMetadata => metadata::edit(act, state)?,
        Right::DeleteEvent => deletion::delete_events(act, state)?,
        Right::DeleteGroup => deletion::delete_group(act, state)?,
        Right::CreateInvite => invites::create(act, state)?,
        Right::UpdatePinList => pins::update(act, state)?,
    }
    state.log(event.id())
}

/// A group that is there and was not deleted.
pub(crate) fn living(state: &State<'_>, id: &str) -> Result<Group, Refusal> {
    match state.group(id)? {
        Some(group) if group.is_deleted => Err(crate::posting::deleted().into()),
        Some(group) => Ok(group),
        None => Err(no_such_group().into()),
    }
}

/// What is said of groups that are not there, and to strangers of those that are hidden.
pub(crate) fn no_such_group() -> Reason {
    Reason::invalid("this relay runs no group of this id")
}
