//! What the relay tells of calls: who came (20004) and left (20005), that a call is over (20006), who leads (20007), and
//! commits (20021); signed with its key, sent to whoever listens and stored nowhere.
//!
//! Invariant: what a call of a group is about carries the group's `h`, so that whoever may not read the group does not see
//! it (NIP-29); of a call of two nobody learns but those two. Nobody else publishes these kinds here. A failure is logged
//! without a word on room or people.

use crate::LivekitToken;
use crate::room_facts::RoomFacts;
use std::fmt;
use trellis_relay::extension::prelude::*;
use trellis_relay::nostr::event::{EventBuilder, Kind, Tag};

const JOINED: u16 = 20_004;
const LEFT: u16 = 20_005;
const FINISHED: u16 = 20_006;
const LEADS: u16 = 20_007;
const COMMIT: u16 = 20_021;

/// The kinds that are the relay's own.
fn kinds() -> Kinds {
    [JOINED, LEFT, FINISHED, LEADS, COMMIT]
        .into_iter()
        .collect()
}

/// Something of a call that is to be told.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Announcement {
    pub(crate) room: String,
    pub(crate) facts: RoomFacts,
    /// Counts those of the room, as this relay makes them.
    pub(crate) number: u64,
    pub(crate) news: News,
}

/// What there is to tell.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum News {
    Joined(PublicKey),
    Left(PublicKey),
    Finished,
    /// Somebody leads from here on, at this epoch.
    Leads {
        who: PublicKey,
        epoch: u64,
    },
    /// The commit (base64) with which an epoch begins.
    Commit {
        by: PublicKey,
        epoch: u64,
        tree_hash: String,
        commit: String,
    },
}

impl News {
    fn kind(&self) -> u16 {
        match self {
            News::Joined(_) => JOINED,
            News::Left(_) => LEFT,
            News::Finished => FINISHED,
            News::Leads { .. } => LEADS,
            News::Commit { .. } => COMMIT,
        }
    }

    fn about(&self) -> Option<PublicKey> {
        match self {
            News::Joined(who) | News::Left(who) | News::Leads { who, .. } => Some(*who),
            News::Commit { by, .. } => Some(*by),
            News::Finished => None,
        }
    }
}

/// A log never joins somebody with a call.
impl fmt::Debug for News {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "News({})", self.kind())
    }
}

impl fmt::Debug for Announcement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Announcement({})", self.news.kind())
    }
}

impl Announcement {
    /// The event, unsigned. The first `p` is whom it is about; those of a call of two follow.
    fn event(self) -> EventBuilder {
        let mut tags = self.facts.tags();
        let mut tag = |values: &[&str]| tags.push(values.iter().map(|&it| it.to_owned()).collect());
        tag(&["room", &self.room]);
        tag(&["seq", &self.number.to_string()]);
        let about = self.news.about();
        if let Some(who) = &about {
            tag(&["p", &who.to_hex()]);
        }
        for peer in self.facts.peers().iter().filter(|it| Some(**it) != about) {
            tag(&["p", &peer.to_hex(), "", "peer"]);
        }
        let kind = Kind::from(self.news.kind());
        let content = match self.news {
            News::Leads { epoch, .. } => {
                tag(&["epoch", &epoch.to_string()]);
                String::new()
            }
            News::Commit {
                epoch,
                tree_hash,
                commit,
                ..
            } => {
                tag(&["epoch", &epoch.to_string()]);
                tag(&["tree_hash", &tree_hash]);
                commit
            }
            News::Joined(_) | News::Left(_) | News::Finished => String::new(),
        };
        let tags = tags.into_iter().filter_map(|tag| Tag::parse(tag).ok());
        EventBuilder::new(kind, content).tags(tags)
    }
}

/// Tells all of it, in order; what cannot be told is lost, as for anybody who is not connected.
pub(crate) async fn announce(me: &LivekitToken, announcements: Vec<Announcement>) {
    for announcement in announcements {
        // It is counted and logged there.
        let _ = try_to_announce(me, announcement).await;
    }
}

/// Tells it; an error says why nobody heard it.
pub(crate) async fn try_to_announce(
    me: &LivekitToken,
    announcement: Announcement,
) -> Result<(), Reason> {
    let kind = announcement.news.kind();
    let told = me.host.publish(announcement.event()).await;
    told.map(drop).inspect_err(|_| {
        tracing::warn!(kind, "an event about a call could not be published");
    })
}

/// Keeps these kinds to the relay, and calls of two to the two.
pub(crate) fn register(hooks: &mut Registrar<LivekitToken>) {
    hooks.never_open();
    hooks.admit(kinds(), |_me, _event, viewer| {
        if viewer.is_relay() {
            return Ok(Admit::Accept);
        }
        let text = "only the relay tells of calls (kinds 20004 to 20007 and 20021)";
        Ok(Reason::blocked(text).into())
    });
    hooks.deliver_many(kinds(), |_me, event, audience| {
        let is_open = event.first_tag_value("h").is_some() || event.first_tag_value("a").is_some();
        if !is_open {
            let peers = event.tag_values(b'p');
            let peers: Vec<PublicKey> = peers
                .filter_map(|it| PublicKey::from_hex(&it).ok())
                .collect();
            audience.retain(|viewer| peers.iter().any(|peer| viewer.is(peer)));
        }
        Ok(())
    });
}
