//! What an operator does to rooms: `trellis livekit rooms` and `trellis livekit close ROOM --reason TEXT`, and the same by the
//! management API (NIP-86): `listlivekitrooms` and `closelivekitroom`.
//!
//! Invariant: that a room was closed is logged with the reason, and without the room and whoever was in it.

use crate::LivekitToken;
use crate::decisions;
use crate::rooms::{Closed, EndError, Talk};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::sync::Arc;
use trellis_relay::event::Address;
use trellis_relay::extension::prelude::*;

const USAGE: &str = "\
livekit rooms                        list the rooms that LiveKit has
livekit close ROOM --reason TEXT     end a room, and put out whoever is in it";
/// A reason may have so many characters.
const REASON_CHARS_MAX: usize = 500;

/// Registers the subcommand and the methods.
pub(crate) fn register(hooks: &mut Registrar<LivekitToken>) {
    let about = "rooms of calls: list them, close one";
    hooks.command("livekit", about, async |me: Arc<LivekitToken>, words| {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match words[..] {
            [] => Err(format!("livekit wants to know what to do:\n{USAGE}")),
            ["help" | "--help" | "-h"] => Ok(USAGE.to_owned()),
            ["rooms"] => Ok(print(&list(&me).await?)),
            ["close", room, "--reason", reason] | ["close", "--reason", reason, room] => {
                close(&me, room, reason).await?;
                Ok("closed\n".to_owned())
            }
            ["close", ..] => Err(format!("close wants a room and a reason:\n{USAGE}")),
            ["rooms", unknown, ..] | [unknown, ..] => Err(format!(
                "livekit does not know {unknown:?}; it can:\n{USAGE}"
            )),
        }
    });
    hooks.rpc("listlivekitrooms", async |me: Arc<LivekitToken>, params| {
        if !params.is_empty() {
            return Err("listlivekitrooms takes no parameters".to_owned());
        }
        let rooms = list(&me).await?.into_iter().map(|room| {
            json!({
                "room": room.name,
                "participants": room.participants,
                "created_at": room.created_at_s,
                "of_an_event": room.is_ours,
                "live_meetings": room.talk.meetings,
                "present": room.talk.present,
            })
        });
        Ok(rooms.collect())
    });
    hooks.rpc("closelivekitroom", async |me: Arc<LivekitToken>, params| {
        let [Value::String(room), Value::String(reason)] = &params[..] else {
            return Err("closelivekitroom takes 2 parameters, [room, reason]".to_owned());
        };
        close(&me, room, reason).await?;
        Ok(json!(true))
    });
}

/// A room that LiveKit has.
struct Listed {
    name: String,
    participants: u32,
    created_at_s: u64,
    is_ours: bool,
    talk: Talk,
}

async fn list(me: &LivekitToken) -> Result<Vec<Listed>, String> {
    let rooms = me.livekit.rooms(Vec::new()).await;
    let rooms = rooms.map_err(|error| format!("the rooms cannot be listed: {error}"))?;
    let mut listed = Vec::with_capacity(rooms.len());
    for room in rooms {
        let talk = me.rooms.talk(&room.name).await;
        let talk = talk.map_err(|error| format!("the events cannot be read: {error}"))?;
        listed.push(Listed {
            is_ours: me.rooms.is_ours(&room.metadata),
            participants: room.num_participants,
            created_at_s: u64::try_from(room.creation_time).unwrap_or_default(),
            talk: talk.unwrap_or_default(),
            name: room.name,
        });
    }
    listed.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(listed)
}

fn print(rooms: &[Listed]) -> String {
    let mut printed =
        "room\tparticipants\tmade at\tof an event\tlive meetings\tpresent\n".to_owned();
    for room in rooms {
        let name = room.name.replace(char::is_control, "?");
        let of_event = if room.is_ours { "yes" } else { "no" };
        // Writing to a String cannot fail.
        let _ = writeln!(
            printed,
            "{name}\t{}\t{}\t{of_event}\t{}\t{}",
            room.participants, room.created_at_s, room.talk.meetings, room.talk.present
        );
    }
    printed
}

/// Closes a room, or a space that has none at the moment, and logs the decision.
async fn close(me: &LivekitToken, room: &str, reason: &str) -> Result<(), String> {
    let reason = checked(reason)?;
    if room.is_empty() {
        return Err("room: found an empty text, wanted the name of a room".to_owned());
    }
    let ended = me.rooms.end(&me.livekit, room).await;
    let of = match Address::parse(room) {
        Some(_) => "space",
        None => "call",
    };
    let action = match &ended {
        Ok(Closed::Room) | Err(EndError::LiveKit(_)) => {
            tracing::info!(rule = "operator", of, reason, "decision: a room is closed");
            Some("close room")
        }
        Ok(Closed::Space) => {
            let decision = "decision: a space is closed, which has no room now";
            tracing::info!(rule = "operator", of, reason, "{decision}");
            Some("close space")
        }
        Ok(Closed::Nothing) | Err(EndError::Store(_)) => None,
    };
    if let Some(action) = action {
        decisions::note(me, action, of, "operator", reason).await;
    }
    match ended {
        Ok(Closed::Room | Closed::Space) => Ok(()),
        Ok(Closed::Nothing) => Err(
            "LiveKit has no such room, and there is no such space; `trellis livekit rooms` lists the rooms that there are"
                .to_owned(),
        ),
        Err(error) => Err(error.to_string()),
    }
}

/// The reason, if it can be logged: one line that names nobody.
fn checked(reason: &str) -> Result<&str, String> {
    let reason = reason.trim();
    if reason.is_empty() || reason.chars().count() > REASON_CHARS_MAX {
        return Err(format!(
            "reason: wanted 1 to {REASON_CHARS_MAX} characters, since the decision is logged with it"
        ));
    }
    if reason.chars().any(char::is_control) {
        return Err("reason: wanted one line".to_owned());
    }
    let names_somebody = reason
        .split(|char: char| !char.is_ascii_alphanumeric())
        .any(|word| {
            let is_key = word.len() == 64 && word.bytes().all(|it| it.is_ascii_hexdigit());
            is_key || word.starts_with("npub1") || word.starts_with("nprofile1")
        });
    match names_somebody {
        true => Err(
            "reason: found a public key, wanted what happened: the log of decisions names nobody"
                .to_owned(),
        ),
        false => Ok(reason),
    }
}

#[cfg(test)]
mod tests;
