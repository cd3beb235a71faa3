//! What a webhook says, as far as it matters here: the JSON of LiveKit's `WebhookEvent`, in which 64-bit numbers are texts
//! and what has its default is left out.

use crate::calls::RoomSeen;
use crate::porter::{self, SessionSeen};
use crate::room_facts::RoomFacts;
use crate::single_use::MARK_ATTRIBUTE;
use serde::{Deserialize, Deserializer};
use std::collections::HashMap;

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct WebhookEvent {
    pub(super) event: String,
    /// Unique, and the same when it comes again.
    pub(super) id: String,
    room: Option<Room>,
    participant: Option<Participant>,
    egress_info: Option<Egress>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Room {
    sid: String,
    name: String,
    #[serde(deserialize_with = "number")]
    creation_time: i64,
    #[serde(deserialize_with = "number")]
    creation_time_ms: i64,
    metadata: String,
    active_recording: bool,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Participant {
    sid: String,
    identity: String,
    #[serde(deserialize_with = "number")]
    joined_at: i64,
    #[serde(deserialize_with = "number")]
    joined_at_ms: i64,
    attributes: HashMap<String, String>,
}

/// A recording, or a stream to elsewhere.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Egress {
    room_id: String,
    room_name: String,
}

impl WebhookEvent {
    /// The room it is about.
    pub(super) fn room(&self) -> Option<RoomSeen> {
        let seen = match (&self.room, &self.egress_info) {
            (Some(room), _) => RoomSeen {
                name: room.name.clone(),
                sid: room.sid.clone(),
                created_ms: porter::since_ms(room.creation_time, room.creation_time_ms),
                facts: RoomFacts::of_room(&room.name, &room.metadata),
            },
            (None, Some(egress)) => RoomSeen {
                name: egress.room_name.clone(),
                sid: egress.room_id.clone(),
                created_ms: 0,
                facts: None,
            },
            (None, None) => return None,
        };
        (!seen.name.is_empty()).then_some(seen)
    }

    /// Whom it is about.
    pub(super) fn session(&self) -> Option<SessionSeen> {
        let person = self.participant.as_ref()?;
        Some(SessionSeen {
            sid: person.sid.clone(),
            identity: person.identity.clone(),
            mark: person.attributes.get(MARK_ATTRIBUTE).cloned(),
            since_ms: porter::since_ms(person.joined_at, person.joined_at_ms),
        })
    }

    /// Whether the room is recorded.
    pub(super) fn is_recorded(&self) -> bool {
        let is_active = self.room.as_ref().is_some_and(|room| room.active_recording);
        is_active || self.event == "egress_started"
    }
}

/// A number, or a text that is one.
fn number<'de, D: Deserializer<'de>>(from: D) -> Result<i64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Number(i64),
        Text(String),
    }
    Ok(match Either::deserialize(from)? {
        Either::Number(number) => number,
        Either::Text(text) => text.parse().map_err(serde::de::Error::custom)?,
    })
}
