//! Kind 445, a message of an MLS group: where it belongs and of which epoch it is. What it says is opaque.

use super::tags;
use std::borrow::Cow;
use trellis_relay::event::Event;
use trellis_relay::reason::Reason;

/// What a group message says to a relay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GroupMessage<'e> {
    /// `h`
    pub(crate) group_id: Cow<'e, str>,
    /// `k`, or else a number in `e`.
    pub(crate) epoch: Option<u64>,
}

/// Reads one. An `e` that is no number refers to an event, as it does elsewhere.
pub(crate) fn read(event: &Event) -> Result<GroupMessage<'_>, Reason> {
    let epoch = match tags::at_most_one(event, "k")? {
        Some(epoch) => Some(tags::number("k", &epoch)?),
        None => event.tag_values(b'e').find_map(|e| tags::read_number(&e)),
    };
    Ok(GroupMessage {
        group_id: tags::group_id(event)?,
        epoch,
    })
}
