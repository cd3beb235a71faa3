//! Meetings in a space (NIP-53, kind 30313), and who says to be there (kind 10312).
//!
//! A meeting has no room of its own: whoever asks for it is shown into its space. What people say of their presence is
//! counted for the operator and believed by nobody; who is in a room LiveKit knows.

use super::space::{SPACE, name_of};
use trellis_relay::event::Address;
use trellis_relay::extension::prelude::*;

/// Kind of a meeting.
pub(crate) const MEETING: u16 = 30313;
/// Kind of a presence.
pub(crate) const PRESENCE: u16 = 10312;
/// A meeting without an update, or a presence, counts for so long.
pub(crate) const FRESH_S: u64 = 3600;

/// A meeting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Meeting {
    /// The space where it is.
    pub(crate) space: Address,
    pub(crate) is_over: bool,
    pub(crate) is_live: bool,
}

impl Meeting {
    /// Reads a meeting; none where the event is something else, or names no space.
    pub(crate) fn of(event: &Event, now_s: u64) -> Option<Self> {
        if event.kind() != MEETING {
            return None;
        }
        let status = event.first_tag_value("status");
        let status = status.as_deref();
        let ends = event.first_tag_value("ends");
        let ends_s = ends.and_then(|ends| ends.parse::<u64>().ok());
        let is_past = status != Some("live") && ends_s.is_some_and(|at_s| at_s <= now_s);
        Some(Meeting {
            space: space_of(event)?,
            is_over: status == Some("ended") || is_past,
            is_live: status == Some("live") && now_s.saturating_sub(event.created_at()) <= FRESH_S,
        })
    }
}

/// The space that a meeting or a presence is in.
fn space_of(event: &Event) -> Option<Address> {
    let mut addresses = event.tag_values(b'a').filter_map(|it| Address::parse(&it));
    addresses.find(|address| address.kind == SPACE)
}

/// What is said of a space beside its event.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Talk {
    /// Meetings that are live.
    pub(crate) meetings: usize,
    /// People who said within an hour that they are there.
    pub(crate) present: usize,
}

/// Counts what events say of a space.
pub(crate) fn talk_of<'e>(
    space: &Address,
    events: impl IntoIterator<Item = &'e Event>,
    now_s: u64,
) -> Talk {
    let mut talk = Talk::default();
    for event in events {
        let is_fresh = now_s.saturating_sub(event.created_at()) <= FRESH_S;
        match event.kind() {
            MEETING => {
                let meeting = Meeting::of(event, now_s);
                let here = meeting.is_some_and(|it| it.is_live && it.space == *space);
                talk.meetings += usize::from(here);
            }
            PRESENCE if is_fresh && space_of(event).as_ref() == Some(space) => talk.present += 1,
            _ => {}
        }
    }
    talk
}

/// What has to be asked for [`talk_of`].
pub(crate) fn talk_about(space: &Address) -> Filter {
    Filter {
        kinds: Some(vec![PRESENCE, MEETING]),
        tags: [(b'a', vec![name_of(space)])].into(),
        limit: Some(5000),
        ..Filter::default()
    }
}
