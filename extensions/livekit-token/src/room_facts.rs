//! What a room is for: written into its metadata when it is made, and read back from webhooks and lists, so that every relay
//! that serves it knows, also after a restart.
//!
//! Invariant: a room without these facts is somebody else's: it is neither announced nor closed.

use serde::{Deserialize, Serialize};
use trellis_relay::event::{EventId, PublicKey};

/// What a room is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RoomFacts {
    trellis: Purpose,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Purpose {
    /// A call (1020) of a group.
    Group { group: String, call: EventId },
    /// What is going on in a group that has live audio and video (NIP-29), without a call of its own.
    Live { group: String },
    /// A call of two people, after an offer (20010).
    Direct {
        peers: [PublicKey; 2],
        offer: EventId,
    },
    /// The room of a community, by the address of its event (30312).
    Space { address: String },
}

impl RoomFacts {
    /// A call (1020) of a group.
    pub(crate) fn of_group(group: &str, call: EventId) -> Self {
        let group = group.to_owned();
        RoomFacts {
            trellis: Purpose::Group { group, call },
        }
    }

    /// The room of a group that has live audio and video (NIP-29).
    pub(crate) fn of_av_space(group: &str) -> Self {
        let group = group.to_owned();
        RoomFacts {
            trellis: Purpose::Live { group },
        }
    }

    /// A call of two people, after an offer (20010).
    pub(crate) fn of_two(peers: [PublicKey; 2], offer: EventId) -> Self {
        RoomFacts {
            trellis: Purpose::Direct { peers, offer },
        }
    }

    /// The room of a community: `30312:<pubkey>:<d>`.
    pub(crate) fn of_space(address: &str) -> Self {
        let address = address.to_owned();
        RoomFacts {
            trellis: Purpose::Space { address },
        }
    }

    /// The room's metadata in LiveKit.
    pub(crate) fn to_metadata(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// What a room of this name and metadata is for; nothing for one that is not ours. The room of a community may say no
    /// more than who made it.
    pub(crate) fn of_room(name: &str, metadata: &str) -> Option<Self> {
        #[derive(Deserialize)]
        struct Maker {
            by: String,
        }
        let made_here = |metadata| {
            let maker: Result<Maker, _> = serde_json::from_str(metadata);
            maker.is_ok_and(|maker| maker.by == "trellis")
        };
        match Self::from_metadata(metadata) {
            None if name.starts_with("30312:") && made_here(metadata) => Some(Self::of_space(name)),
            facts => facts,
        }
    }

    /// Nothing for a room that is not ours.
    pub(crate) fn from_metadata(metadata: &str) -> Option<Self> {
        serde_json::from_str(metadata).ok()
    }

    /// The group whose call it is.
    pub(crate) fn group(&self) -> Option<&str> {
        match &self.trellis {
            Purpose::Group { group, .. } | Purpose::Live { group } => Some(group),
            Purpose::Direct { .. } | Purpose::Space { .. } => None,
        }
    }

    /// The two whom it is for, if nobody else is to learn of it.
    pub(crate) fn peers(&self) -> &[PublicKey] {
        match &self.trellis {
            Purpose::Direct { peers, .. } => peers,
            Purpose::Group { .. } | Purpose::Live { .. } | Purpose::Space { .. } => &[],
        }
    }

    /// The tags by which events about the room are found: `h` and `e`, `e`, or `a`. The `h` is what has the relay's groups
    /// hide them (NIP-29).
    pub(crate) fn tags(&self) -> Vec<Vec<String>> {
        let root = |id: &EventId| {
            let values = ["e", &id.to_hex(), "", "root"];
            values.map(str::to_owned).to_vec()
        };
        match &self.trellis {
            Purpose::Group { group, call } => {
                vec![vec!["h".to_owned(), group.clone()], root(call)]
            }
            Purpose::Live { group } => vec![vec!["h".to_owned(), group.clone()]],
            Purpose::Direct { offer, .. } => vec![root(offer)],
            Purpose::Space { address } => vec![vec!["a".to_owned(), address.clone()]],
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use trellis_relay::testing::Author;

    #[test]
    fn l8_a_room_says_what_it_is_for() {
        let (alice, bob) = (Author::new(1).pubkey(), Author::new(2).pubkey());
        let event = *Author::new(1).note("call").id();
        for facts in [
            RoomFacts::of_group("pizza", event),
            RoomFacts::of_av_space("pizza"),
            RoomFacts::of_two([alice, bob], event),
            RoomFacts::of_space("30312:ab:room"),
        ] {
            let read = RoomFacts::from_metadata(&facts.to_metadata());
            assert_eq!(read, Some(facts));
        }
        let group = RoomFacts::of_group("pizza", event);
        assert_eq!(group.group(), Some("pizza"));
        assert_eq!(group.tags()[0], ["h", "pizza"]);
        assert!(group.peers().is_empty());
        assert_eq!(RoomFacts::of_two([alice, bob], event).peers(), [alice, bob]);
    }

    #[test]
    fn l8_a_room_of_others_is_not_ours() {
        for metadata in ["", "hello", "{}", r#"{"trellis": 1}"#, r#"{"group": {}}"#] {
            assert_eq!(RoomFacts::from_metadata(metadata), None, "{metadata}");
            assert_eq!(RoomFacts::of_room("30312:ab:room", metadata), None);
        }
        let made_here = r#"{"by": "trellis", "operator": "https://example.com"}"#;
        assert_eq!(RoomFacts::of_room("lobby", made_here), None);
        let space = RoomFacts::of_room("30312:ab:room", made_here);
        assert_eq!(space, Some(RoomFacts::of_space("30312:ab:room")));
    }
}
