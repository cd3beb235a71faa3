//! The calls that go on: who is in which room, and who leads it, as far as this relay has heard.
//!
//! Every piece of news (a webhook, a list) goes in here, and what is to be announced comes out. Invariant: it is all in
//! memory, at most so many rooms with so many sessions each, and gone when the room ends; a room that ended is not opened
//! again by late news, only by a list of LiveKit's that shows it later; late news of it does nothing to a newer one of its name. Deliberately not here: I/O (`porter`), and
//! how announcements look (`announcing`).

mod call;
mod opening;
mod state;
#[cfg(test)]
mod tests;

use crate::announcing::{Announcement, News};
use crate::config::Settings;
use crate::epochs::{Before, Refusal};
use crate::room_facts::RoomFacts;
use call::Call;
use opening::Opening;
use state::State;
use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use trellis_relay::event::PublicKey;

/// A room, as LiveKit tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RoomSeen {
    pub(crate) name: String,
    /// Another one each time a room of that name is opened.
    pub(crate) sid: String,
    /// When that was, in milliseconds since 1970 by LiveKit's clock; 0 where it does not say.
    pub(crate) created_ms: u64,
    /// What it is for, if it is ours.
    pub(crate) facts: Option<RoomFacts>,
}

/// The calls that go on.
pub(crate) struct Calls {
    rooms_max: usize,
    sessions_max: usize,
    state: Mutex<State>,
}

/// What is known of the MLS group of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GroupState {
    pub(crate) epoch: u64,
    /// Nothing before the first commit.
    pub(crate) tree_hash: Option<String>,
    pub(crate) leader: PublicKey,
    /// Who is there, the longest present first.
    pub(crate) people: Vec<PublicKey>,
    pub(crate) facts: Option<RoomFacts>,
}

/// A commit that counts.
#[derive(Debug)]
pub(crate) struct Accepted {
    /// The epoch that it began.
    pub(crate) epoch: u64,
    before: Before,
    /// To be made; nothing in a room of which nothing is told.
    pub(crate) announcement: Option<Announcement>,
}

impl Calls {
    /// As the settings bound it; somebody may have several sessions, one of which LiveKit has not yet let go.
    pub(crate) fn of(settings: &Settings) -> Self {
        let sessions_max = settings.room_participants_max as usize * 4;
        Self::new(settings.bounds.rooms, sessions_max)
    }

    /// Knows at most so many rooms, and so many sessions in each.
    pub(crate) fn new(rooms_max: usize, sessions_max: usize) -> Self {
        Calls {
            rooms_max,
            sessions_max,
            state: Mutex::new(State::new(rooms_max)),
        }
    }

    /// Somebody is in a room, since then.
    pub(crate) fn joined(
        &self,
        room: &RoomSeen,
        sid: &str,
        who: PublicKey,
        since_ms: u64,
    ) -> Vec<Announcement> {
        let mut state = self.state();
        let turn = state.next_turn();
        let mut told = Vec::new();
        if let Some(call) = self.open(&mut state, room, turn, &mut told) {
            let news = call.joined(sid, who, since_ms, turn);
            told.extend(call.tell(&room.name, news));
        }
        told
    }

    /// LiveKit, which was asked at `turn`, has made or found a room, in which nobody may be yet. One before it of that name is
    /// over.
    pub(crate) fn opened(&self, room: &RoomSeen, turn: u64) -> Vec<Announcement> {
        let mut state = self.state();
        let now = state.next_turn();
        match state.stands(room, turn) {
            true => state.begin(room, now),
            false => Vec::new(),
        }
    }

    /// Whether it cannot be told of a room if it goes on: it was not heard of so far, nor that it has ended.
    pub(crate) fn is_unheard_of(&self, room: &RoomSeen) -> bool {
        self.state().is_unheard_of(room)
    }

    /// There was news of a room, and LiveKit was asked at `turn` which one of its name there is. Where that is another, the news
    /// was of one that is over.
    pub(crate) fn told_apart(
        &self,
        room: &RoomSeen,
        there: &RoomSeen,
        turn: u64,
    ) -> Vec<Announcement> {
        let told = self.opened(there, turn);
        let mut state = self.state();
        if Opening::of(there).is_another(&Opening::of(room)) && state.is_unheard_of(room) {
            state.remember_ended(&room.sid, turn);
        }
        told
    }

    /// Whether a room is known to be over, though one of its name may go on.
    pub(crate) fn is_over(&self, room: &RoomSeen) -> bool {
        self.state().is_over(room)
    }

    /// A session is in a room no more.
    pub(crate) fn left(&self, room: &RoomSeen, sid: &str) -> Vec<Announcement> {
        let mut state = self.state();
        let turn = state.next_turn();
        let mut told = Vec::new();
        // That somebody left tells of no room that it goes on.
        if state.is_outlived(room) {
            return told;
        }
        if let Some(call) = self.open(&mut state, room, turn, &mut told) {
            let gone = call.presence.go(sid);
            let news = call.left(gone);
            told.extend(call.tell(&room.name, news));
        }
        told
    }

    /// A room is over: all that is known of it is wiped. Nothing where another of its name goes on, which keeps all.
    pub(crate) fn finished(&self, room: &RoomSeen) -> Option<Vec<Announcement>> {
        let mut state = self.state();
        let turn = state.next_turn();
        let is_repeated = state.is_ended(&room.sid);
        state.remember_ended(&room.sid, turn);
        // Of one that had ended before, whatever its clock says, another took the place.
        if state.is_outlived(room) || (is_repeated && state.has_another(room)) {
            return None;
        }
        if is_repeated {
            return Some(Vec::new());
        }
        state.running.remove(&room.name);
        let known = state.rooms.remove(&room.name);
        // Nobody was in it as far as is known.
        let mut call = known.unwrap_or_else(|| Call::new(Opening::of(room), 0, 0));
        state.remember_ended(&call.opening.sid, turn);
        if room.facts.is_some() {
            call.facts.clone_from(&room.facts);
        }
        Some(call.tell(&room.name, vec![News::Finished]))
    }

    /// To be taken before a list is asked for: what is heard of from here on, the list may not show.
    pub(crate) fn turn(&self) -> u64 {
        self.state().next_turn()
    }

    /// A list of who is in a room, asked for at `turn`: those who were known then and are not in it have left.
    pub(crate) fn listed(
        &self,
        room: &RoomSeen,
        sids: &BTreeSet<String>,
        turn: u64,
    ) -> Vec<Announcement> {
        let mut state = self.state();
        let Some(call) = state.rooms.get_mut(&room.name) else {
            return Vec::new();
        };
        if call.opening.is_another(&Opening::of(room)) {
            return Vec::new();
        }
        let gone = call.presence.stay(sids, turn);
        let news = gone.into_iter().flat_map(|who| call.left(Some(who)));
        let news = news.collect();
        call.tell(&room.name, news)
    }

    /// A list of all rooms that there are, asked for at `turn`: the others that were known then are over. The names of which
    /// there is no room any more, and what is to be announced.
    pub(crate) fn rooms_listed(
        &self,
        rooms: &[RoomSeen],
        turn: u64,
    ) -> (Vec<String>, Vec<Announcement>) {
        let mut state = self.state();
        let names: BTreeSet<&str> = rooms.iter().map(|room| &*room.name).collect();
        for name in state.running.known_before(turn) {
            if !names.contains(&*name) {
                state.running.remove(&name);
            }
        }
        let missing = state.rooms.iter().filter(|(name, call)| {
            let could_show = call.turn < turn;
            could_show && !names.contains(name.as_str())
        });
        let missing: Vec<String> = missing.map(|(name, _)| name.clone()).collect();
        let mut told = Vec::new();
        for name in &missing {
            told.extend(state.end(name, turn));
        }
        for room in rooms {
            told.extend(state.listed(room, turn));
        }
        (missing, told)
    }

    /// Whether somebody is or was known in a room of this name.
    pub(crate) fn knows(&self, room: &str) -> bool {
        self.state().rooms.contains_key(room)
    }

    /// A session is to be put out of a room: whether that is to be done now, which it is once, and what is to be announced.
    pub(crate) fn put_out(&self, room: &RoomSeen, sid: &str) -> (bool, Vec<Announcement>) {
        let mut state = self.state();
        let turn = state.next_turn();
        let mut told = Vec::new();
        // What is not followed is put out each time it is seen.
        let Some(call) = self.open(&mut state, room, turn, &mut told) else {
            return (true, told);
        };
        let is_new = !call.presence.has_gone(sid);
        let gone = call.presence.go(sid);
        let news = call.left(gone);
        told.extend(call.tell(&room.name, news));
        (is_new, told)
    }

    /// A session could not be put out of a room: it is to be tried again.
    pub(crate) fn not_put_out(&self, room: &str, sid: &str) {
        if let Some(call) = self.state().rooms.get_mut(room) {
            call.presence.forget(sid);
        }
    }

    /// What is known of the MLS group of a room. Nothing where nobody is.
    pub(crate) fn group_state(&self, room: &str) -> Option<GroupState> {
        let state = self.state();
        let call = state.rooms.get(room)?;
        let authority = call.authority.as_ref()?;
        let mut people: Vec<_> = call.presence.people().into_iter().collect();
        people.sort_by_key(|(who, since_ms)| (*since_ms, who.to_bytes()));
        Some(GroupState {
            epoch: authority.epoch(),
            tree_hash: authority.tree_hash().map(str::to_owned),
            leader: authority.leader(),
            people: people.into_iter().map(|(who, _)| who).collect(),
            facts: call.facts.clone(),
        })
    }

    /// A commit by somebody for the epoch that they believe to be in force; `commit` is told to the others as it is.
    /// Nothing where nobody is.
    pub(crate) fn commit(
        &self,
        room: &str,
        by: PublicKey,
        epoch: u64,
        tree_hash: &str,
        commit: String,
    ) -> Option<Result<Accepted, Refusal>> {
        let mut state = self.state();
        let call = state.rooms.get_mut(room)?;
        let authority = call.authority.as_mut()?;
        let before = match authority.commit(&by, epoch, tree_hash) {
            Ok(before) => before,
            Err(refusal) => return Some(Err(refusal)),
        };
        let epoch = authority.epoch();
        let news = News::Commit {
            by,
            epoch,
            tree_hash: tree_hash.to_owned(),
            commit,
        };
        Some(Ok(Accepted {
            epoch,
            before,
            announcement: call.tell(room, vec![news]).pop(),
        }))
    }

    /// A commit could be told to nobody.
    pub(crate) fn take_back(&self, room: &str, accepted: Accepted) {
        let mut state = self.state();
        let call = state.rooms.get_mut(room);
        if let Some(authority) = call.and_then(|call| call.authority.as_mut()) {
            authority.take_back(accepted.before);
        }
    }

    /// The call in a room, which begins with this if there is place. An older one of that name, whose end nobody told, ends.
    fn open<'s>(
        &self,
        state: &'s mut State,
        room: &RoomSeen,
        turn: u64,
        told: &mut Vec<Announcement>,
    ) -> Option<&'s mut Call> {
        if state.is_over(room) {
            return None;
        }
        told.extend(state.begin(room, turn));
        if !state.rooms.contains_key(&room.name) && state.rooms.len() >= self.rooms_max {
            tracing::warn!("more rooms are in use than bounds.rooms allows; one is not followed");
            return None;
        }
        let call = state.rooms.entry(room.name.clone());
        let call = call.or_insert_with(|| Call::new(Opening::of(room), self.sessions_max, turn));
        if room.facts.is_some() {
            call.facts.clone_from(&room.facts);
        }
        Some(call)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
