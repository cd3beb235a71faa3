//! Kind 450, which says who belongs to a group: from tags to a change of its roster.

use super::tags;
use crate::roster::{Role, RosterChange, RosterOp};
use trellis_relay::event::{Event, PublicKey};
use trellis_relay::reason::Reason;

/// What a roster event wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RosterEvent {
    /// `h`
    pub(crate) group_id: String,
    pub(crate) change: RosterChange,
}

/// Roster events are kept for a time that begins with their date, so whoever dates one back could have it removed at once.
/// A day is for those that waited for a connection.
const AGE_S_MAX: u64 = 86_400;

/// Whether one may come in now.
pub(crate) fn check(event: &Event, now_s: u64) -> Result<(), Reason> {
    read(event)?;
    match event.created_at().saturating_add(AGE_S_MAX) < now_s {
        true => Err(Reason::invalid(
            "a roster event must not be dated back by more than a day",
        )),
        false => Ok(()),
    }
}

/// Reads one.
pub(crate) fn read(event: &Event) -> Result<RosterEvent, Reason> {
    let group_id = tags::group_id(event)?.into_owned();
    let seq = tags::number("seq", &tags::exactly_one(event, "seq")?)?;
    if seq == 0 {
        return Err(Reason::invalid("seq must be 1 or more"));
    }
    let op = tags::exactly_one(event, "op")?;
    let keys = event
        .tag_values(b'p')
        .map(|key| tags::public_key("p", &key));
    let keys = keys.collect::<Result<Vec<PublicKey>, Reason>>()?;
    if keys.is_empty() && op != "bootstrap" {
        return Err(Reason::invalid(format!("op {op:?} needs a p tag")));
    }
    let op = match &*op {
        "bootstrap" => RosterOp::Bootstrap(keys),
        "add" => RosterOp::Add(keys),
        "remove" => RosterOp::Remove(keys),
        "replace" => RosterOp::Replace(keys),
        "promote" => match role(event)? {
            Role::Member => {
                return Err(Reason::invalid("op \"promote\" makes an admin or an owner"));
            }
            role => RosterOp::Promote(keys, role),
        },
        // The role that is taken away says what is left.
        "demote" => match role(event)? {
            Role::Owner => RosterOp::Demote(keys, Role::Admin),
            Role::Admin | Role::Member => RosterOp::Demote(keys, Role::Member),
        },
        _ => {
            return Err(Reason::invalid(
                "op must be add, remove, promote, demote, bootstrap or replace",
            ));
        }
    };
    Ok(RosterEvent {
        group_id,
        change: RosterChange {
            seq,
            event: *event.id(),
            op,
        },
    })
}

fn role(event: &Event) -> Result<Role, Reason> {
    match tags::at_most_one(event, "role")? {
        None => Ok(Role::Admin),
        Some(name) => {
            Role::parse(&name).ok_or_else(|| Reason::invalid("role must be member, admin or owner"))
        }
    }
}
