//! `POST /token/group`: a token for a call (1020) of a group, for a request (20002) by one of its members.

use super::answer::{Granted, granted};
use super::asker::Asker;
use crate::LivekitToken;
use crate::failure::{Code, Failure};
use crate::issuing::{self, Purpose, Seat, Ticket, unreadable};
use crate::room_facts::RoomFacts;
use crate::watch;
use crate::work;
use actix_web::http::Method;
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use trellis_relay::extension::GroupMembership;
use trellis_relay::extension::prelude::*;

const REQUEST: u16 = 20_002;
const CALL: u16 = 1020;

/// A request to join a group's call.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "LivekitGroupRequest")]
struct Body {
    /// An event of kind 20002 with the group (`h`) and the call (`e`, marked as root).
    #[schemars(with = "serde_json::Map<String, serde_json::Value>")]
    event: Box<RawValue>,
}

pub(super) fn declare(api: &mut Api) {
    api.route(Method::POST, "/token/group", answer)
        .summary("A token for a call of a group")
        .takes(|inputs| {
            inputs.nip98();
            inputs.body::<Body>();
        })
        .answers::<Granted>(200)
        .fails(
            403,
            "NOT_GROUP_MEMBER, BLOCKED_BY_PARTICIPANT or USER_BANNED.",
        )
        .fails(
            404,
            "CALL_NOT_FOUND: there is no such call by a member of the group, or it is over.",
        )
        .fails(429, "RATE_LIMITED.")
        .fails(503, "LIVEKIT_UNAVAILABLE or MAINTENANCE.");
}

async fn answer(request: HttpRequest, payload: web::Payload) -> Result<HttpResponse, Failure> {
    let result = token(&request, payload).await;
    watch::token_asked_for("group", &result);
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
    let event = work::read(me, &body.event, &[REQUEST], Some(&asker.pubkey))?;
    let group = event.first_tag_value("h").ok_or_else(|| {
        Failure::new(
            Code::InvalidRequest,
            "the event needs an h tag with the group's id",
        )
    })?;
    let call = work::root_of(&event).ok_or_else(|| {
        Failure::new(
            Code::InvalidRequest,
            "the event needs an e tag with the call's id, marked as root",
        )
    })?;
    check_membership(me, &group, &asker.pubkey)?;
    check_call(me, &group, call).await?;
    let seat = Seat {
        who: asker.pubkey,
        identity: asker.pubkey.to_hex(),
        room: room_of(&group, &call),
        purpose: Purpose::Call(RoomFacts::of_group(&group, call)),
    };
    let ticket = issuing::issue(me, seat).await?;
    Ok((asker.me, ticket))
}

/// The room of a call of a group: the hash of both ids, one behind the other.
pub(super) fn room_of(group: &str, call: &EventId) -> String {
    const_hex::encode(Sha256::digest(format!("{group}{}", call.to_hex())))
}

/// Refuses whoever is no member of a group; who is not told whether there is such a group.
pub(super) fn check_membership(
    me: &LivekitToken,
    group: &str,
    who: &PublicKey,
) -> Result<(), Failure> {
    match is_member(me, group, who)? {
        true => Ok(()),
        false => Err(Failure::new(
            Code::NotGroupMember,
            "you are no member of this group",
        )),
    }
}

fn is_member(me: &LivekitToken, group: &str, who: &PublicKey) -> Result<bool, Failure> {
    let Some(groups) = me.host.service::<dyn GroupMembership>().get() else {
        return Err(unreadable("no extension that runs groups (NIP-29) is on"));
    };
    Ok(groups.roles(group, who).map_err(unreadable)?.is_some())
}

/// Refuses a call that is not the group's, or over: by its expiration, by its words, or by what its author said later. The
/// group's are those of its members: anybody's event may name any group, and be stored without being the group's.
async fn check_call(me: &LivekitToken, group: &str, id: EventId) -> Result<(), Failure> {
    let call = me.host.query(Filter {
        ids: Some(vec![id]),
        kinds: Some(vec![CALL]),
        limit: Some(1),
        ..Filter::default()
    });
    let call = call.await.map_err(unreadable)?;
    let now_s = me.host.clock().now_s();
    let call = call.first().filter(|call| {
        call.first_tag_value("h").is_some_and(|it| it == group) && !is_over(call, now_s)
    });
    let Some(call) = call else {
        return Err(not_found());
    };
    if !is_member(me, group, call.pubkey())? {
        return Err(not_found());
    }
    let later = me.host.query(Filter {
        kinds: Some(vec![CALL]),
        authors: Some(vec![*call.pubkey()]),
        tags: [(b'e', vec![id.to_hex()])].into(),
        limit: Some(LATER_MAX),
        ..Filter::default()
    });
    let later = later.await.map_err(unreadable)?;
    match later.iter().any(|it| is_over(it, now_s)) {
        true => Err(not_found()),
        false => Ok(()),
    }
}

/// What an author says of one call later on is read so far back.
const LATER_MAX: usize = 20;

fn is_over(call: &Event, now_s: u64) -> bool {
    call.expiration().is_some_and(|at_s| at_s <= now_s)
        || call
            .first_tag_value("status")
            .is_some_and(|status| matches!(&*status, "ended" | "closed"))
        || call
            .first_tag_value("ends")
            .is_some_and(|at_s| at_s.parse::<u64>().is_ok_and(|at_s| at_s <= now_s))
}

fn not_found() -> Failure {
    Failure::new(
        Code::CallNotFound,
        "there is no such call in this group, or it is over",
    )
}
