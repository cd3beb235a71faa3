//! What several relays have stored, once.
//!
//! A relay answers with so many events at a time as it likes; older ones are asked for until nothing new comes.

use crate::crossing;
use crate::relays::{Line, Relays};
use futures_util::future::join_all;
use nostr_sdk::pool::{RelayNotification, RelayStatus};
use nostr_sdk::{ClientMessage, Filter, RelayMessage, SubscriptionId, Timestamp};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout_at};
use url::Url;

/// Pages asked of one relay at most.
const PAGES: usize = 1000;
/// How often a connection that is awaited is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Relays give at least so many events at a time.
const SMALLEST_PAGE: usize = 100;

/// The union of what relays answered.
#[derive(Debug, Default)]
pub struct Fetched {
    /// Each event once, id and signature verified; newest first, equally old ones by id.
    pub events: Vec<nostr::event::Event>,
    /// The relays that told everything they have.
    pub answered: Vec<Url>,
    /// The relays that did not, and why. What they sent before is among the events.
    pub failed: Vec<(Url, String)>,
}

impl Relays {
    /// Asks all relays at once for what they have stored and matches a filter of NIP-01 (as JSON); each has `patience`.
    ///
    /// All of it is held at once: of what strangers may sign as well, take it with [`Relays::fetch_each`].
    pub async fn fetch(&self, filter: &serde_json::Value, patience: Duration) -> Fetched {
        let mut events = BTreeMap::new();
        let take = |event: nostr::event::Event| {
            events.insert(event.id, event);
        };
        let mut fetched = self.fetch_each(filter, patience, take).await;
        fetched.events = events.into_values().collect();
        fetched
            .events
            .sort_by_key(|event| (std::cmp::Reverse(event.created_at), event.id));
        fetched
    }

    /// The same, but hands over each event as it comes, verified, in no order, at least once for each relay that has
    /// it: pages overlap. [`Fetched::events`] stays empty.
    pub async fn fetch_each(
        &self,
        filter: &serde_json::Value,
        patience: Duration,
        take: impl FnMut(nostr::event::Event) + Send,
    ) -> Fetched {
        let mut fetched = Fetched::default();
        let filter = match crossing::filter(filter) {
            Ok(filter) => filter,
            Err(problem) => {
                let all = self.urls().map(|url| (url.clone(), problem.clone()));
                fetched.failed = all.collect();
                return fetched;
            }
        };
        let until = Instant::now() + patience;
        let take = Mutex::new(take);
        let take = |event| {
            let mut take = take.lock().unwrap_or_else(PoisonError::into_inner);
            take(event);
        };
        let asked = self
            .relays
            .iter()
            .map(|line| ask(line, &filter, until, &take));
        for (line, outcome) in self.relays.iter().zip(join_all(asked).await) {
            match outcome {
                Ok(()) => fetched.answered.push(line.url.clone()),
                Err(problem) => fetched.failed.push((line.url.clone(), problem)),
            }
        }
        fetched
    }
}

/// What a page had.
#[derive(Default)]
struct Page {
    events: usize,
    /// Of the oldest event, and the ids of those that are as old. Unix seconds.
    oldest: Option<(u64, BTreeSet<nostr_sdk::EventId>)>,
}

impl Page {
    fn add(&mut self, at_s: u64, id: nostr_sdk::EventId) {
        self.events += 1;
        match &mut self.oldest {
            Some((oldest_s, _)) if *oldest_s < at_s => {}
            Some((oldest_s, ids)) if *oldest_s == at_s => {
                ids.insert(id);
            }
            oldest => *oldest = Some((at_s, BTreeSet::from([id]))),
        }
    }
}

/// Goes back page by page. A page begins within the second in which the one before ended, so that nothing of that second is
/// passed over; a relay that has more of one second than it gives at a time has not told everything.
async fn ask(
    line: &Line,
    filter: &Filter,
    until: Instant,
    take: &(impl Fn(nostr::event::Event) + Sync),
) -> Result<(), String> {
    reach(line, until).await?;
    let mut filter = filter.clone();
    let mut known: Option<(u64, BTreeSet<nostr_sdk::EventId>)> = None;
    let mut largest = 0;
    // A second of which a page had nothing new, and how many it had.
    let mut full: Option<(u64, usize)> = None;
    for _ in 0..PAGES {
        let page = page(line, &filter, until, take).await?;
        let Some((oldest_s, ids)) = page.oldest else {
            return match full {
                // Nothing is older, so that all that there is came at once; unless it is as much as relays give at a time.
                Some((second, events)) if events >= SMALLEST_PAGE && events >= largest => {
                    Err(more_in(second))
                }
                _ => Ok(()),
            };
        };
        if filter.limit.is_some() {
            return Ok(());
        }
        if let Some((second, _)) = full {
            // There are older ones, and yet the page ended within that second.
            return Err(more_in(second));
        }
        let is_new =
            |(known_s, known): &(u64, BTreeSet<_>)| oldest_s != *known_s || !ids.is_subset(known);
        if known.as_ref().is_none_or(is_new) {
            largest = largest.max(page.events);
            filter.until = Some(Timestamp::from(oldest_s));
            let before = known.take().filter(|(known_s, _)| *known_s == oldest_s);
            let mut ids = ids;
            ids.extend(before.into_iter().flat_map(|(_, ids)| ids));
            known = Some((oldest_s, ids));
        } else if oldest_s == 0 {
            return Ok(());
        } else {
            full = Some((oldest_s, page.events));
            filter.until = Some(Timestamp::from(oldest_s - 1));
        }
    }
    Err(format!("there was no end after {PAGES} pages"))
}

/// Waits for the connection, and no longer than until an attempt has failed: who is refused now is tried again in the background.
async fn reach(line: &Line, until: Instant) -> Result<(), String> {
    let reached = loop {
        match line.relay.status() {
            RelayStatus::Connected => break Ok(()),
            RelayStatus::Disconnected if line.relay.stats().attempts() > 0 => {
                break Err("it cannot be reached");
            }
            RelayStatus::Terminated | RelayStatus::Banned => break Err("the connection ended"),
            _ if Instant::now() >= until => break Err("no connection in time"),
            _ => sleep(LOOK_EVERY).await,
        }
    };
    line.given_up.store(reached.is_err(), Ordering::Relaxed);
    reached.map_err(str::to_owned)
}

fn more_in(second: u64) -> String {
    format!(
        "it has more events of the second {second} than it gives at a time; those and older ones are missing"
    )
}

/// One question and what is answered to it.
async fn page(
    line: &Line,
    filter: &Filter,
    until: Instant,
    take: &(impl Fn(nostr::event::Event) + Sync),
) -> Result<Page, String> {
    let relay = &line.relay;
    let mut notifications = relay.notifications();
    let id = SubscriptionId::generate();
    let request = || ClientMessage::req(id.clone(), vec![filter.clone()]);
    relay
        .send_msg(request())
        .map_err(|error| error.to_string())?;
    let mut page = Page::default();
    let mut refused: Option<String> = None;
    loop {
        let heard = timeout_at(until, notifications.recv())
            .await
            .map_err(|_| refused.clone().unwrap_or("no answer in time".to_owned()))?
            .map_err(|error| error.to_string())?;
        match heard {
            RelayNotification::Message { message } => match message {
                RelayMessage::Event {
                    subscription_id,
                    event,
                } if *subscription_id == id => {
                    page.add(event.created_at.as_secs(), event.id);
                    if let Some(event) = crossing::inwards(&event) {
                        take(event);
                    }
                }
                RelayMessage::EndOfStoredEvents(ended) if *ended == id => {
                    let _no_more = relay.send_msg(ClientMessage::Close(Cow::Borrowed(&id)));
                    return Ok(page);
                }
                RelayMessage::Closed {
                    subscription_id,
                    message,
                } if *subscription_id == id => {
                    if !message.starts_with("auth-required:") {
                        return Err(message.into_owned());
                    }
                    if !line.logs_in {
                        return Err(format!("{message}; nobody was logged in"));
                    }
                    refused = Some(message.into_owned());
                }
                _ => {}
            },
            // Who is known now may be told what was refused to a stranger.
            RelayNotification::Authenticated => {
                relay
                    .send_msg(request())
                    .map_err(|error| error.to_string())?;
            }
            RelayNotification::RelayStatus { status } if status != RelayStatus::Connected => {
                return Err("the connection ended".to_owned());
            }
            _ => {}
        }
    }
}
