//! What follows from who is in a room: a token lets one session in, a copy is put out, those who belong are known and
//! announced, and what is known of a call is wiped when it ends.
//!
//! Webhooks and lists come here alike, so that news that was lost is made up for and news that comes twice changes nothing.
//! Invariant: rooms that are not ours are left alone, and so is whoever is there with a token that others have issued. No
//! line that is logged says which room or who.

use crate::LivekitToken;
use crate::announcing::announce;
use crate::calls::RoomSeen;
use crate::decisions;
use crate::livekit::LiveKitError;
use crate::room_facts::RoomFacts;
use crate::single_use::{Arrival, CacheDown, MARK_ATTRIBUTE};
use crate::watch;
use futures_util::{StreamExt, stream};
use livekit_protocol::{ParticipantInfo, Room, participant_info};
use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;
use trellis_relay::extension::GroupMembership;
use trellis_relay::extension::prelude::*;

/// Why somebody is put out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    /// They came with a copy of a token.
    Copy,
    /// A copy was seen in their name, and they have no newer token.
    Refused,
    /// They do not belong to the room's group any more.
    NoMember,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Why::Copy | Why::Refused => "their token had been used before",
            Why::NoMember => "they are no member of its group any more",
        })
    }
}

/// So many lists are asked for at a time.
const LISTS_AT_A_TIME: usize = 8;

/// A session in a room, as LiveKit tells of it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct SessionSeen {
    pub(crate) sid: String,
    /// 64 hex digits of a public key, and perhaps more.
    pub(crate) identity: String,
    /// Of the token, if this operator issued it.
    pub(crate) mark: Option<String>,
    /// In milliseconds since 1970.
    pub(crate) since_ms: u64,
}

/// What could not be done; none of it says whom or what room it is about.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Trouble {
    #[error(transparent)]
    Tokens(#[from] CacheDown),
    #[error(transparent)]
    LiveKit(#[from] LiveKitError),
}

/// Of a room of ours that was not heard of, as after a restart, or while another of its name is known, LiveKit is asked: news may
/// be of one that is over, and when two were opened does not always tell which is the newer. While LiveKit does not answer, news
/// is taken for what it is.
pub(crate) async fn ask_about(me: &LivekitToken, room: &RoomSeen) {
    if room.facts.is_none() || !me.calls.is_unheard_of(room) {
        return;
    }
    let turn = me.calls.turn();
    let Ok(there) = me.livekit.rooms(vec![room.name.clone()]).await else {
        return;
    };
    for there in there.iter().filter(|it| it.name == room.name) {
        announce(me, me.calls.told_apart(room, &seen(there), turn)).await;
    }
}

/// Somebody is in a room.
pub(crate) async fn joined(
    me: &LivekitToken,
    room: &RoomSeen,
    session: &SessionSeen,
) -> Result<(), Trouble> {
    let Some(who) = key_of(&session.identity) else {
        return Ok(());
    };
    let Some(mark) = &session.mark else {
        return Ok(());
    };
    let (sid, now_s) = (&*session.sid, me.host.clock().now_s());
    let arrival = me.tokens.arrive(mark, sid, now_s).await?;
    // Late news: who is in the next room of this name has nothing to do with it.
    if me.calls.is_over(room) {
        return Ok(());
    }
    if arrival == Arrival::Replay {
        return put_out(me, room, session, Why::Copy).await;
    }
    if !may_stay(me, room, &who) {
        return put_out(me, room, session, Why::NoMember).await;
    }
    // The first session stays in peace, whatever its copies do; it is LiveKit that puts out one of two with a name.
    if arrival != Arrival::Same {
        let is_refused = me
            .tokens
            .is_refused(&room.name, &session.identity, now_s)
            .await?;
        if is_refused {
            return put_out(me, room, session, Why::Refused).await;
        }
    }
    let told = me.calls.joined(room, sid, who, session.since_ms);
    announce(me, told).await;
    Ok(())
}

/// Somebody is in a room no more.
pub(crate) async fn left(me: &LivekitToken, room: &RoomSeen, sid: &str) {
    announce(me, me.calls.left(room, sid)).await;
}

/// A room is over.
pub(crate) async fn finished(me: &LivekitToken, room: &RoomSeen) -> Result<(), Trouble> {
    // Another room of this name goes on, and keeps what it refuses.
    let Some(told) = me.calls.finished(room) else {
        return Ok(());
    };
    if told.is_empty() && room.facts.is_none() {
        return Ok(());
    }
    watch::room("finished");
    announce(me, told).await;
    me.tokens.forget_room(&room.name).await?;
    Ok(())
}

/// Recording is not allowed: a room of ours in which it goes on is closed, and the decision logged.
pub(crate) async fn close_recorded(me: &LivekitToken, room: &RoomSeen) -> Result<(), Trouble> {
    if !is_ours(me, room) || me.calls.is_over(room) {
        return Ok(());
    }
    match me.livekit.delete_room(&room.name).await {
        Ok(()) => {
            watch::room("closed");
            tracing::warn!(
                rule = "no recording",
                reason = "LiveKit reported an active recording",
                "a room was closed"
            );
            let reason = "LiveKit reported an active recording";
            decisions::note(me, "close room", "call", "no recording", reason).await;
            Ok(())
        }
        Err(LiveKitError::NotFound) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Whether somebody still belongs where the room is a group's. While that cannot be told they stay.
fn may_stay(me: &LivekitToken, room: &RoomSeen, who: &PublicKey) -> bool {
    let Some(group) = room.facts.as_ref().and_then(RoomFacts::group) else {
        return true;
    };
    match me.host.service::<dyn GroupMembership>().get() {
        Some(groups) => !matches!(groups.roles(group, who), Ok(None)),
        None => true,
    }
}

/// Puts somebody out: once.
async fn put_out(
    me: &LivekitToken,
    room: &RoomSeen,
    session: &SessionSeen,
    why: Why,
) -> Result<(), Trouble> {
    let (is_to_do, told) = me.calls.put_out(room, &session.sid);
    announce(me, told).await;
    if !is_to_do {
        return Ok(());
    }
    if why != Why::NoMember {
        watch::replay();
    }
    match remove(me, room, session, why).await {
        Ok(true) => {
            tracing::warn!("somebody was put out of a room: {why}");
            Ok(())
        }
        Ok(false) => Ok(()),
        // LiveKit forgets for a moment whom it lets in as it puts out another of the name: a list may show them again.
        Err(Trouble::LiveKit(LiveKitError::NotFound)) => {
            me.calls.not_put_out(&room.name, &session.sid);
            Ok(())
        }
        Err(trouble) => {
            me.calls.not_put_out(&room.name, &session.sid);
            Err(trouble)
        }
    }
}

/// LiveKit removes by identity, and the session that is to go may have gone, and its rightful owner come back. So it is asked
/// just before whose the identity is now; who comes between its answer and the removal is hit, and gets in again with a new
/// token. Whether the session was there.
async fn remove(
    me: &LivekitToken,
    room: &RoomSeen,
    session: &SessionSeen,
    why: Why,
) -> Result<bool, Trouble> {
    let (name, identity) = (&room.name, &session.identity);
    let there = me.livekit.participant(name, identity).await;
    if there.as_ref().is_ok_and(|it| it.sid != session.sid) {
        return Ok(false);
    }
    let mut refused = Ok(());
    if why == Why::Copy {
        let until_s = me.host.clock().now_s() + me.settings().token_cache_ttl_s;
        refused = me.tokens.refuse(name, identity, until_s).await;
    }
    there?;
    me.livekit.remove_participant(name, identity).await?;
    // A refusal that found no place is no reason to let a copy stay.
    refused?;
    Ok(true)
}

/// Looks at who is in which room, every `participants_poll_seconds`, since webhooks can be lost. Never ends.
pub(crate) async fn keep_looking(me: &LivekitToken) {
    loop {
        if let Err(trouble) = look(me).await {
            tracing::warn!("who is in which room could not be looked up: {trouble}");
        }
        let pause = Duration::from_secs(me.settings().participants_poll_s);
        tokio::time::sleep(pause).await;
    }
}

/// Looks once. What went wrong in one room does not keep the others from being looked at.
async fn look(me: &LivekitToken) -> Result<(), Trouble> {
    let turn = me.calls.turn();
    let rooms = me.livekit.rooms(Vec::new()).await?;
    let is_recorded: Vec<bool> = rooms.iter().map(|room| room.active_recording).collect();
    let rooms: Vec<RoomSeen> = rooms.iter().map(seen).collect();
    let (over, told) = me.calls.rooms_listed(&rooms, turn);
    announce(me, told).await;
    let mut forgotten = Ok(());
    for name in over {
        watch::room("finished");
        forgotten = forgotten.and(me.tokens.forget_room(&name).await);
    }
    let ours = rooms.into_iter().zip(is_recorded);
    let ours = ours.filter(|(room, _)| is_ours(me, room));
    let looks =
        ours.map(|(room, is_recorded)| async move { look_into(me, &room, is_recorded).await });
    let looks: Vec<_> = stream::iter(looks)
        .buffer_unordered(LISTS_AT_A_TIME)
        .collect()
        .await;
    looks.into_iter().collect::<Result<(), _>>()?;
    Ok(forgotten?)
}

async fn look_into(me: &LivekitToken, room: &RoomSeen, is_recorded: bool) -> Result<(), Trouble> {
    if is_recorded {
        return close_recorded(me, room).await;
    }
    let turn = me.calls.turn();
    let people = match me.livekit.participants(&room.name).await {
        Ok(people) => people,
        // It ended meanwhile, which the next look will show.
        Err(LiveKitError::NotFound) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let sessions = people.iter().filter(|it| is_there(it)).map(session_of);
    let mut sessions: Vec<SessionSeen> = sessions.collect();
    // After a restart of the relay the longest present is to lead.
    sessions.sort_by(|a, b| (a.since_ms, &a.identity).cmp(&(b.since_ms, &b.identity)));
    let sids: BTreeSet<String> = sessions.iter().map(|it| it.sid.clone()).collect();
    // Who left first: a copy of a token comes in as its owner is put out.
    announce(me, me.calls.listed(room, &sids, turn)).await;
    let mut looked = Ok(());
    for session in &sessions {
        // One who cannot be put out does not keep the others from being looked at.
        looked = looked.and(joined(me, room, session).await);
    }
    looked
}

/// Whether a room is this operator's.
pub(crate) fn is_ours(me: &LivekitToken, room: &RoomSeen) -> bool {
    room.facts.is_some() || me.calls.knows(&room.name)
}

fn is_there(person: &ParticipantInfo) -> bool {
    let state = person.state();
    state == participant_info::State::Joined || state == participant_info::State::Active
}

/// A room as LiveKit's answers have it.
pub(crate) fn seen(room: &Room) -> RoomSeen {
    RoomSeen {
        name: room.name.clone(),
        sid: room.sid.clone(),
        created_ms: since_ms(room.creation_time, room.creation_time_ms),
        facts: RoomFacts::of_room(&room.name, &room.metadata),
    }
}

fn session_of(person: &ParticipantInfo) -> SessionSeen {
    SessionSeen {
        sid: person.sid.clone(),
        identity: person.identity.clone(),
        mark: person.attributes.get(MARK_ATTRIBUTE).cloned(),
        since_ms: since_ms(person.joined_at, person.joined_at_ms),
    }
}

/// When somebody came, or a room was made; older servers tell it in seconds alone.
pub(crate) fn since_ms(since_s: i64, since_ms: i64) -> u64 {
    let since_ms = match since_ms {
        0 => since_s.saturating_mul(1000),
        since_ms => since_ms,
    };
    since_ms.max(0).unsigned_abs()
}

/// The public key that an identity begins with.
fn key_of(identity: &str) -> Option<PublicKey> {
    PublicKey::from_hex(identity.get(..64)?).ok()
}
