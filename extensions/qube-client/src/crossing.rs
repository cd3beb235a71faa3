//! Events between the library that speaks to relays and the rest of the fleet's code, as JSON.
//!
//! The library's own checks are not relied on: inwards, id and signature are verified again.

use nostr_sdk::JsonUtil as _;

/// What a relay sent, if it is what its author signed.
pub(crate) fn inwards(event: &nostr_sdk::Event) -> Option<nostr::event::Event> {
    trellis_qube_protocol::verified(&event.as_json()).ok()
}

/// An event on its way to a relay.
pub(crate) fn outwards(event: &nostr::event::Event) -> Result<nostr_sdk::Event, String> {
    let json = serde_json::to_string(event).map_err(|error| error.to_string())?;
    nostr_sdk::Event::from_json(json).map_err(|error| error.to_string())
}

/// A filter of NIP-01 as JSON; why, where it is none.
pub(crate) fn filter(json: &serde_json::Value) -> Result<nostr_sdk::Filter, String> {
    nostr_sdk::Filter::from_json(json.to_string()).map_err(|error| error.to_string())
}
