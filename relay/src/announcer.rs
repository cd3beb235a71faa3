//! Tells users of the relay's state by an event that the relay signs: a status (NIP-38, kind 30315, `d` = `general`),
//! which clients show beside the relay's name and which the next one replaces.
//!
//! Invariant: a status is published when what it says has changed, and not again by a restart. It expires when the
//! announced maintenance is over. Not here: `/status` and `/`, which are `http`'s.

use crate::config::Operation;
use crate::event::Event;
use crate::extension::Core as _;
use crate::filter::Filter;
use crate::relay::{ForExtensions, Relay};
use crate::store::{Budget, Order, Scan, StoreError};
use nostr::event::{EventBuilder, Kind, Tag};
use nostr::types::Timestamp;
use std::sync::{Arc, Weak};
use std::time::Duration;

/// NIP-38.
const STATUS: u16 = 30_315;
const GENERAL: &str = "general";

/// How often it is seen whether the relay is gone.
const PAUSE: Duration = Duration::from_secs(2);
/// How long after a failure it is tried again.
const RETRY: Duration = Duration::from_secs(60);

/// Announces until the relay is gone.
pub(crate) async fn run(relay: Weak<Relay>) {
    let mut announced: Option<Operation> = None;
    while let Some(relay) = relay.upgrade().filter(|relay| !relay.is_stopping()) {
        let config = relay.config();
        let mut pause = PAUSE;
        if announced.as_ref() != Some(&config.operation) {
            match announce(&relay, &config.operation).await {
                true => announced = Some(config.operation.clone()),
                false => pause = RETRY,
            }
        }
        let bell = relay.moderator.reconfigured.clone();
        drop(relay);
        // In pieces, and without a hold on the relay, or nothing would ever find it gone.
        let _ = tokio::time::timeout(pause, bell.notified()).await;
    }
}

/// What a status says.
#[derive(Debug, PartialEq, Eq)]
struct Status {
    content: String,
    expires_at: Option<u64>,
}

/// Publishes what is to be said now, unless it was said; whether it is known now.
async fn announce(relay: &Arc<Relay>, operation: &Operation) -> bool {
    let now_s = relay.clock.now_s();
    let wanted = Status {
        content: operation.notice_at(now_s).unwrap_or_default(),
        expires_at: match operation.notice_at(now_s) {
            Some(_) => operation.maintenance_until.map(|until| until.unix_secs()),
            None => None,
        },
    };
    let last = match last(relay, now_s).await {
        Ok(last) => last,
        Err(error) => {
            tracing::error!(%error, "the relay's last status could not be read");
            return false;
        }
    };
    let said = last.as_ref().map(status);
    if said.as_ref() == Some(&wanted) || (said.is_none() && wanted.content.is_empty()) {
        return true;
    }
    if operation.is_short_notice_at(now_s) {
        tracing::warn!(
            "the maintenance begins in less than 72 hours: users have little time to prepare"
        );
    }
    let after = last.map_or(0, |last| last.created_at() + 1);
    match publish(relay, &wanted, now_s.max(after)).await {
        Ok(()) => {
            tracing::info!("announced the relay's state");
            true
        }
        Err(reason) => {
            tracing::warn!(%reason, "the relay's state was not announced");
            false
        }
    }
}

async fn publish(
    relay: &Arc<Relay>,
    status: &Status,
    created_at: u64,
) -> Result<(), crate::reason::Reason> {
    let mut event = EventBuilder::new(Kind::from(STATUS), status.content.as_str());
    event.created_at = Some(Timestamp::from_secs(created_at));
    event = event.tag(Tag::identifier(GENERAL));
    if let Some(at) = status.expires_at {
        event = event.tag(Tag::expiration(Timestamp::from_secs(at)));
    }
    let core = ForExtensions(relay.clone());
    let event = Arc::new(core.sign(event)?);
    core.publish(event).await
}

/// The status that is stored.
async fn last(relay: &Relay, now: u64) -> Result<Option<Arc<Event>>, StoreError> {
    let (store, author) = (relay.store.clone(), relay.keys.public_key());
    let found = relay.readers.run(move || {
        let filter = Filter {
            authors: Some(vec![author]),
            kinds: Some(vec![STATUS]),
            tags: [(b'd', vec![GENERAL.to_owned()])].into(),
            ..Filter::default()
        };
        store.scan(&Scan {
            filter: &filter,
            order: Order::NewestFirst,
            resume: None,
            max_row: u64::MAX,
            now,
            budget: Budget {
                events: 1,
                entries: 10_000,
                bytes: 1 << 20,
                time: Duration::from_millis(100),
            },
        })
    });
    let busy = |_| StoreError::Unavailable("the readers are busy".to_owned());
    let page = found.await.map_err(busy)??;
    Ok(page.events.into_iter().next().map(|stored| stored.event))
}

fn status(event: &Arc<Event>) -> Status {
    Status {
        content: event.content().into_owned(),
        expires_at: event.expiration(),
    }
}
