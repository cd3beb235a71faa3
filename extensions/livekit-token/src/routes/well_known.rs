//! `/.well-known/nip29/livekit`: that there are calls, and a token for the room of a group (NIP-29).

use super::answer::unkept;
use super::asker::Asker;
use super::group::check_membership;
use crate::LivekitToken;
use crate::failure::{Code, Failure};
use crate::issuing::{self, Purpose, Seat, Ticket, unreadable};
use crate::room_facts::RoomFacts;
use crate::watch;
use actix_web::http::Method;
use actix_web::{HttpRequest, HttpResponse, web};
use sha2::{Digest, Sha256};
use trellis_relay::extension::GroupMembership;
use trellis_relay::extension::prelude::*;

/// Groups with longer ids have calls (1020) only.
const GROUP_ID_BYTES_MAX: usize = 64;

/// What LiveKit's own clients take.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "LivekitParticipantToken")]
struct Granted {
    /// LiveKit's address.
    server_url: String,
    /// What it wants to see.
    participant_token: String,
}

pub(super) fn declare(api: &mut Api) {
    api.get("/.well-known/nip29/livekit", here)
        .summary("That groups may have calls here")
        .answers_nothing(204);
    api.route(Method::GET, "/.well-known/nip29/livekit/{group}", answer)
        .summary("A token for the room of a group")
        .takes(|inputs| {
            inputs.nip98();
            inputs.path::<String>();
        })
        .answers::<Granted>(200)
        .fails(
            403,
            "NOT_GROUP_MEMBER, BLOCKED_BY_PARTICIPANT or USER_BANNED.",
        )
        .fails(404, "ROOM_NOT_FOUND: this group has no calls.");
}

async fn here() -> HttpResponse {
    HttpResponse::NoContent().finish()
}

async fn answer(request: HttpRequest, payload: web::Payload) -> Result<HttpResponse, Failure> {
    let result = token(&request, payload).await;
    watch::token_asked_for("well_known", &result);
    let (me, ticket) = result?;
    Ok(unkept(&Granted {
        server_url: me.settings().livekit_client_url.clone(),
        participant_token: ticket.token,
    }))
}

async fn token(
    request: &HttpRequest,
    payload: web::Payload,
) -> Result<(Current<LivekitToken>, Ticket), Failure> {
    let asker = Asker::of(request, payload, |me| me.settings().clock_tolerance_s).await?;
    let me = &asker.me;
    let group = request.match_info().query("group");
    // The room of a call has the name of a group's id and the call's, 64 more: no group's id may be both.
    if group.len() > GROUP_ID_BYTES_MAX {
        return Err(no_calls());
    }
    check_membership(me, group, &asker.pubkey)?;
    check_has_calls(me, group)?;
    // One person may be there with several devices, each with a token of its own.
    let device = const_hex::encode(rand::random::<[u8; 8]>());
    let seat = Seat {
        who: asker.pubkey,
        identity: format!("{}{device}", asker.pubkey.to_hex()),
        room: const_hex::encode(Sha256::digest(group)),
        purpose: Purpose::Call(RoomFacts::of_av_space(group)),
    };
    let ticket = issuing::issue(me, seat).await?;
    Ok((asker.me, ticket))
}

/// Refuses groups whose metadata has no `livekit` tag.
fn check_has_calls(me: &LivekitToken, group: &str) -> Result<(), Failure> {
    let groups = me.host.service::<dyn GroupMembership>().get();
    let facts = groups.map(|groups| groups.group(group)).transpose();
    match facts.map_err(unreadable)?.flatten() {
        Some(facts) if facts.has_livekit => Ok(()),
        _ => Err(no_calls()),
    }
}

fn no_calls() -> Failure {
    Failure::new(Code::RoomNotFound, "this group has no calls")
}
