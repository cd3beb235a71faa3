//! What an event of each kind must look like, one file a kind.
//!
//! Pure: an event, the settings and the time decide. Who may publish what, and where, is said in `publishing`.

pub(crate) mod gift_wrap;
pub(crate) mod group_message;
pub(crate) mod key_package;
pub(crate) mod noise_message;
pub(crate) mod package_request;
pub(crate) mod roster_event;
mod tags;
pub(crate) mod welcome;

use crate::config::Settings;
use crate::kinds::{
    ADDRESSABLE_KEY_PACKAGE, GIFT_WRAP, GROUP_MESSAGE, KEY_PACKAGE, KEY_PACKAGE_REQUEST,
    NOISE_MESSAGE, ROSTER, WELCOME,
};
use trellis_relay::event::Event;
use trellis_relay::reason::Reason;

pub(crate) use tags::{is_capability, is_group_id};

/// Whether the event has the form that its kind asks for. Kinds of others have any form.
pub(crate) fn check(event: &Event, settings: &Settings, now_s: u64) -> Result<(), Reason> {
    match event.kind() {
        KEY_PACKAGE | ADDRESSABLE_KEY_PACKAGE => {
            key_package::read(event, settings, now_s).map(drop)
        }
        WELCOME => welcome::read(event),
        GROUP_MESSAGE => group_message::read(event).map(drop),
        NOISE_MESSAGE => noise_message::read(event).map(drop),
        KEY_PACKAGE_REQUEST => package_request::read(event, settings, now_s).map(drop),
        ROSTER => roster_event::check(event, now_s),
        GIFT_WRAP => gift_wrap::read(event, settings).map(drop),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
