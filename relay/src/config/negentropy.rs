//! `[negentropy]`: reconciling sets of events (NIP-77), and what it may take of memory.

use super::{Config, TimeSpan};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// NIP-77: finding out which events only one of two relays has.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Negentropy {
    /// Whether NEG-OPEN is answered; otherwise it ends in `NEG-ERR unsupported:`. Default true.
    pub enabled: bool,
    /// Events that one NEG-OPEN may be about; one that is about more is refused. `max_limit` does not apply here. Events,
    /// 40 bytes of memory each. Default 1000000.
    #[schemars(range(min = 1))]
    pub max_items: u32,
    /// Events that all that are open at a time may be about together, over all connections. Events, 40 bytes of memory
    /// each. Default 4000000.
    #[schemars(range(min = 1))]
    pub max_items_in_all: u32,
    /// Events that all that one address (of IPv6, one /64) has open at a time may be about together, so that nobody takes
    /// the room of all. Loopback addresses are under no such limit: behind a proxy that names no client they are
    /// everybody's. Events, 40 bytes of memory each. Default 1000000.
    #[schemars(range(min = 1))]
    pub max_items_per_ip: u32,
    /// How many one connection may have open at a time. Default 4.
    #[schemars(range(min = 1))]
    pub max_sessions: u32,
    /// One for which no message came for so long is closed, and its memory freed. A time. Default "60s".
    pub idle_timeout: TimeSpan,
    /// One that has been open for so long is closed, however often it was heard of, and its memory freed. A time. Default
    /// "10m".
    pub max_lifetime: TimeSpan,
}

impl Default for Negentropy {
    fn default() -> Self {
        Self {
            enabled: true,
            max_items: 1_000_000,
            max_items_in_all: 4_000_000,
            max_items_per_ip: 1_000_000,
            max_sessions: 4,
            idle_timeout: TimeSpan::from_secs(60),
            max_lifetime: TimeSpan::from_secs(600),
        }
    }
}

impl Config {
    /// How long an answer of NIP-77 may be before it is written in hex, so that the message passes where a client's would
    /// and leaves room in the outbox. Bytes; none where NIP-77 is off or messages are kept too short for it.
    pub fn negentropy_frame_bytes(&self) -> Option<usize> {
        /// The least that the protocol's implementation works with.
        const LEAST_BYTES: usize = 4_096;
        /// Beyond this, larger answers save no round trips worth their memory.
        const MOST_BYTES: usize = 128 * 1024;
        /// `["NEG-MSG",` and so on, beside the id, which may be all escapes.
        const AROUND_BYTES: usize = 64;
        const ESCAPE_BYTES: usize = 6;
        if !self.negentropy.enabled {
            return None;
        }
        let message_bytes = self.limitation.max_message_length.as_usize();
        let outbox_bytes = self.network.outbox_bytes.as_usize() / 2;
        let id_bytes = ESCAPE_BYTES * self.limitation.max_subid_length as usize;
        let hex_bytes = message_bytes
            .min(outbox_bytes)
            .saturating_sub(AROUND_BYTES + id_bytes);
        let frame_bytes = (hex_bytes / 2).min(MOST_BYTES);
        (frame_bytes >= LEAST_BYTES).then_some(frame_bytes)
    }
}
