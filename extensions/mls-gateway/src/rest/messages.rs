//! `/messages`: what a member missed, from the archive.
//!
//! Invariant: a key gets what it would get by a REQ now: messages of groups that it is in at this moment, direct messages
//! and gift wraps to itself, nothing that has expired, and nothing that another extension hides from it. Who it is the
//! authentication says; only a service names a key.

use super::asker::AskerJson;
use super::membership;
use super::wire;
use crate::MlsGateway;
use crate::archive::CATCH_UP;
use crate::kinds;
use crate::storage::{ArchiveQuery, Archived};
use crate::watch::{self, WayOut};
use actix_web::web::Json;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use trellis_relay::config::Timestamp;
use trellis_relay::extension::prelude::*;

const EVENTS: usize = 100;
const EVENTS_MAX: usize = 500;
/// An answer has about so many bytes, and at least one event.
const ANSWER_BYTES: usize = 4 << 20;
/// Events that are read from the archive at a time.
const SLICE: usize = 50;
/// Events that one request may look at, shown or not.
const LOOKED_AT_MAX: usize = 2_000;
/// Gift wraps are dated up to two days back (NIP-59).
const DATED_BACK_S: u64 = 2 * 86_400;

pub(super) fn declare(api: &mut Api) {
    let cursor = "Events come in the order in which they were archived. Go on with the `cursor` of the answer before; it \
                  stays good when `has_more` is false, to ask later for what is new.";
    api.post("/messages/missed", missed)
        .summary("All messages for oneself since a time or a cursor")
        .description(format!(
            "Group messages (445) of the groups that one is a member of now, direct messages (446) and gift wraps (1059) \
             to oneself. {cursor}"
        ))
        .answers::<Messages>(200)
        .fails(400, "A cursor or a limit that is none, or a service that names no pubkey.")
        .fails(403, "pubkey is somebody else than who signed.");
    api.post("/messages/group", of_group)
        .summary("The messages of one group since a time or a cursor")
        .description(format!("Group messages (445). {cursor}"))
        .answers::<Messages>(200)
        .fails(
            400,
            "A group_id, a cursor or a limit that is none, or a service that names no pubkey.",
        )
        .fails(403, "pubkey is somebody else than who signed.")
        .fails(404, "There is no such group, or not for you.");
}

/// Which of one's messages.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(rename = "MlsMissed")]
struct Missed {
    #[serde(flatten)]
    part: Part,
    /// Whose messages: for services. Others get their own.
    pubkey: Option<Pubkey>,
}

/// Which messages of a group.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(rename = "MlsMissedOfGroup")]
struct MissedOfGroup {
    /// Which group.
    group_id: String,
    #[serde(flatten)]
    part: Part,
    /// As whom to read: for services. Others read as themselves.
    pubkey: Option<Pubkey>,
}

/// Where to begin, and how far to go.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
struct Part {
    /// Only events dated at or after this time: RFC 3339, or seconds since 1970. Gift wraps, whose date is not the true
    /// one, also if they came after it.
    since: Option<Timestamp>,
    /// The `cursor` of the answer before.
    cursor: Option<String>,
    /// How many events, 100 unless it is said; more than 500 become 500. An answer may have fewer.
    #[schemars(range(min = 1, max = 500))]
    limit: Option<usize>,
}

/// Archived messages.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "MlsMessages")]
struct Messages {
    /// Always true.
    ok: bool,
    /// Signed events, in the order in which they were archived.
    #[schemars(with = "Vec<serde_json::Map<String, serde_json::Value>>")]
    events: Vec<Box<RawValue>>,
    /// Where to go on; missing as long as there was nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<String>,
    /// Whether there may be more at this moment.
    has_more: bool,
}

async fn missed(
    me: Current<MlsGateway>,
    request: AskerJson<Missed>,
) -> Result<Json<Messages>, ApiError> {
    let AskerJson { asker, body } = request;
    let reader = asker.acting_for(body.pubkey.as_ref(), "pubkey")?;
    let groups = membership::groups_of(&me, &reader).await?;
    let whose = Whose {
        groups: &groups,
        reader,
        wants_direct: true,
        address: asker.address,
    };
    read(&me, &body.part, &whose).await.map(Json)
}

async fn of_group(
    me: Current<MlsGateway>,
    request: AskerJson<MissedOfGroup>,
) -> Result<Json<Messages>, ApiError> {
    let AskerJson { asker, body } = request;
    let reader = asker.acting_for(body.pubkey.as_ref(), "pubkey")?;
    wire::check_group_id(&body.group_id)?;
    if !membership::may_read(&me, &reader, &body.group_id).await? {
        watch::denied(kinds::GROUP_MESSAGE, WayOut::Rest);
        return Err(ApiError::not_found(
            "there is no such group, or not for you",
        ));
    }
    let whose = Whose {
        groups: std::slice::from_ref(&body.group_id),
        reader,
        wants_direct: false,
        address: asker.address,
    };
    read(&me, &body.part, &whose).await.map(Json)
}

/// What may be given to whoever asks.
struct Whose<'a> {
    groups: &'a [String],
    reader: PublicKey,
    /// Whether direct messages to the reader are wanted, too.
    wants_direct: bool,
    address: ClientIp,
}

impl Whose<'_> {
    /// A gift wrap may name a group, too, and is for its recipient all the same.
    fn has(&self, event: &Archived) -> bool {
        match event.kind {
            kinds::GROUP_MESSAGE => {
                let group_id = event.group_id.as_ref();
                group_id.is_some_and(|group_id| self.groups.contains(group_id))
            }
            kinds::NOISE_MESSAGE | kinds::GIFT_WRAP => {
                self.wants_direct && event.recipient == Some(self.reader)
            }
            _ => false,
        }
    }

    /// What cannot be read is shown to nobody.
    fn is_shown(&self, me: &MlsGateway, event: &Archived) -> bool {
        let event = Event::parse(event.json.as_bytes());
        event.is_ok_and(|event| me.host.shows(&event, self.address.0, &self.reader))
    }
}

async fn read(me: &MlsGateway, part: &Part, whose: &Whose<'_>) -> Result<Messages, ApiError> {
    let limit = wire::limit(part.limit, EVENTS, EVENTS_MAX)?;
    let since_s = part.since.map(Timestamp::unix_secs);
    let recipients = std::slice::from_ref(&whose.reader);
    let recipients = if whose.wants_direct { recipients } else { &[] };
    let mut place = part.place()?;
    // What was stored before the question is to be in the answer. Where the archive is far behind, it is read as it is.
    me.host.catch_up(CATCH_UP).await;
    let mut messages = Messages {
        ok: true,
        events: Vec::new(),
        cursor: None,
        has_more: false,
    };
    let (mut bytes, mut looked_at) = (0, 0);
    'slices: loop {
        let query = ArchiveQuery {
            groups: Some(whose.groups),
            recipients: Some(recipients),
            since_s: since_s.map(|since_s| since_s.saturating_sub(DATED_BACK_S)),
            after_position: place.unwrap_or(0),
            max: SLICE,
        };
        let slice = me.storage.archived(&query).await?;
        let is_last = slice.len() < SLICE;
        for event in slice {
            let is_full = !messages.events.is_empty() && bytes + event.json.len() > ANSWER_BYTES;
            if is_full || messages.events.len() >= limit || looked_at >= LOOKED_AT_MAX {
                messages.has_more = true;
                break 'slices;
            }
            looked_at += 1;
            place = Some(event.position);
            if is_since(&event, since_s) && whose.has(&event) && whose.is_shown(me, &event) {
                bytes += event.json.len();
                let event = RawValue::from_string(event.json).map_err(|_| corrupt())?;
                messages.events.push(event);
            }
        }
        if is_last {
            break;
        }
    }
    messages.cursor = place.map(|place| place.to_string());
    Ok(messages)
}

impl Part {
    fn place(&self) -> Result<Option<u64>, ApiError> {
        let place = self.cursor.as_deref().map(str::parse).transpose();
        place.map_err(|_| {
            ApiError::bad_request(
                "cursor must be the `cursor` of an answer before; leave it out to begin anew",
            )
        })
    }
}

fn is_since(event: &Archived, since_s: Option<u64>) -> bool {
    since_s.is_none_or(|since_s| {
        let came_later = event.kind == kinds::GIFT_WRAP && event.archived_at_s >= since_s;
        event.created_at_s >= since_s || came_later
    })
}

fn corrupt() -> ApiError {
    ApiError::internal("the archive holds something unreadable")
}
