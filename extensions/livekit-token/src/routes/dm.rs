//! `POST /token/dm`: a token for a call of two, for its offer (20010) by who calls or its answer (20011) by who is called.

use super::answer::{Granted, granted};
use super::asker::Asker;
use crate::LivekitToken;
use crate::failure::{Code, Failure};
use crate::issuing::{self, Purpose, Seat, Ticket};
use crate::offers::{ANSWER, Call, OFFER};
use crate::room_facts::RoomFacts;
use crate::watch;
use crate::work;
use actix_web::http::Method;
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use trellis_relay::extension::prelude::*;

/// A request to join a call of two.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "LivekitDmRequest")]
struct Body {
    /// The requester's own: an offer (20010) or an answer (20011).
    #[schemars(with = "serde_json::Map<String, serde_json::Value>")]
    event: Box<RawValue>,
    /// The other's, where the relay may not have seen it: the answer to the offer, or the offer that was answered.
    #[schemars(with = "Option<serde_json::Map<String, serde_json::Value>>")]
    peer_event: Option<Box<RawValue>>,
}

pub(super) fn declare(api: &mut Api) {
    api.route(Method::POST, "/token/dm", answer)
        .summary("A token for a call of two")
        .takes(|inputs| {
            inputs.nip98();
            inputs.body::<Body>();
        })
        .answers::<Granted>(200)
        .fails(403, "BLOCKED_BY_PARTICIPANT or USER_BANNED.")
        .fails(
            404,
            "CALL_NOT_FOUND: nobody offered this call, or too long ago.",
        )
        .fails(
            409,
            "CALL_NOT_ANSWERED: the caller has to wait for the answer.",
        )
        .fails(429, "RATE_LIMITED.")
        .fails(503, "LIVEKIT_UNAVAILABLE or MAINTENANCE.");
}

async fn answer(request: HttpRequest, payload: web::Payload) -> Result<HttpResponse, Failure> {
    let result = token(&request, payload).await;
    watch::token_asked_for("dm", &result);
    let (me, ticket) = result?;
    granted(&me, ticket)
}

async fn token(
    request: &HttpRequest,
    payload: web::Payload,
) -> Result<(Current<LivekitToken>, Ticket), Failure> {
    let asker = Asker::of(request, payload, |me| me.settings().clock_tolerance_s).await?;
    let me = &asker.me;
    let body: Body = asker.json()?;
    let own = work::read(me, &body.event, &[OFFER, ANSWER], Some(&asker.pubkey))?;
    let others_kind = if own.kind() == OFFER { ANSWER } else { OFFER };
    let peer = match &body.peer_event {
        Some(event) => Some(work::read(me, event, &[others_kind], None)?),
        None => None,
    };
    let call = match own.kind() {
        OFFER => answered(me, &own, peer.as_ref())?,
        _ => offered(me, &own, peer.as_ref())?,
    };
    let peers = [call.caller.min(call.callee), call.caller.max(call.callee)];
    let seat = Seat {
        who: asker.pubkey,
        identity: asker.pubkey.to_hex(),
        room: room_of(&peers, &call.offer),
        purpose: Purpose::Call(RoomFacts::of_two(peers, call.offer)),
    };
    let ticket = issuing::issue(me, seat).await?;
    Ok((asker.me, ticket))
}

/// The call of an offer, once it is answered.
fn answered(me: &LivekitToken, offer: &Event, answer: Option<&Event>) -> Result<Call, Failure> {
    let call = Call::of(offer).ok_or_else(|| {
        Failure::new(
            Code::InvalidRequest,
            "the offer needs one p tag, of whom it is for",
        )
    })?;
    let seen = me.offers.get(&call.offer, me.host.clock().now_s());
    let is_answered = seen.is_some_and(|seen| seen.is_answered)
        || answer.is_some_and(|answer| call.is_answered_by(answer));
    match is_answered {
        true => Ok(call),
        false => Err(Failure::new(
            Code::CallNotAnswered,
            "the call has not been answered (kind 20011) yet",
        )),
    }
}

/// The call that an answer is for.
fn offered(me: &LivekitToken, answer: &Event, offer: Option<&Event>) -> Result<Call, Failure> {
    let now_s = me.host.clock().now_s();
    if let Some(offer) = offer {
        me.offers.take(offer, now_s);
    }
    let seen = work::root_of(answer).and_then(|id| me.offers.get(&id, now_s));
    let Some(call) = seen.filter(|call| call.is_answered_by(answer)) else {
        return Err(Failure::new(
            Code::CallNotFound,
            "nobody has offered you this call (kind 20010), or too long ago",
        ));
    };
    // Who sends the answer here need not publish it before the caller gets in.
    me.offers.take(answer, now_s);
    Ok(call)
}

/// The room of a call of two: the hash of the lower key, the higher one and the offer's id, all in hex.
fn room_of(peers: &[PublicKey; 2], offer: &EventId) -> String {
    let [lower, higher] = peers.map(|it| it.to_hex());
    const_hex::encode(Sha256::digest(format!("{lower}{higher}{}", offer.to_hex())))
}
