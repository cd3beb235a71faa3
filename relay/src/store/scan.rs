//! How events are asked for page by page, and what a page holds. How a store finds them is its own affair.

use super::Stored;
use crate::event::{Event, EventId, PublicKey};
use crate::filter::Filter;
use std::sync::Arc;
use std::time::Duration;

/// A request for one page of a filter's events.
#[derive(Clone, Debug)]
pub struct Scan<'a> {
    /// Its `limit` is the caller's affair.
    pub filter: &'a Filter,
    /// Newest first unless an export asks otherwise.
    pub order: Order,
    /// Go on after this event of an earlier page.
    pub resume: Option<Position>,
    /// Events of later rows are left out: live delivery has them.
    pub max_row: u64,
    /// Seconds since 1970: events that expired at or before are left out.
    pub now: u64,
    /// When to stop.
    pub budget: Budget,
}

/// The order of results.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// `created_at` descending, then `id` ascending (NIP-01).
    #[default]
    NewestFirst,
    /// `created_at` ascending, then `id` ascending, for export.
    OldestFirst,
}

/// A place in the order of results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Of the last event before the place.
    pub created_at: u64,
    /// Of the last event before the place.
    pub id: EventId,
}

/// Where a page ends, whichever comes first. A page may end early, but makes some progress unless it is the last.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// Matching events.
    pub events: usize,
    /// Index entries looked at.
    pub entries: usize,
    /// Bytes of the matching events' JSON.
    pub bytes: usize,
    /// Time spent.
    pub time: Duration,
}

/// Some of the events, in order.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// Matching events; may be empty though more follow.
    pub events: Vec<Stored>,
    /// Where to resume; `None` at the end.
    pub next: Option<Position>,
}

/// Some of the events, in order, to be sent and let go of.
#[derive(Clone, Debug, Default)]
pub struct LentPage {
    /// As [`Page::events`].
    pub events: Vec<Lent>,
    /// Where to resume; `None` at the end.
    pub next: Option<Position>,
}

/// A stored event on its way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lent {
    /// As [`Stored::row`].
    pub row: u64,
    /// As [`Stored::expires_at`].
    pub expires_at: Option<u64>,
    /// The event itself; its JSON may be a part of its page's.
    pub event: Event,
}

impl From<Stored> for Lent {
    fn from(stored: Stored) -> Self {
        Lent {
            row: stored.row,
            expires_at: stored.expires_at,
            event: Arc::unwrap_or_clone(stored.event),
        }
    }
}

impl From<Page> for LentPage {
    fn from(page: Page) -> Self {
        LentPage {
            events: page.events.into_iter().map(Lent::from).collect(),
            next: page.next,
        }
    }
}

/// Part of a count.
#[derive(Clone, Copy, Debug, Default)]
pub struct CountPage {
    /// Matching events of this page.
    pub count: u64,
    /// Where to resume; `None` at the end.
    pub next: Option<Position>,
}

/// A matching event by what its header says, and as a whole where that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its place in the order of results.
    pub position: Position,
    /// Its author.
    pub author: PublicKey,
    /// Its kind.
    pub kind: u16,
    /// As in [`Stored::expires_at`].
    pub expires_at: Option<u64>,
    /// `None` for kinds of which headers are enough.
    pub event: Option<Arc<Event>>,
}

/// Some of what was found, in order.
#[derive(Clone, Debug, Default)]
pub struct FoundPage {
    /// Matching events; may be empty though more follow.
    pub found: Vec<Found>,
    /// Where to resume; `None` at the end.
    pub next: Option<Position>,
}

/// Some positions, in order.
#[derive(Clone, Debug, Default)]
pub struct PositionPage {
    /// Of matching events of this page.
    pub positions: Vec<Position>,
    /// Where to resume; `None` at the end.
    pub next: Option<Position>,
}
