//! Rooms of communities: a space (NIP-53, kind 30312) of a member asks for one, and it is there as long as the event does.
//!
//! There is a room for a space that is open or private, has a name, is neither expired nor deleted, names this operator as
//! its `service`, and is for a community that this operator serves and of which its author is a member. A newer version of
//! the event that still asks for the room leaves it as it is; otherwise it is ended, and who is in it is put out.
//!
//! Invariant: what is decided here is decided by the events that are stored now; memory only tells what to look at. Of the
//! rooms in LiveKit, those that carry this operator's mark are ended when no event asks for them, and no others.

mod ended;
mod following;
mod marks;
mod meeting;
mod registry;
mod space;
#[cfg(test)]
mod tests;
mod upkeep;

#[cfg(test)]
pub(crate) use tests::ground;

pub(crate) use following::register;
pub(crate) use meeting::{Talk, talk_about, talk_of};
pub(crate) use space::{SPACE, Space, Unfit};

use crate::communities::{self, Communities, unreadable};
use crate::config::Settings;
use crate::failure::{Code, Failure};
use crate::livekit::{LiveKit, LiveKitError};
use crate::operator::Operator;
use ended::Ended;
use livekit_api::services::room::CreateRoomOptions;
use livekit_protocol::Room;
use marks::Marks;
use meeting::{MEETING, Meeting};
use registry::Registry;
use serde_json::json;
use std::collections::HashSet;
use std::sync::Arc;
use tokio::sync::Mutex;
use trellis_relay::event::Address;
use trellis_relay::extension::prelude::*;
use trellis_relay::store::StoreError;

/// The rooms of communities.
pub(crate) struct Rooms {
    host: Host,
    settings: Arc<Settings>,
    operator: Operator,
    communities: Arc<Communities>,
    registry: Registry,
    marks: Marks,
    ended: Ended,
    /// What rooms that were made here have as metadata.
    mark: String,
    /// Held while a room is ended: LiveKit keeps the second of two who end the same room waiting for long.
    ending: Mutex<()>,
}

/// Why there is no room for a space, if there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoRoom {
    /// This operator has no rooms for communities (`communities = false`).
    Off,
    /// By its own words.
    Unfit(Unfit),
    /// The operator has ended it.
    Ended,
    /// None of its communities lets its author have one; what the last of them says.
    Community(communities::Refusal),
}

impl Rooms {
    /// Reads what operators have ended.
    pub(crate) async fn load(
        host: &Host,
        settings: &Arc<Settings>,
        communities: &Arc<Communities>,
    ) -> Result<Self, StoreError> {
        let named = settings.operator_url.clone();
        let named = named.unwrap_or_else(|| host.relay_pubkey().to_hex());
        Ok(Rooms {
            operator: Operator::new(settings.operator_url.as_deref()),
            registry: Registry::new(settings.bounds.watched_rooms),
            marks: Marks::default(),
            ended: Ended::load(host, settings.closed_space_ttl_s).await?,
            mark: json!({"by": "trellis", "operator": named}).to_string(),
            ending: Mutex::default(),
            communities: communities.clone(),
            settings: settings.clone(),
            host: host.clone(),
        })
    }

    /// The space with this address, or that of a meeting with this address, for somebody who wants to come in as a member of
    /// this community. Every reason against it is a refusal of its own.
    pub(crate) async fn admit(
        &self,
        address: &str,
        community: &PublicKey,
        who: &PublicKey,
    ) -> Result<Space, Failure> {
        let space = self.find(address, community).await?;
        self.communities.membership(community, who).await?;
        match space.admits(who) {
            true => Ok(space),
            false => Err(Failure::new(
                Code::NotCommunityMember,
                "this room is private, and its event does not name you",
            )),
        }
    }

    /// The space with this address in this community, where it asks for a room.
    pub(crate) async fn find(
        &self,
        address: &str,
        community: &PublicKey,
    ) -> Result<Space, Failure> {
        let unknown = || Failure::new(Code::RoomNotFound, "there is no such room here");
        let address = Address::parse(address).ok_or_else(|| {
            let message = "room must be an address: 30312, the author's key in hex, and the d tag, with colons between";
            Failure::new(Code::InvalidRequest, message)
        })?;
        let address = match address.kind {
            SPACE => address,
            MEETING => self.space_of(&address).await?,
            _ => return Err(unknown()),
        };
        let newest = self.newest(&address).await.map_err(|it| unreadable(&it))?;
        let space = newest.and_then(|event| Space::of(&event));
        let space = space.ok_or_else(unknown)?;
        self.judge_words(&space)?;
        if !space.communities().contains(community) {
            return Err(Failure::new(
                Code::RoomNotFound,
                "this community has no such room",
            ));
        }
        let author = self.communities.judge(community, space.author()).await;
        match author.map_err(|error| unreadable(&error))? {
            Ok(()) => Ok(space),
            Err(communities::Refusal::Stranger) => Err(Failure::new(
                Code::RoomNotFound,
                "whoever made this room is no member of this community",
            )),
            Err(refusal) => Err(refusal.into()),
        }
    }

    /// Makes the room of a space, or finds it.
    pub(crate) async fn provide(
        &self,
        livekit: &LiveKit,
        space: &Space,
    ) -> Result<Room, LiveKitError> {
        self.marks.rooms([space.name()]);
        self.make(livekit, &space.name()).await
    }

    /// Whether the operator has ended a call's room, so that it shall not be made again. Of spaces their events decide.
    pub(crate) fn is_call_ended(&self, room: &str) -> bool {
        !is_space(room) && self.ended.holds_for_call(room)
    }

    /// Ends any room at the operator's wish: it is gone from LiveKit, and not made again for what asks for it now. A space
    /// that has no room at the moment gets none. Of what is neither, nothing is remembered.
    pub(crate) async fn end(&self, livekit: &LiveKit, room: &str) -> Result<Closed, EndError> {
        let space = Address::parse(room).filter(|it| it.kind == SPACE);
        let known = match &space {
            Some(space) => self.newest(space).await?,
            None => None,
        };
        let version_s = known.as_ref().map(|event| event.created_at());
        let ending = self.ending.lock().await;
        let before = self.ended.end(room, version_s).await?;
        let deleted = livekit.delete_room(room).await;
        drop(ending);
        // Not before: the task would end the same room.
        self.marks.rooms(space.map(|_| room.to_owned()));
        match deleted {
            Ok(()) => Ok(Closed::Room),
            Err(LiveKitError::NotFound) if known.is_some() => Ok(Closed::Space),
            Err(LiveKitError::NotFound) => {
                self.ended.take_back(room, before).await?;
                Ok(Closed::Nothing)
            }
            Err(error) => {
                self.registry.leave(room);
                Err(error.into())
            }
        }
    }

    /// A room is to be ended as soon as LiveKit can be asked.
    pub(crate) fn leave(&self, room: &str) {
        self.registry.leave(room);
    }

    /// Ends a room that no event asks for.
    async fn delete(&self, livekit: &LiveKit, room: &str) -> Result<(), LiveKitError> {
        let _ending = self.ending.lock().await;
        livekit.delete_room(room).await
    }

    /// Whether a space is this operator's business: it asks for a room here, or for one that is here.
    pub(crate) fn is_asked_by(&self, space: &Space) -> bool {
        space.is_for(&self.operator) || self.registry.contains(&space.name())
    }

    /// The communities that have rooms here.
    pub(crate) fn communities(&self) -> HashSet<PublicKey> {
        self.registry.communities()
    }

    /// Whether a deletion (NIP-09) by somebody who has a room here, or whose community has, is about anything that rooms
    /// depend on.
    pub(crate) fn is_about_rooms(&self, deletion: &Event) -> bool {
        let mut addresses = deletion.tag_values(b'a');
        let mut ids = deletion
            .tag_values(b'e')
            .filter_map(|id| EventId::from_hex(&id).ok());
        !self.registry.of(deletion.pubkey()).is_empty()
            && (addresses.any(|it| Address::parse(&it).is_some_and(|it| is_followed(it.kind)))
                || ids.any(|id| self.registry.of_event(&id).is_some()))
    }

    /// Whether a space shall have a room, or ends the one that it has.
    pub(crate) async fn is_entitled(&self, space: &Space) -> Result<bool, StoreError> {
        Ok(self.judge(space).await?.is_ok() || self.registry.contains(&space.name()))
    }

    /// What is said of a space beside its event, counted.
    pub(crate) async fn talk(&self, room: &str) -> Result<Option<Talk>, StoreError> {
        let Some(space) = Address::parse(room).filter(|it| it.kind == SPACE) else {
            return Ok(None);
        };
        let events = self.host.query(talk_about(&space)).await?;
        let events = events.iter().map(|event| &**event);
        let now_s = self.host.clock().now_s();
        Ok(Some(talk_of(&space, events, now_s)))
    }

    /// Whether a room in LiveKit was made here.
    pub(crate) fn is_ours(&self, metadata: &str) -> bool {
        metadata == self.mark
    }

    /// Whether there shall be a room for a space.
    async fn judge(&self, space: &Space) -> Result<Result<(), NoRoom>, StoreError> {
        if !self.settings.communities {
            return Ok(Err(NoRoom::Off));
        }
        let now_s = self.host.clock().now_s();
        if let Err(unfit) = space.judge(&self.operator, now_s) {
            return Ok(Err(NoRoom::Unfit(unfit)));
        }
        if self.ended.holds_for(&space.name(), space.created_at_s()) {
            return Ok(Err(NoRoom::Ended));
        }
        let mut refusal = communities::Refusal::Unknown;
        for community in space.communities() {
            match self.communities.judge(community, space.author()).await? {
                Ok(()) => return Ok(Ok(())),
                Err(refused) => refusal = refused,
            }
        }
        Ok(Err(NoRoom::Community(refusal)))
    }

    /// What a space says of itself, and the operator of it, for who wants to come in.
    fn judge_words(&self, space: &Space) -> Result<(), Failure> {
        let closed = || Failure::new(Code::RoomClosed, "this room is closed");
        match space.judge(&self.operator, self.host.clock().now_s()) {
            Ok(()) if self.ended.holds_for(&space.name(), space.created_at_s()) => Err(closed()),
            Ok(()) => Ok(()),
            Err(Unfit::Closed) => Err(closed()),
            Err(Unfit::OtherOperator) => Err(Failure::new(
                Code::OperatorMismatch,
                "the room's service tag does not name this operator",
            )),
            Err(Unfit::Expired) => Err(Failure::new(Code::RoomNotFound, "this room has expired")),
            Err(Unfit::Nameless) => Err(Failure::new(
                Code::RoomNotFound,
                "this room's event lacks a d or room tag, or they are too long",
            )),
        }
    }

    async fn space_of(&self, meeting: &Address) -> Result<Address, Failure> {
        let newest = self.newest(meeting).await.map_err(|it| unreadable(&it))?;
        let now_s = self.host.clock().now_s();
        match newest.and_then(|event| Meeting::of(&event, now_s)) {
            Some(Meeting { is_over: true, .. }) => {
                Err(Failure::new(Code::RoomClosed, "this meeting is over"))
            }
            Some(meeting) => Ok(meeting.space),
            None => Err(Failure::new(
                Code::RoomNotFound,
                "there is no such meeting here",
            )),
        }
    }

    /// The event that is at an address now.
    async fn newest(&self, address: &Address) -> Result<Option<Arc<Event>>, StoreError> {
        let found = self.host.query(Filter {
            kinds: Some(vec![address.kind]),
            authors: Some(vec![address.pubkey]),
            tags: [(b'd', vec![address.d.clone()])].into(),
            limit: Some(10),
            ..Filter::default()
        });
        // A further d tag may stand in another's event.
        let found = found.await?.into_iter();
        let mut found = found.filter(|event| event.address().as_ref() == Some(address));
        Ok(found.next())
    }

    async fn make(&self, livekit: &LiveKit, name: &str) -> Result<Room, LiveKitError> {
        let options = CreateRoomOptions {
            empty_timeout: self.settings.room_empty_timeout_s,
            max_participants: self.settings.room_participants_max,
            metadata: self.mark.clone(),
            ..CreateRoomOptions::default()
        };
        livekit.create_room(name, options).await
    }
}

/// What an operator has closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Closed {
    /// A room of LiveKit's.
    Room,
    /// A space that had no room.
    Space,
    /// There is neither such a room nor such a space.
    Nothing,
}

/// Whether rooms depend on events of this kind.
fn is_followed(kind: u16) -> bool {
    matches!(kind, SPACE | communities::DEFINITION | communities::LIST)
}

fn is_space(room: &str) -> bool {
    Address::parse(room).is_some_and(|it| it.kind == SPACE)
}

/// Why a room could not be ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EndError {
    #[error("that it is ended could not be remembered: {0}")]
    Store(#[from] StoreError),
    #[error("it is remembered as ended, and is ended as soon as LiveKit can be asked: {0}")]
    LiveKit(#[from] LiveKitError),
}
