//! What the archive holds of an event, and by whom it can be found there.
//!
//! Invariant: a copy can be found by nobody to whom the event is not addressed. A group message is its group's alone even
//! if it names somebody, a message to somebody is theirs alone even if it names a group.

use crate::kinds::GROUP_MESSAGE;
use crate::rules::is_group_id;
use crate::storage::Archived;
use trellis_relay::event::{Event, PublicKey};

/// The copy of an event; none of a message whose group has an id that no group can have or which names several groups,
/// which an import may have brought, and none of one whose JSON is no text, which cannot be.
pub(super) fn copy_of(event: &Event, now_s: u64) -> Option<Archived> {
    let is_for_group = event.kind() == GROUP_MESSAGE;
    let recipient = || PublicKey::from_hex(&event.first_tag_value("p")?).ok();
    let group_id = match is_for_group {
        true => Some(only_group(event)?),
        false => None,
    };
    Some(Archived {
        position: 0,
        id: *event.id(),
        kind: event.kind(),
        pubkey: *event.pubkey(),
        group_id,
        recipient: if is_for_group { None } else { recipient() },
        created_at_s: event.created_at(),
        archived_at_s: now_s,
        json: String::from_utf8(event.json().to_vec()).ok()?,
    })
}

/// The group that a message names, if a group can have that id and no other is named.
fn only_group(event: &Event) -> Option<String> {
    let mut named = event.tags().filter(|tag| tag.letter() == Some(b'h'));
    let group_id = named.next()?.value()?;
    let is_only = !named.any(|tag| tag.value().is_some());
    (is_only && is_group_id(&group_id)).then(|| group_id.into_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::kinds::{GIFT_WRAP, NOISE_MESSAGE};
    use trellis_relay::testing::Author;

    #[test]
    fn m30_a_copy_is_found_by_those_alone_to_whom_the_event_is() {
        let (alice, bob) = (Author::new(1), Author::new(2).pubkey());
        let of_kind = |kind| {
            let draft = alice.draft(kind).tag(["h", "a group"]);
            let event = draft.tag(["p", &bob.to_hex()]).content("sealed").sign();
            (copy_of(&event, 7).unwrap(), event)
        };
        let (copy, event) = of_kind(GROUP_MESSAGE);
        assert_eq!(copy.group_id.as_deref(), Some("a group"));
        assert_eq!(copy.recipient, None);
        assert_eq!(copy.json.as_bytes(), &event.json()[..]);
        assert_eq!((copy.id, copy.archived_at_s), (*event.id(), 7));
        for kind in [NOISE_MESSAGE, GIFT_WRAP] {
            let (copy, _) = of_kind(kind);
            assert_eq!((copy.group_id, copy.recipient), (None, Some(bob)));
        }
    }

    #[test]
    fn m30_a_message_of_a_group_that_cannot_be_is_left_out() {
        let alice = Author::new(1);
        let long = "h".repeat(4_000);
        for group_id in ["", long.as_str()] {
            let event = alice.draft(GROUP_MESSAGE).tag(["h", group_id]).sign();
            assert_eq!(copy_of(&event, 7), None);
        }
        let of_two = alice.draft(GROUP_MESSAGE).tag(["h", "a"]).tag(["h", "b"]);
        assert_eq!(copy_of(&of_two.sign(), 7), None);
    }
}
