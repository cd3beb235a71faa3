//! What a request for a token is answered.
//!
//! Invariant: no answer with a token is kept by anything between here and the client.

use crate::LivekitToken;
use crate::config::TokenResponse;
use crate::failure::{Code, Failure};
use crate::issuing::Ticket;
use actix_web::HttpResponse;
use actix_web::http::header::CACHE_CONTROL;
use serde_json::value::RawValue;
use trellis_relay::extension::prelude::*;
use trellis_relay::nostr::event::{EventBuilder, Kind};

/// A token, and what it is for.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "LivekitToken")]
pub(super) struct Granted {
    /// What LiveKit wants to see.
    token: String,
    /// LiveKit's address.
    url: String,
    /// The room's name: 64 hex digits.
    room: String,
    /// When the token is no longer good, in seconds since 1970.
    expiry: u64,
    metadata: Metadata,
}

/// What there is to know beside.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "LivekitTokenMetadata")]
pub(super) struct Metadata {
    /// `blocked_user_present`: somebody is there whom you blocked.
    #[serde(skip_serializing_if = "Option::is_none")]
    warning: Option<&'static str>,
}

/// The same for a client that wants nobody on the way to see the token.
#[derive(Serialize)]
struct Wrapped<'w> {
    /// A gift wrap (1059) around an event of kind 20003.
    wrapped_token_event: &'w RawValue,
    metadata: Metadata,
}

/// What stands in the event that is wrapped: a kind, and its content as JSON.
const TOKEN: u16 = 20_003;

#[derive(Serialize)]
struct Content<'c> {
    token: &'c str,
    url: &'c str,
    room: &'c str,
    expiry: u64,
}

/// The answer of the routes that are asked with an event.
pub(super) fn granted(me: &LivekitToken, ticket: Ticket) -> Result<HttpResponse, Failure> {
    let settings = me.settings();
    let metadata = Metadata {
        warning: ticket
            .is_blocked_user_present
            .then_some("blocked_user_present"),
    };
    if settings.token_response == TokenResponse::Wrapped {
        let wrap = wrap(me, &ticket, &settings.livekit_client_url).map_err(|_| unable())?;
        let json = std::str::from_utf8(wrap.json()).map_err(|_| unable())?;
        return Ok(unkept(&Wrapped {
            wrapped_token_event: serde_json::from_str(json).map_err(|_| unable())?,
            metadata,
        }));
    }
    Ok(unkept(&Granted {
        token: ticket.token,
        url: settings.livekit_client_url.clone(),
        room: ticket.room,
        expiry: ticket.expires_at_s,
        metadata,
    }))
}

/// A token that only its owner can read.
fn wrap(me: &LivekitToken, ticket: &Ticket, url: &str) -> Result<Event, Reason> {
    let content = Content {
        token: &ticket.token,
        url,
        room: &ticket.room,
        expiry: ticket.expires_at_s,
    };
    let content = serde_json::to_string(&content).map_err(|_| Reason::internal())?;
    let event = EventBuilder::new(Kind::from(TOKEN), content);
    me.host.gift_wrap(&ticket.who, event)
}

fn unable() -> Failure {
    Failure::new(
        Code::LivekitUnavailable,
        "the token cannot be wrapped now; try again later",
    )
}

/// JSON that nothing may keep.
pub(super) fn unkept(body: &impl Serialize) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(body)
}
