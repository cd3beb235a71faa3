//! 9002 `edit-metadata`: all fields at once, so that what an event does not say is off or empty from then on. What older
//! clients say for that (`public`, `open`) is taken and means nothing more.

use super::Act;
use super::subgroups;
use crate::group::Display;
use crate::state::{Refusal, State};
use trellis_relay::extension::prelude::*;

/// A text has so many bytes.
const TEXT_BYTES_MAX: usize = 4096;
/// A group supports so many kinds, unless it supports all.
const KINDS_MAX: usize = 500;

pub(super) fn edit(mut act: Act<'_>, state: &mut State<'_>) -> Result<(), Refusal> {
    let event = act.event;
    let names: Vec<String> = event.tags().map(|tag| tag.name().into_owned()).collect();
    let has = |name: &str| names.iter().any(|found| found == name);
    let text = |name: &str| -> Result<Option<String>, Refusal> {
        let text = event.first_tag_value(name).map(|text| text.into_owned());
        match text
            .as_ref()
            .is_none_or(|text| text.len() <= TEXT_BYTES_MAX)
        {
            true => Ok(text),
            false => {
                let text = format!("{name} has at most {TEXT_BYTES_MAX} bytes");
                Err(Reason::invalid(text).into())
            }
        }
    };
    act.group.is_private = has("private");
    act.group.is_restricted = has("restricted");
    act.group.is_hidden = has("hidden");
    act.group.is_closed = has("closed");
    act.group.has_livekit = has("livekit");
    act.group.supported_kinds = supported_kinds(&act)?;
    let before = state.display(act.id)?;
    let display = Display {
        name: text("name")?,
        picture: text("picture")?,
        banner: text("banner")?,
        about: text("about")?,
        children: subgroups::ordered(&act, &before.children, state)?,
        pins: before.pins,
    };
    state.set_display(act.id, &display)?;
    subgroups::move_below(&mut act, state)?;
    state.set_group(act.id, &act.group)
}

fn supported_kinds(act: &Act<'_>) -> Result<Option<Vec<u16>>, Refusal> {
    let Some(tag) = act.event.tags().find(|tag| tag.name() == "supported_kinds") else {
        return Ok(None);
    };
    let kinds = tag.items().skip(1).map(|kind| kind.parse::<u16>());
    match kinds.collect::<Result<Vec<_>, _>>() {
        Ok(mut kinds) => {
            kinds.sort_unstable();
            kinds.dedup();
            match kinds.len() <= KINDS_MAX || act.rules.is_replay {
                true => Ok(Some(kinds)),
                false => {
                    let text = format!("supported_kinds has at most {KINDS_MAX} kinds");
                    Err(Reason::invalid(text).into())
                }
            }
        }
        Err(_) => Err(Reason::invalid("supported_kinds are numbers from 0 to 65535").into()),
    }
}
