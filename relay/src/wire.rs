//! The messages of NIP-01, NIP-42, NIP-45 and NIP-77: total parsing one way, plain writing the other.
//!
//! Any bytes become a [`ClientMessage`] or a [`WireError`] that says what would be right. What stands inside an event or
//! a filter is read later, by those who know its limits.

mod client;
mod relay;

pub use client::{ClientMessage, Filters, HexMessage, Published, WireError};
pub use relay::{RelayMessage, event_ends, event_pieces};

use crate::event::escape_into;
use std::fmt;

/// A subscription id, kept as the JSON string in which it is echoed.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SubId(Box<str>);

impl SubId {
    /// From the plain text of the id.
    pub fn new(text: &str) -> Self {
        let mut json = Vec::with_capacity(text.len() + 2);
        escape_into(&mut json, text);
        SubId(String::from_utf8(json).unwrap_or_default().into())
    }

    /// The id as a JSON string, quotes and escapes included.
    pub fn json(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SubId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
