//! What a request for a token is answered.
//!
//! Invariant: no answer with a token is kept by anything between here and the client.

use crate::LivekitToken;
use crate::failure::Failure;
use crate::issuing::Ticket;
use actix_web::HttpResponse;
use actix_web::http::header::CACHE_CONTROL;
use schemars::JsonSchema;
use serde::Serialize;

/// A token, and what it is for.
#[derive(Serialize, JsonSchema)]
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
pub(super) struct Metadata {
    /// `blocked_user_present`: somebody is there whom you blocked.
    #[serde(skip_serializing_if = "Option::is_none")]
    warning: Option<&'static str>,
}

/// The answer of the routes that are asked with an event.
pub(super) fn granted(me: &LivekitToken, ticket: Ticket) -> Result<HttpResponse, Failure> {
    let metadata = Metadata {
        warning: ticket
            .is_blocked_user_present
            .then_some("blocked_user_present"),
    };
    Ok(unkept(&Granted {
        token: ticket.token,
        url: me.settings().livekit_client_url.clone(),
        room: ticket.room,
        expiry: ticket.expires_at_s,
        metadata,
    }))
}

/// JSON that nothing may keep.
pub(super) fn unkept(body: &impl Serialize) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(body)
}
