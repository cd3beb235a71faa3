//! Says what groups are: signs and publishes the events about them (39000 to 39003, 39005) when something has changed.
//!
//! Invariant: what is said is what memory has when it is said; what is the same as before is not said again. Of one group and
//! kind one event is said in a second, so that none is dated ahead of the clock: changes that come in between make one event
//! of the next second. None of them is lost with the process, since everything is looked at when it starts.

use crate::Groups;
use crate::agenda::Said;
use crate::directory::Known;
use crate::metadata::{self, SAID, Tag};
use crate::watch;
use std::collections::{BTreeMap, HashSet};
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
/// How often it is looked whether the next second has come, while something waits for it.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// An event that is further ahead is from before the clock was set back: nobody waits until it has caught up.
const AHEAD_MAX_S: u64 = 60;

/// Says what has changed, for ever; first whatever changed while nobody was there to say it, the configuration included.
pub(crate) async fn announce_forever(me: &Groups) -> Result<(), TaskError> {
    for id in me.directory.ids() {
        me.agenda.say(&id, Said::ALL);
    }
    let mut second = Second::default();
    loop {
        let Some((id, what, failures)) = second.next(me).await else {
            continue;
        };
        let left = announce(me, &id, what, &mut second).await?;
        second.put_off(&id, left.too_soon);
        if left.failed != Said::NOTHING {
            if !me.agenda.say_again(&id, left.failed, failures) {
                tracing::warn!(failures, "what a group is waits for its next change");
            }
            tokio::time::sleep(PAUSE_AFTER_ERROR).await;
        } else if left.too_soon != what {
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// What was said in one second, and what waits for the next. No larger than the agenda, which has each group once.
#[derive(Default)]
struct Second {
    at_s: u64,
    said: HashSet<(String, u16)>,
    waiting: BTreeMap<String, Said>,
}

impl Second {
    /// Waits for something to say, for a moment alone while something waits for the next second.
    async fn next(&mut self, me: &Groups) -> Option<(String, Said, u32)> {
        self.turn(me);
        let next = me.agenda.next_said();
        let next = match self.waiting.is_empty() {
            true => next.await,
            false => tokio::time::timeout(LOOK_EVERY, next).await.ok()?,
        };
        self.turn(me);
        Some(next)
    }

    /// Begins the next one, if it has come.
    fn turn(&mut self, me: &Groups) {
        let now_s = me.host.clock().now_s();
        if now_s != self.at_s {
            self.at_s = now_s;
            self.said.clear();
            for (id, what) in std::mem::take(&mut self.waiting) {
                me.agenda.say(&id, what);
            }
        }
    }

    fn put_off(&mut self, id: &str, what: Said) {
        if what != Said::NOTHING {
            let waiting = self.waiting.entry(id.to_owned()).or_default();
            *waiting = waiting.and(what);
        }
    }
}

/// What was not said.
#[derive(Default)]
struct Left {
    too_soon: Said,
    failed: Said,
}

/// Whether there is a group of which is known what to say.
fn may_be_described(known: &Known) -> bool {
    !known.group.is_deleted && !known.is_unreadable
}

/// Says of one group what has changed.
async fn announce(
    me: &Groups,
    id: &str,
    what: Said,
    second: &mut Second,
) -> Result<Left, StoreError> {
    let mut left = Left::default();
    let Some(known) = me.directory.copy(id).filter(may_be_described) else {
        return Ok(left);
    };
    let is_hidden = |id: &str| me.directory.has_hidden(id);
    let kinds = SAID.into_iter().enumerate();
    for (place, kind) in kinds.filter(|(place, _)| what.has(*place)) {
        let Some(tags) = metadata::tags(kind, id, &known, &me.rules, is_hidden) else {
            continue;
        };
        let said = (id.to_owned(), kind);
        if second.said.contains(&said) {
            left.too_soon = left.too_soon.and(Said::at(place));
            continue;
        }
        match say(me, kind, id, tags, second.at_s).await? {
            Spoken::Same => {}
            Spoken::Said => drop(second.said.insert(said)),
            Spoken::TooSoon => left.too_soon = left.too_soon.and(Said::at(place)),
            Spoken::Failed => left.failed = left.failed.and(Said::at(place)),
        }
    }
    Ok(left)
}

/// What became of one event.
enum Spoken {
    Said,
    /// It says what was said before, or nobody takes it.
    Same,
    /// The last one is of this second.
    TooSoon,
    /// The store failed.
    Failed,
}

async fn say(
    me: &Groups,
    kind: u16,
    id: &str,
    tags: Vec<Tag>,
    now_s: u64,
) -> Result<Spoken, StoreError> {
    let last = Filter {
        kinds: Some(vec![kind]),
        authors: Some(vec![me.rules.relay]),
        tags: BTreeMap::from([(b'd', vec![id.to_owned()])]),
        limit: Some(1),
        ..Filter::default()
    };
    let last = me.host.query(last).await?.into_iter().next();
    let mut at_s = now_s;
    if let Some(last) = last {
        let items = |tag: trellis_relay::event::Tag<'_>| -> Tag {
            tag.items().map(|item| item.into_owned()).collect()
        };
        if last.tags().map(items).eq(tags.iter().cloned()) {
            return Ok(Spoken::Same);
        }
        // Of two in one second the one with the lower id would count.
        let earliest_s = last.created_at() + 1;
        if earliest_s > now_s && earliest_s <= now_s + AHEAD_MAX_S {
            return Ok(Spoken::TooSoon);
        }
        at_s = at_s.max(earliest_s);
    }
    let tags = tags
        .into_iter()
        .filter_map(|tag| event::Tag::parse(tag).ok());
    let event = EventBuilder::new(Kind::from(kind), "").tags(tags);
    let event = event.custom_created_at(Timestamp::from_secs(at_s));
    match me.host.publish(event).await {
        Ok(_) => {
            watch::said();
            Ok(Spoken::Said)
        }
        Err(reason) if reason.prefix == Prefix::Error => Ok(Spoken::Failed),
        Err(reason) => {
            tracing::warn!(kind, %reason, "what a group is could not be said");
            Ok(Spoken::Same)
        }
    }
}
