//! What is asked of LiveKit: rooms and their participants, by its server API (Twirp).
//!
//! Invariant: every call has a deadline, and its error says nothing of rooms or people, so it can be logged as it is.
//! Deliberately not here: tokens of participants (`minting`), and what rooms mean.

use crate::watch;
use livekit_api::services::egress::{EgressClient, EgressListOptions};
use livekit_api::services::room::{CreateRoomOptions, RoomClient};
use livekit_api::services::{ServerError, ServiceError};
use livekit_protocol::{ParticipantInfo, Room};
use std::time::Duration;

/// A call may take so long.
const PATIENCE: Duration = Duration::from_secs(5);

/// LiveKit, as this operator runs it.
pub(crate) struct LiveKit {
    rooms: RoomClient,
    egress: EgressClient,
}

/// Whether anything leaves rooms but to participants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Recording {
    /// LiveKit could not have it done.
    Impossible,
    /// It could, and nothing is under way.
    Possible,
    /// So many are under way.
    Under(usize),
}

/// What LiveKit says where no service that records can be reached.
const NO_EGRESS: &str = "egress not connected";

/// LiveKit did not answer, or said no.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LiveKitError {
    /// There is no such room or participant.
    #[error("LiveKit has no such room or participant")]
    NotFound,
    /// It cannot be reached, answers too late, or its answer cannot be read.
    #[error("LiveKit cannot be reached")]
    Unreachable,
    /// It refused; the code is Twirp's, such as `unauthenticated`.
    #[error("LiveKit refused: {0}")]
    Refused(String),
}

impl LiveKit {
    /// `url` may begin with `ws://`, `wss://`, `http://` or `https://`.
    pub(crate) fn new(url: &str, api_key: &str, api_secret: &str) -> Self {
        let rooms = RoomClient::with_api_key(url, api_key, api_secret);
        let egress = EgressClient::with_api_key(url, api_key, api_secret);
        LiveKit {
            rooms: rooms.with_failover(false).with_request_timeout(PATIENCE),
            egress: egress.with_failover(false).with_request_timeout(PATIENCE),
        }
    }

    /// Makes a room, or finds the one that is there.
    pub(crate) async fn create_room(
        &self,
        name: &str,
        options: CreateRoomOptions,
    ) -> Result<Room, LiveKitError> {
        watch::call("create_room", async {
            Ok(self.rooms.create_room(name, options).await?)
        })
        .await
    }

    /// Ends a room and puts out whoever is in it.
    pub(crate) async fn delete_room(&self, name: &str) -> Result<(), LiveKitError> {
        watch::call("delete_room", async {
            Ok(self.rooms.delete_room(name).await?)
        })
        .await
    }

    /// All rooms, or those of these names.
    pub(crate) async fn rooms(&self, names: Vec<String>) -> Result<Vec<Room>, LiveKitError> {
        watch::call("list_rooms", async {
            Ok(self.rooms.list_rooms(names).await?)
        })
        .await
    }

    /// Who is in a room.
    pub(crate) async fn participants(
        &self,
        room: &str,
    ) -> Result<Vec<ParticipantInfo>, LiveKitError> {
        watch::call("list_participants", async {
            Ok(self.rooms.list_participants(room).await?)
        })
        .await
    }

    /// Who is in a room with this identity.
    pub(crate) async fn participant(
        &self,
        room: &str,
        identity: &str,
    ) -> Result<ParticipantInfo, LiveKitError> {
        watch::call("get_participant", async {
            Ok(self.rooms.get_participant(room, identity).await?)
        })
        .await
    }

    /// Whether whoever answers is LiveKit and takes our key. A key that it does not know it refuses in words that are no
    /// Twirp, as something else that listens there would.
    pub(crate) async fn takes_key(&self) -> Result<bool, LiveKitError> {
        const NO_ROOM: &str = "-";
        match self.rooms.list_rooms(vec![NO_ROOM.to_owned()]).await {
            Ok(_) => Ok(true),
            Err(ServiceError::Twirp(ServerError::Twirp(refusal)))
                if ["unauthenticated", "permission_denied"].contains(&refusal.code.as_str()) =>
            {
                Ok(false)
            }
            Err(ServiceError::Twirp(ServerError::Request(error))) if error.is_decode() => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether rooms are recorded, or could be.
    pub(crate) async fn recording(&self) -> Result<Recording, LiveKitError> {
        let active = EgressListOptions {
            active: true,
            ..EgressListOptions::default()
        };
        match self.egress.list_egress(active).await {
            Ok(found) if found.is_empty() => Ok(Recording::Possible),
            Ok(found) => Ok(Recording::Under(found.len())),
            Err(ServiceError::Twirp(ServerError::Twirp(refusal)))
                if refusal.msg.contains(NO_EGRESS) =>
            {
                Ok(Recording::Impossible)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Puts out whoever is in a room with this identity.
    pub(crate) async fn remove_participant(
        &self,
        room: &str,
        identity: &str,
    ) -> Result<(), LiveKitError> {
        watch::call("remove_participant", async {
            Ok(self.rooms.remove_participant(room, identity).await?)
        })
        .await
    }
}

impl From<ServiceError> for LiveKitError {
    fn from(error: ServiceError) -> Self {
        match error {
            ServiceError::Twirp(ServerError::Twirp(refusal)) if refusal.code == "not_found" => {
                LiveKitError::NotFound
            }
            ServiceError::Twirp(ServerError::Twirp(refusal)) => LiveKitError::Refused(refusal.code),
            _ => LiveKitError::Unreachable,
        }
    }
}
