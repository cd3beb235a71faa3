//! Which rooms go on and which are over, whatever order the news comes in.
//!
//! Invariant: of rooms of one name one goes on at most, and no news brings back one that is over. Only a list of LiveKit's
//! does that which was asked for later: then it was taken for over by mistake.

use super::RoomSeen;
use super::call::Call;
use super::opening::{Opening, Running};
use crate::announcing::{Announcement, News};
use std::collections::{HashMap, VecDeque};

/// Rooms that ended and are remembered; news of older ones is told by their age.
pub(super) const ENDED_MAX: usize = 1024;

/// What is known.
pub(super) struct State {
    /// By name.
    pub(super) rooms: HashMap<String, Call>,
    /// Which rooms LiveKit has, as it told last.
    pub(super) running: Running,
    /// By sid, with the turn of the last news that says so.
    pub(super) ended: VecDeque<(String, u64)>,
    /// Counts the news.
    turn: u64,
}

impl State {
    /// So many rooms are known to go on at most.
    pub(super) fn new(rooms_max: usize) -> Self {
        State {
            rooms: HashMap::new(),
            running: Running::new(rooms_max),
            ended: VecDeque::new(),
            turn: 0,
        }
    }

    pub(super) fn next_turn(&mut self) -> u64 {
        self.turn += 1;
        self.turn
    }

    /// What is known of rooms of this name that go on.
    pub(super) fn known(&self, name: &str) -> impl Iterator<Item = &Opening> {
        let call = self.rooms.get(name).map(|call| &call.opening);
        call.into_iter().chain(self.running.get(name))
    }

    /// Whether a room is known to be over: it was told, or a newer one of its name is there.
    pub(super) fn is_over(&self, room: &RoomSeen) -> bool {
        let opening = Opening::of(room);
        self.is_ended(&room.sid) || self.known(&room.name).any(|it| opening.is_before(it))
    }

    /// Whether it was told that a room is over, or that another of its name has taken its place.
    pub(super) fn is_ended(&self, sid: &str) -> bool {
        self.ended.iter().any(|(it, _)| it == sid)
    }

    /// Whether a room is neither known to go on nor known to have ended.
    pub(super) fn is_unheard_of(&self, room: &RoomSeen) -> bool {
        let opening = Opening::of(room);
        let mut known = self.known(&room.name);
        !self.is_ended(&room.sid) && known.all(|it| it.is_another(&opening))
    }

    /// Whether another room of this name is known.
    pub(super) fn has_another(&self, room: &RoomSeen) -> bool {
        let opening = Opening::of(room);
        self.known(&room.name).any(|it| it.is_another(&opening))
    }

    /// Whether another room of this name is known that is not certainly older.
    pub(super) fn is_outlived(&self, room: &RoomSeen) -> bool {
        let opening = Opening::of(room);
        let mut known = self.known(&room.name);
        known.any(|it| it.is_another(&opening) && !it.is_before(&opening))
    }

    /// This room goes on, and no other of its name.
    pub(super) fn begin(&mut self, room: &RoomSeen, turn: u64) -> Vec<Announcement> {
        let opening = Opening::of(room);
        let running = self.running.get(&room.name);
        if let Some(sid) = running
            .filter(|it| it.is_another(&opening))
            .map(|it| it.sid.clone())
        {
            self.remember_ended(&sid, turn);
        }
        let call = self.rooms.get(&room.name);
        let told = match call.is_some_and(|call| call.opening.is_another(&opening)) {
            true => self.end(&room.name, turn),
            false => Vec::new(),
        };
        self.running.put(&room.name, opening, turn);
        told
    }

    /// The call in a room is over.
    pub(super) fn end(&mut self, name: &str, turn: u64) -> Vec<Announcement> {
        let Some(mut call) = self.rooms.remove(name) else {
            return Vec::new();
        };
        self.remember_ended(&call.opening.sid, turn);
        call.tell(name, vec![News::Finished])
    }

    /// Whether a room goes on that is in an answer of LiveKit's. What it was asked at `turn` is right about what was known before,
    /// also where that was taken for over.
    pub(super) fn stands(&mut self, room: &RoomSeen, turn: u64) -> bool {
        let call_turn = self.rooms.get(&room.name).map(|call| call.turn);
        let is_newer_known = call_turn.is_some_and(|it| it >= turn)
            || (self.running.get(&room.name).is_some()
                && !self.running.was_known(&room.name, turn));
        let ended = self.ended.iter().find(|(sid, _)| *sid == room.sid);
        let is_over = ended.is_some_and(|(_, ended)| *ended >= turn);
        if is_over || (is_newer_known && self.is_outlived(room)) {
            return false;
        }
        self.ended.retain(|(sid, _)| *sid != room.sid);
        true
    }

    /// A room is in a list that was asked for at `turn`.
    pub(super) fn listed(&mut self, room: &RoomSeen, turn: u64) -> Vec<Announcement> {
        let is_ours = room.facts.is_some() || self.known(&room.name).next().is_some();
        match self.stands(room, turn) && is_ours {
            true => self.begin(room, turn),
            false => Vec::new(),
        }
    }

    /// A room is over, by what was heard at `turn`.
    pub(super) fn remember_ended(&mut self, sid: &str, turn: u64) {
        if sid.is_empty() {
            return;
        }
        if let Some((_, ended)) = self.ended.iter_mut().find(|(it, _)| it == sid) {
            *ended = turn.max(*ended);
            return;
        }
        self.ended.push_back((sid.to_owned(), turn));
        if self.ended.len() > ENDED_MAX {
            self.ended.pop_front();
        }
    }
}
