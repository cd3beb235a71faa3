//! Kind 445, a message of an MLS group: where it belongs and of which epoch it is. What it says is opaque.

use super::tags::{self, Single};
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

/// Reads one, in one pass over its tags, since these are the most frequent events. An `e` that is no number refers to an
/// event, as it does elsewhere.
pub(crate) fn read(event: &Event) -> Result<GroupMessage<'_>, Reason> {
    let (mut group, mut epoch) = (Single::default(), Single::default());
    let mut epoch_in_e = None;
    for tag in event.tags() {
        match tag.letter() {
            Some(b'h') => group.meet(tag),
            Some(b'k') => epoch.meet(tag),
            Some(b'e') if epoch_in_e.is_none() => {
                epoch_in_e = tag.value().and_then(|e| tags::read_number(&e));
            }
            _ => {}
        }
    }
    let epoch = match epoch.at_most_one("k")? {
        Some(epoch) => Some(tags::number("k", &epoch)?),
        None => epoch_in_e,
    };
    Ok(GroupMessage {
        group_id: tags::group_id_in(group)?,
        epoch,
    })
}
