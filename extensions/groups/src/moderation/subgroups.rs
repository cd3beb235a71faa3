//! The tree of groups: a group names its parent in its metadata, and the parent lists it.
//!
//! Invariant: a parent exists, no group is above itself, and a parent lists each of its children once.

use super::{Act, Actor, living, no_such_group};
use crate::state::{Refusal, State};
use trellis_relay::extension::prelude::*;

/// A tree is so deep at most.
const DEPTH_MAX: usize = 32;

/// The children in the order that the event gives, which must name all of them and nobody else, but for hidden ones: nobody
/// is told of those, so they follow the others in the order that they had. When events are folded again, those of groups
/// that were deleted since are gone.
pub(super) fn ordered(
    act: &Act<'_>,
    children: &[String],
    state: &State<'_>,
) -> Result<Vec<String>, Refusal> {
    let event = act.event;
    let named = event.tags().filter(|tag| tag.name() == "child");
    let named = named.filter_map(|tag| tag.value().map(|id| id.into_owned()));
    let is_told = |id: &String| !act.rules.is_replay || children.contains(id);
    let mut named: Vec<String> = named.filter(is_told).collect();
    if !act.rules.is_replay {
        let mut shown = Vec::new();
        for child in children {
            if state.group(child)?.is_some_and(|group| !group.is_hidden) {
                shown.push(child);
            }
        }
        let mut one: Vec<&String> = named.iter().collect();
        one.sort_unstable();
        shown.sort_unstable();
        if one != shown {
            let text =
                "edit-metadata needs a child tag for each group below this one, and for no other";
            return Err(Reason::invalid(text).into());
        }
    }
    let rest = children.iter().filter(|child| !named.contains(child));
    let rest: Vec<String> = rest.cloned().collect();
    named.extend(rest);
    Ok(named)
}

/// Puts the group below the parent that the event names, or below none.
pub(super) fn move_below(act: &mut Act<'_>, state: &mut State<'_>) -> Result<(), Refusal> {
    let parents = act.event.tags().filter(|tag| tag.name() == "parent");
    let parents: Vec<String> = parents
        .map(|tag| tag.value().unwrap_or_default().into_owned())
        .collect();
    let parent = match &parents[..] {
        [] => None,
        [parent] => Some(parent.clone()),
        _ => return Err(Reason::invalid("a group has at most one parent").into()),
    };
    let parent = match parent {
        Some(gone) if act.rules.is_replay && state.group(&gone)?.is_none() => None,
        parent => parent,
    };
    if let Some(parent) = &parent {
        may_be_parent(parent, act, state)?;
    }
    if parent == act.group.parent {
        return Ok(());
    }
    if let Some(old) = &act.group.parent {
        forget_child(state, old, act.id)?;
    }
    if let Some(new) = &parent {
        let mut display = state.display(new)?;
        if display.children.len() >= act.rules.max_children {
            return Err(Reason::restricted("the parent has as many groups as it takes").into());
        }
        display.children.push(act.id.to_owned());
        state.set_display(new, &display)?;
    }
    act.group.parent = parent;
    Ok(())
}

/// Takes a group out of its parent's list.
pub(super) fn forget_child(
    state: &mut State<'_>,
    parent: &str,
    child: &str,
) -> Result<(), Refusal> {
    let mut display = state.display(parent)?;
    display.children.retain(|id| id != child);
    state.set_display(parent, &display)
}

fn may_be_parent(parent: &str, act: &Act<'_>, state: &State<'_>) -> Result<(), Refusal> {
    let cycle = || Reason::invalid("a group cannot be above itself");
    if parent == act.id {
        return Err(cycle().into());
    }
    let group = living(state, parent)?;
    let author = Actor::of(act.event.pubkey(), parent, state, act.rules)?;
    if group.is_hidden && !author.knows_of_group() {
        return Err(no_such_group().into());
    }
    let mut above = group.parent;
    for _ in 0..DEPTH_MAX {
        let Some(id) = above else {
            return match author.rights.is_empty() {
                true => Err(Reason::restricted("you are no admin of the parent").into()),
                false => Ok(()),
            };
        };
        if id == act.id {
            return Err(cycle().into());
        }
        above = state.group(&id)?.and_then(|group| group.parent);
    }
    Err(Reason::invalid(format!("groups are at most {DEPTH_MAX} deep")).into())
}
