//! What a backup reads of a store, and what it puts back.
//!
//! Events and removals come with the rows that they had, so that whoever remembers a row finds the same there. What
//! stands beside events (rows of extensions, tombstones, who has vanished) has no rows: of it a backup asks for everything,
//! page by page, or for what was written since it last asked.

use super::{Cause, Stored};
use crate::event::{Address, Event, EventId, PublicKey};
use std::sync::Arc;

/// Something that is stored and is no event.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Entry {
    /// A row of an extension's key space; `None` where there is none any more.
    Row {
        /// Whose.
        extension: String,
        /// Its key.
        key: Vec<u8>,
        /// Its value.
        value: Option<Vec<u8>>,
    },
    /// NIP-09: the event is kept away on somebody's word.
    DeletedId {
        /// Which.
        id: EventId,
        /// Who deleted it.
        by: PublicKey,
    },
    /// NIP-09: versions up to a second are kept away.
    DeletedAddress {
        /// Of what.
        address: Address,
        /// Seconds since 1970.
        until: u64,
    },
    /// NIP-62: events of an author up to a second are kept away.
    Vanished {
        /// Whose.
        pubkey: PublicKey,
        /// Seconds since 1970.
        until: u64,
    },
    /// NIP-62: events of an author up to a second are hidden and being removed; `None` where they are not any more.
    Vanishing {
        /// Whose.
        pubkey: PublicKey,
        /// Seconds since 1970.
        until: Option<u64>,
    },
}

impl Entry {
    /// Bytes of what may be long, for those who bound what they hold.
    pub fn bytes(&self) -> usize {
        match self {
            Entry::Row { key, value, .. } => key.len() + value.as_ref().map_or(0, Vec::len),
            Entry::DeletedAddress { address, .. } => address.d.len(),
            _ => 0,
        }
    }
}

/// Which entries somebody wants to know.
#[derive(Clone, Debug)]
pub enum EntriesOf {
    /// One row.
    Row {
        /// Whose.
        extension: String,
        /// Its key.
        key: Vec<u8>,
    },
    /// The last rows of a key space that only grows: see [`super::chain`].
    LastRows {
        /// The key space.
        space: String,
        /// How many, if there are so many.
        rows: u64,
    },
    /// The tombstones that a deletion (NIP-09) has left, whether it is still stored or not.
    Deletion(Arc<Event>),
    /// What is known of the vanishing of an author (NIP-62).
    Vanishing(PublicKey),
}

/// A place among all entries; only the store that gave it can read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryPlace(pub(super) Vec<u8>);

/// Some of all entries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EntryPage {
    /// In no particular order.
    pub entries: Vec<Entry>,
    /// Go on after this place; `None` where nothing is left.
    pub next: Option<EntryPlace>,
    /// Tombstones of addresses of which only a hash is left: an earlier version wrote them, and the deletion is gone.
    pub nameless: u64,
}

impl EntryPage {
    /// A page ends early where its entries have so many bytes.
    pub(super) const BYTES_MAX: usize = 1 << 20;
}

/// One thing to be put back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PutBack {
    /// An event.
    Event(Stored),
    /// The removal of an event, which may or may not be here.
    Removed {
        /// The row of the removal.
        row: u64,
        /// The event that was removed.
        id: EventId,
        /// Its kind.
        kind: u16,
        /// Its author.
        pubkey: PublicKey,
        /// Why.
        cause: Cause,
    },
    /// An entry, in the place of the one that is here.
    Entry(Entry),
    /// Forget all entries that are here.
    ForgetEntries,
    /// This row is the last, and of removals up to it nothing is known.
    Begin(u64),
}
