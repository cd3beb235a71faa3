//! From somebody who may join a call to a token: maintenance, block lists, the room, the token itself, and that it is
//! remembered.
//!
//! Invariant: a token is handed out only for a room that is there, and only once it is remembered, so that it lets one
//! participant in. Deliberately not here: who may join what (`routes/*`).

use crate::LivekitToken;
use crate::announcing::announce;
use crate::block_lists::{self, Blocked};
use crate::calls::RoomSeen;
use crate::failure::{Code, Failure};
use crate::livekit::LiveKitError;
use crate::maintenance;
use crate::minting;
use crate::porter;
use crate::room_facts::RoomFacts;
use crate::rooms::Space;
use crate::routes::unavailable;
use crate::single_use::Issued;
use livekit_api::services::room::CreateRoomOptions;
use livekit_protocol::{ParticipantInfo, Room};
use std::collections::HashSet;
use std::fmt;
use trellis_relay::extension::prelude::*;

/// One person is in a room with so many devices at most.
const DEVICES_MAX: usize = 5;
/// LiveKit tells of who has gone without a word about so late, in seconds.
const RETRY_DEVICES_S: u64 = 30;

/// Somebody who may join a call.
pub(crate) struct Seat {
    pub(crate) who: PublicKey,
    /// Who they are to LiveKit: their key, and perhaps something behind it.
    pub(crate) identity: String,
    /// The room's name.
    pub(crate) room: String,
    pub(crate) purpose: Purpose,
}

/// What a room is for.
pub(crate) enum Purpose {
    Call(RoomFacts),
    /// The room of a community.
    Space(Space),
}

/// A token for whom it is.
pub(crate) struct Ticket {
    pub(crate) who: PublicKey,
    pub(crate) token: String,
    pub(crate) room: String,
    /// Seconds since 1970.
    pub(crate) expires_at_s: u64,
    /// Somebody is there whom they blocked.
    pub(crate) is_blocked_user_present: bool,
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ticket")
    }
}

/// Makes the room and the token.
pub(crate) async fn issue(me: &LivekitToken, seat: Seat) -> Result<Ticket, Failure> {
    if me.rooms.is_call_ended(&seat.room) {
        return Err(ended());
    }
    maintenance::check(me, &seat.room).await?;
    let turn = me.calls.turn();
    // Whoever blocks somebody is in the room, so it is there already, and making it changes nothing.
    let (present, made) =
        futures_util::join!(me.livekit.participants(&seat.room), make_room(me, &seat));
    let present = match present {
        Ok(present) => {
            check_devices(&present, &seat)?;
            keys_of(&present)
        }
        Err(LiveKitError::NotFound) => HashSet::new(),
        Err(error) => return Err(unavailable(error)),
    };
    let made = made.map_err(unavailable)?;
    // A room of this name that was there before is over.
    let made = RoomSeen {
        name: seat.room.clone(),
        ..porter::seen(&made)
    };
    announce(me, me.calls.opened(&made, turn)).await;
    // The operator may have ended it while it was made.
    if me.rooms.is_call_ended(&seat.room) {
        me.rooms.leave(&seat.room);
        return Err(ended());
    }
    let blocked = block_lists::between(&me.host, &seat.who, &present).await;
    let is_blocked_user_present = match blocked.map_err(unreadable)? {
        Blocked::No => false,
        Blocked::WarnsOf => true,
        Blocked::By => {
            return Err(Failure::new(
                Code::BlockedByParticipant,
                "somebody in this call has blocked you",
            ));
        }
    };
    let (settings, now_s) = (me.settings(), me.host.clock().now_s());
    let minted = minting::mint(&settings, &seat.room, &seat.identity, now_s).map_err(|error| {
        tracing::error!("a token could not be signed: {error}");
        Failure::new(
            Code::LivekitUnavailable,
            "no token can be made now; try again later",
        )
    })?;
    let issued = Issued {
        mark: minted.mark,
        room: seat.room.clone(),
        identity: seat.identity,
        expires_at_s: minted.expires_at_s,
        forget_at_s: now_s + settings.token_cache_ttl_s,
    };
    me.tokens.issue(&issued).await.map_err(|down| {
        tracing::error!("a token could not be remembered: {down}");
        Failure::new(
            Code::LivekitUnavailable,
            "no token can be remembered now; try again later",
        )
    })?;
    Ok(Ticket {
        who: seat.who,
        token: minted.token,
        room: seat.room,
        expires_at_s: minted.expires_at_s,
        is_blocked_user_present,
    })
}

fn ended() -> Failure {
    let text = "the operator of this relay has ended this call";
    Failure::new(Code::RoomClosed, text)
}

async fn make_room(me: &LivekitToken, seat: &Seat) -> Result<Room, LiveKitError> {
    let facts = match &seat.purpose {
        Purpose::Call(facts) => facts,
        Purpose::Space(space) => return me.rooms.provide(&me.livekit, space).await,
    };
    let settings = me.settings();
    let options = CreateRoomOptions {
        empty_timeout: settings.room_empty_timeout_s,
        max_participants: settings.room_participants_max,
        metadata: facts.to_metadata(),
        ..CreateRoomOptions::default()
    };
    me.livekit.create_room(&seat.room, options).await
}

/// A room has places for so many people, and nobody is to take all of them.
fn check_devices(present: &[ParticipantInfo], seat: &Seat) -> Result<(), Failure> {
    let key = seat.who.to_hex();
    let is_another =
        |it: &&ParticipantInfo| it.identity.starts_with(&key) && it.identity != seat.identity;
    match present.iter().filter(is_another).count() < DEVICES_MAX {
        true => Ok(()),
        false => Err(Failure::new(
            Code::RateLimited,
            format!("you are there with {DEVICES_MAX} devices already; leave with one first"),
        )
        .retry_after_s(RETRY_DEVICES_S)),
    }
}

/// Who is there; an identity begins with 64 hex digits.
fn keys_of(present: &[ParticipantInfo]) -> HashSet<PublicKey> {
    let keys = present
        .iter()
        .filter_map(|it| PublicKey::from_hex(it.identity.get(..64)?).ok());
    keys.collect()
}

/// What has to be known for an answer cannot be read.
pub(crate) fn unreadable(error: impl fmt::Display) -> Failure {
    tracing::error!("what has to be known for a token could not be read: {error}");
    Failure::new(
        Code::LivekitUnavailable,
        "what has to be known for this cannot be read now; try again later",
    )
}
