//! The relay's events as the protocol reads them.
//!
//! Invariant: what is copied of an event is bounded, however many tags or items a stranger gives it; more than the bound
//! stays visible to the protocol as more than it allows.

use std::borrow::Cow;
use trellis_qube_protocol::{
    Ack, AckError, EventId, Fields, MAX_TAGS, Pubkey, Signal, SignalError,
};
use trellis_relay::event::Event;

/// Items of one tag that are looked at; no tag of both kinds has as many.
const ITEMS_MAX: usize = 8;

/// The directive that an event is.
pub(crate) fn signal(event: &Event) -> Result<Signal, SignalError> {
    read(event, Signal::parse)
}

/// The report that an event is.
pub(crate) fn ack(event: &Event) -> Result<Ack, AckError> {
    read(event, Ack::parse)
}

/// The author as the protocol has keys.
pub(crate) fn author(event: &Event) -> Pubkey {
    Pubkey::from_bytes(*event.pubkey().as_bytes())
}

/// The id as the protocol has it.
pub(crate) fn id(event: &Event) -> EventId {
    EventId::from_bytes(*event.id().as_bytes())
}

fn read<T>(event: &Event, parse: impl FnOnce(&Fields<'_>) -> T) -> T {
    let tags: Vec<Vec<Cow<'_, str>>> = event
        .tags()
        .take(MAX_TAGS + 1)
        .map(|tag| tag.items().take(ITEMS_MAX).collect())
        .collect();
    let content = event.content();
    parse(&Fields {
        id: *event.id().as_bytes(),
        pubkey: *event.pubkey().as_bytes(),
        created_at: event.created_at(),
        kind: event.kind(),
        tags: tags
            .iter()
            .map(|items| items.iter().map(|item| &**item).collect())
            .collect(),
        content: &content,
    })
}
