//! What tags of an event for a group say.

use std::borrow::Cow;
use trellis_relay::event::EventId;
use trellis_relay::extension::prelude::*;

/// An event for groups names so many of ours at most.
pub(crate) const GROUPS_MAX: usize = 10;
/// No configuration allows longer ids: a row's key has room for one with what stands around it.
const ID_BYTES_MAX: usize = 128;

/// The groups that an event names, each once: by all of its `h` tags that have a value, as filters see them.
pub(crate) fn groups(event: &Event) -> Vec<Cow<'_, str>> {
    let mut named: Vec<_> = event.tag_values(b'h').collect();
    named.sort_unstable();
    named.dedup();
    named
}

/// The one group that a moderation event or a request is about.
pub(crate) fn group(event: &Event) -> Result<Cow<'_, str>, Reason> {
    match &groups(event)[..] {
        [one] => Ok(one.clone()),
        found => Err(Reason::invalid(format!(
            "found {} groups in h tags, wanted one",
            found.len()
        ))),
    }
}

/// The users that `p` tags name, with what follows each.
pub(crate) fn users(event: &Event) -> Result<Vec<(PublicKey, Vec<String>)>, Reason> {
    let mut users = Vec::new();
    for tag in event.tags().filter(|tag| tag.letter() == Some(b'p')) {
        let key = tag.value().unwrap_or_default();
        let Ok(pubkey) = PublicKey::from_hex(&key) else {
            return Err(Reason::invalid(
                "a p tag needs a public key of 64 hex digits",
            ));
        };
        users.push((pubkey, tag.items().skip(2).map(Cow::into_owned).collect()));
    }
    match users.len() {
        0 => Err(Reason::invalid("a p tag is missing")),
        1..=USERS_MAX => Ok(users),
        found => Err(Reason::invalid(format!(
            "found {found} p tags, wanted at most {USERS_MAX}"
        ))),
    }
}

/// An event may name so many users.
const USERS_MAX: usize = 500;

/// The events that `e` tags name.
pub(crate) fn events(event: &Event) -> Result<Vec<EventId>, Reason> {
    let ids = event.tag_values(b'e').map(|id| EventId::from_hex(&id));
    let ids: Result<Vec<_>, _> = ids.collect();
    ids.map_err(|_| Reason::invalid("an e tag needs an event id of 64 hex digits"))
}

/// The first of them: what an event of the relay answers.
pub(crate) fn answered(event: &Event) -> Option<EventId> {
    let id = event.tag_values(b'e').next()?;
    EventId::from_hex(&id).ok()
}

/// Whether there may be rows of a group of this id: whatever the configuration, one that cannot be a group's is no group.
pub(crate) fn may_be_id(id: &str) -> bool {
    // What divides the parts of a row's key must not stand in it.
    !id.is_empty() && id.len() <= ID_BYTES_MAX && !id.contains(char::is_control)
}

/// Whether a new group may have an id.
pub(crate) fn check_id(id: &str, max_bytes: usize) -> Result<(), Reason> {
    match may_be_id(id) && id.len() <= max_bytes {
        true => Ok(()),
        false => Err(Reason::invalid(format!(
            "a group's id has 1 to {max_bytes} bytes and no control characters"
        ))),
    }
}
