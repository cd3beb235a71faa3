//! The kinds of NIP-29.

use trellis_relay::extension::prelude::*;

pub(crate) const PUT_USER: u16 = 9000;
pub(crate) const REMOVE_USER: u16 = 9001;
pub(crate) const EDIT_METADATA: u16 = 9002;
pub(crate) const DELETE_EVENT: u16 = 9005;
pub(crate) const CREATE_GROUP: u16 = 9007;
pub(crate) const DELETE_GROUP: u16 = 9008;
pub(crate) const CREATE_INVITE: u16 = 9009;
pub(crate) const UPDATE_PIN_LIST: u16 = 9010;
pub(crate) const JOIN: u16 = 9021;
pub(crate) const LEAVE: u16 = 9022;
pub(crate) const METADATA: u16 = 39000;
pub(crate) const ADMINS: u16 = 39001;
pub(crate) const MEMBERS: u16 = 39002;
pub(crate) const ROLES: u16 = 39003;
/// Who takes part in a call: never told, since it would store who spoke to whom and when.
pub(crate) const CALL_PARTICIPANTS: u16 = 39004;
pub(crate) const PINS: u16 = 39005;
/// NIP-09.
pub(crate) const DELETION: u16 = 5;

/// Of which a group's state is made, in the range that NIP-29 keeps for moderation.
pub(crate) const MODERATION: [u16; 8] = [
    PUT_USER,
    REMOVE_USER,
    EDIT_METADATA,
    DELETE_EVENT,
    CREATE_GROUP,
    DELETE_GROUP,
    CREATE_INVITE,
    UPDATE_PIN_LIST,
];

/// Whether NIP-29 keeps the kind for moderation, whether or not it has a meaning.
pub(crate) const fn is_moderation(kind: u16) -> bool {
    kind >= 9000 && kind <= 9020
}

/// Whether the relay alone says such things of a group.
pub(crate) const fn is_said_by_relay(kind: u16) -> bool {
    kind >= METADATA && kind <= PINS
}

/// What changes a group, and what asks for a change.
pub(crate) fn followed() -> Kinds {
    MODERATION.into_iter().chain([JOIN, LEAVE]).collect()
}
