//! One call: who is in its room, who leads, and what is to be told of it.

use super::opening::Opening;
use crate::announcing::{Announcement, News};
use crate::epochs::Authority;
use crate::presence::{Came, Presence};
use crate::room_facts::RoomFacts;
use trellis_relay::event::PublicKey;

/// A call.
pub(super) struct Call {
    /// The room's.
    pub(super) opening: Opening,
    pub(super) facts: Option<RoomFacts>,
    pub(super) presence: Presence,
    /// While somebody is there.
    pub(super) authority: Option<Authority>,
    /// In which it was first heard of.
    pub(super) turn: u64,
    /// Announcements so far, so that clients can put them in order.
    told: u64,
}

impl Call {
    pub(super) fn new(opening: Opening, sessions_max: usize, turn: u64) -> Self {
        Call {
            opening,
            facts: None,
            presence: Presence::new(sessions_max),
            authority: None,
            turn,
            told: 0,
        }
    }

    /// A session is there. Whoever comes into an empty room leads.
    pub(super) fn joined(
        &mut self,
        sid: &str,
        who: PublicKey,
        since_ms: u64,
        turn: u64,
    ) -> Vec<News> {
        match self.presence.come(sid, who, since_ms, turn) {
            Came::New => {
                self.authority
                    .get_or_insert_with(|| Authority::new(who, turn));
                vec![News::Joined(who)]
            }
            Came::Known | Came::Gone => Vec::new(),
            Came::Full => {
                tracing::warn!("more sessions are in a room than it may have; one is not followed");
                Vec::new()
            }
        }
    }

    /// Somebody has no session left. When the leader goes, the longest present leads; when the last goes, the group's state
    /// is wiped.
    pub(super) fn left(&mut self, gone: Option<PublicKey>) -> Vec<News> {
        let Some(gone) = gone else {
            return Vec::new();
        };
        let mut news = vec![News::Left(gone)];
        let Some(next) = self.presence.longest() else {
            self.authority = None;
            return news;
        };
        if let Some(authority) = &mut self.authority
            && authority.leader() == gone
        {
            authority.pass_to(next);
            news.push(News::Leads {
                who: next,
                epoch: authority.epoch(),
            });
        }
        news
    }

    /// What is to be announced; nothing of a room that says not what it is for, since nobody could say who may know.
    pub(super) fn tell(&mut self, room: &str, news: Vec<News>) -> Vec<Announcement> {
        let Some(facts) = &self.facts else {
            return Vec::new();
        };
        let told = news.into_iter().map(|news| {
            self.told += 1;
            Announcement {
                room: room.to_owned(),
                facts: facts.clone(),
                number: self.told,
                news,
            }
        });
        told.collect()
    }
}
