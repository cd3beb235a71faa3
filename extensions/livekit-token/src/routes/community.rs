//! `POST /token`: a token for the room of a community (30312), for its members.

use super::answer::unkept;
use super::asker::Asker;
use crate::LivekitToken;
use crate::failure::{Code, Failure};
use crate::issuing::{self, Purpose, Seat, Ticket};
use crate::watch;
use actix_web::http::Method;
use actix_web::{HttpRequest, HttpResponse, web};
use trellis_relay::extension::prelude::*;

/// A request to join a room.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "LivekitRoomRequest")]
struct Body {
    /// The room's address: `30312:<pubkey>:<d>`.
    room: String,
    /// The community's public key: 64 hex digits.
    community: String,
}

/// A token, and LiveKit's address.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "LivekitRoomToken")]
struct Granted {
    token: String,
    url: String,
}

pub(super) fn declare(api: &mut Api) {
    api.route(Method::POST, "/token", answer)
        .summary("A token for a room of a community")
        .takes(|inputs| {
            inputs.nip98();
            inputs.body::<Body>();
        })
        .answers::<Granted>(200)
        .fails(403, "NOT_COMMUNITY_MEMBER, COMMUNITY_NOT_AUTHORIZED, OPERATOR_MISMATCH, ROOM_CLOSED, BLOCKED_BY_PARTICIPANT or USER_BANNED.")
        .fails(404, "ROOM_NOT_FOUND.")
        .fails(429, "RATE_LIMITED.")
        .fails(503, "LIVEKIT_UNAVAILABLE or MAINTENANCE.");
}

async fn answer(request: HttpRequest, payload: web::Payload) -> Result<HttpResponse, Failure> {
    let result = token(&request, payload).await;
    watch::token_asked_for("community", &result);
    let (me, ticket) = result?;
    Ok(unkept(&Granted {
        token: ticket.token,
        url: me.settings().livekit_client_url.clone(),
    }))
}

async fn token(
    request: &HttpRequest,
    payload: web::Payload,
) -> Result<(Current<LivekitToken>, Ticket), Failure> {
    let asker = Asker::of(request, payload, |me| me.settings().nip98_time_window_s).await?;
    let me = &asker.me;
    let body: Body = asker.json()?;
    let community = PublicKey::from_hex(&body.community)
        .map_err(|_| Failure::new(Code::InvalidRequest, "community must be 64 hex digits"))?;
    let space = me
        .rooms
        .admit(&body.room, &community, &asker.pubkey)
        .await?;
    let seat = Seat {
        who: asker.pubkey,
        identity: asker.pubkey.to_hex(),
        room: space.name(),
        purpose: Purpose::Space(space),
    };
    let ticket = issuing::issue(me, seat).await?;
    Ok((asker.me, ticket))
}
