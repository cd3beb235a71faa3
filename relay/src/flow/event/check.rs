//! The core's own checks of an event, in order of their cost: nothing is hashed before it is known to be wanted.

use crate::config::Config;
use crate::event::{Event, EventId, PublicKey, Tag, lowercase_hex, peek_id};
use crate::flow::limits;
use crate::nips::{nip13, nip42, nip62, nip70};
use crate::orders;
use crate::rate_limit::Action;
use crate::reason::{Prefix, Reason};
use crate::session::Session;
use crate::wire::{Published, RelayMessage};

/// Why an event goes no further.
pub(super) struct Refusal {
    /// The event, where its id can be read.
    id: Option<EventId>,
    reason: Reason,
}

/// Reads and checks an event up to its signature.
pub(super) fn check(session: &Session, published: Published<'_>) -> Result<Event, Refusal> {
    let event = read(published)?;
    let config = session.worker.config();
    let now = session.worker.relay.clock.now_s();
    let checked = orders::check_mode(&config.operation, now)
        .and_then(|()| form(&event, &config))
        .and_then(|()| time(&event, &config, now))
        .and_then(|()| orders::check_kind_and_id(&event, &session.worker.moderation()))
        .and_then(|()| nip13::check(&event, config.pow.bits(event.kind())))
        .and_then(|()| addressee(&event, &config))
        .and_then(|()| access(session, &event))
        .and_then(|()| limits::check(session, Action::Event, Some(&[event.kind()])))
        .and_then(|()| known(session, &event))
        .and_then(|()| {
            event
                .verify()
                .map_err(|error| Reason::invalid(error.to_string()))
        });
    match checked {
        Ok(()) => Ok(event),
        Err(reason) => Err(Refusal {
            id: Some(*event.id()),
            reason,
        }),
    }
}

fn read(published: Published<'_>) -> Result<Event, Refusal> {
    match published {
        Published::Read(event) => Ok(event),
        Published::Unread(json) => {
            let json = json.get().as_bytes();
            Event::parse(json).map_err(|error| Refusal {
                id: peek_id(json),
                reason: Reason::invalid(error.to_string()),
            })
        }
    }
}

impl Refusal {
    /// OK with false, or NOTICE where there is no id; a duplicate is no refusal at all (NIP-01).
    pub(super) fn answer(&self, session: &Session) {
        match &self.id {
            Some(id) if self.reason.prefix == Prefix::Duplicate => super::duplicate(session, id),
            Some(id) => super::refuse(session, id, &self.reason),
            None => session.send(RelayMessage::Notice(&self.reason)),
        }
    }
}

/// `[limitation]`: what an event may hold.
fn form(event: &Event, config: &Config) -> Result<(), Reason> {
    let limits = &config.limitation;
    if event.kind() == nip42::KIND {
        return Err(Reason::invalid(
            "kind 22242 authenticates a connection: send it as [\"AUTH\", event]",
        ));
    }
    let tags = event.tags().count();
    if tags > limits.max_event_tags as usize {
        return Err(Reason::invalid(format!(
            "the event has {tags} tags, at most {} are allowed",
            limits.max_event_tags
        )));
    }
    let max_tag_bytes = limits.max_tag_bytes.as_usize();
    // The length as JSON is an upper bound that spares the count.
    if event.tags_json().len() > max_tag_bytes {
        let bytes = |tag: Tag<'_>| tag.items().map(|item| item.len()).sum::<usize>();
        if let Some(bytes) = event.tags().map(bytes).find(|bytes| *bytes > max_tag_bytes) {
            return Err(Reason::invalid(format!(
                "a tag has {bytes} bytes, at most {max_tag_bytes} are allowed"
            )));
        }
    }
    if let Some(max) = limits.max_content_length {
        let max = max as usize;
        // The escaped form is an upper bound that spares the count.
        if event.content_json().len() - 2 > max && event.content().chars().count() > max {
            return Err(Reason::invalid(format!(
                "the content is longer than {max} characters"
            )));
        }
    }
    Ok(())
}

/// `created_at` within bounds, and NIP-40: an expired event is refused.
fn time(event: &Event, config: &Config, now: u64) -> Result<(), Reason> {
    if event.expiration().is_some_and(|at| at <= now) {
        return Err(Reason::invalid("the event has expired (NIP-40)"));
    }
    let limits = &config.limitation;
    if limits.created_at_exempt_kinds.contains(event.kind()) {
        return Ok(());
    }
    let newest = now.saturating_add(limits.max_event_time_newer_than_now.as_secs());
    if event.created_at() > newest {
        return Err(Reason::invalid(format!(
            "created_at is {} s ahead of the relay's clock, at most {} are allowed",
            event.created_at() - now,
            limits.max_event_time_newer_than_now.as_secs()
        )));
    }
    if let Some(oldest) = limits.max_event_time_older_than_now {
        let age = now.saturating_sub(event.created_at());
        if age > oldest.as_secs() {
            return Err(Reason::invalid(format!(
                "created_at is {age} s old, at most {} are allowed",
                oldest.as_secs()
            )));
        }
    }
    Ok(())
}

/// NIP-62: a request to vanish is for this relay, or is not taken. What the client calls the relay does not count: a request
/// answers no challenge, so one that was meant for somebody's relay at `localhost` could be sent here by anybody.
fn addressee(event: &Event, config: &Config) -> Result<(), Reason> {
    match event.kind() {
        nip62::KIND => nip62::check(event, config.network.relay_url.as_deref()),
        _ => Ok(()),
    }
}

/// Who may publish.
fn access(session: &Session, event: &Event) -> Result<(), Reason> {
    let viewer = session.viewer();
    let policy = session.worker.access();
    if event.kind() == nip62::KIND {
        policy.may_vanish(viewer.ip())?;
    } else if !policy.is_open() {
        let mentioned: Vec<PublicKey> = event
            .tag_values(b'p')
            .filter_map(|value| lowercase_hex(&value).map(PublicKey::from_byte_array))
            .collect();
        policy
            .may_publish(viewer.ip(), viewer.pubkeys(), event.pubkey(), &mentioned)
            .map_err(Reason::from)?;
    }
    nip70::check(event, &viewer)
}

/// An event that is stored needs no further work.
fn known(session: &Session, event: &Event) -> Result<(), Reason> {
    match session.worker.relay.store.contains(event.id()) {
        Ok(false) => Ok(()),
        Ok(true) => Err(Reason::duplicate("this event is stored already")),
        Err(error) => {
            tracing::error!(%error, "the store could not be asked for an id");
            Err(Reason::internal())
        }
    }
}
