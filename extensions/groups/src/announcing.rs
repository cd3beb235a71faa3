//! Says what groups are: signs and publishes the events about them (39000 to 39003, 39005) when something has changed.
//!
//! Invariant: what is said is what memory has when it is said; what is the same as before is not said again. Many changes in a
//! short time make one event.

use crate::Groups;
use crate::agenda::Said;
use crate::metadata::{self, SAID, Tag};
use crate::watch;
use std::collections::BTreeMap;
use std::time::Duration;
use trellis_relay::extension::prelude::*;
use trellis_relay::nostr::event::{self, EventBuilder, Kind};
use trellis_relay::nostr::types::Timestamp;
use trellis_relay::reason::Prefix;
use trellis_relay::store::StoreError;

/// Between two groups, so that a rush of changes becomes few events.
const PAUSE: Duration = Duration::from_millis(20);
/// What could not be stored is tried again so much later.
const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(500);

/// Says what has changed, for ever; first whatever changed while nobody was there to say it, the configuration included.
pub(crate) async fn announce_forever(me: &Groups) -> Result<(), TaskError> {
    for id in me.directory.ids() {
        me.agenda.say(&id, Said::ALL);
    }
    loop {
        let (id, what, failures) = me.agenda.next_said().await;
        match announce(me, &id, what).await? {
            true => tokio::time::sleep(PAUSE).await,
            false => {
                if !me.agenda.say_again(&id, what, failures) {
                    tracing::warn!(failures, "what a group is waits for its next change");
                }
                tokio::time::sleep(PAUSE_AFTER_ERROR).await;
            }
        }
    }
}

/// Says of one group what has changed; whether that is done.
async fn announce(me: &Groups, id: &str, what: Said) -> Result<bool, StoreError> {
    let Some(known) = me.directory.copy(id).filter(|it| !it.group.is_deleted) else {
        return Ok(true);
    };
    let kinds = SAID.into_iter().enumerate();
    for (_, kind) in kinds.filter(|(place, _)| what.has(*place)) {
        let Some(tags) = metadata::tags(kind, id, &known, &me.rules) else {
            continue;
        };
        if !say(me, kind, id, tags).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

async fn say(me: &Groups, kind: u16, id: &str, tags: Vec<Tag>) -> Result<bool, StoreError> {
    let last = Filter {
        kinds: Some(vec![kind]),
        authors: Some(vec![me.rules.relay]),
        tags: BTreeMap::from([(b'd', vec![id.to_owned()])]),
        limit: Some(1),
        ..Filter::default()
    };
    let last = me.host.query(last).await?.into_iter().next();
    let mut at_s = me.host.clock().now_s();
    if let Some(last) = last {
        let items = |tag: trellis_relay::event::Tag<'_>| -> Tag {
            tag.items().map(|item| item.into_owned()).collect()
        };
        if last.tags().map(items).eq(tags.iter().cloned()) {
            return Ok(true);
        }
        // Of two in one second the one with the lower id would count.
        at_s = at_s.max(last.created_at() + 1);
    }
    let tags = tags
        .into_iter()
        .filter_map(|tag| event::Tag::parse(tag).ok());
    let event = EventBuilder::new(Kind::from(kind), "").tags(tags);
    let event = event.custom_created_at(Timestamp::from_secs(at_s));
    match me.host.publish(event).await {
        Ok(_) => {
            watch::said();
            Ok(true)
        }
        Err(reason) if reason.prefix == Prefix::Error => Ok(false),
        Err(reason) => {
            tracing::warn!(kind, %reason, "what a group is could not be said");
            Ok(true)
        }
    }
}
