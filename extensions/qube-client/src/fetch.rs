//! What several relays have stored, once.
//!
//! A relay answers with so many events at a time as it likes; older ones are asked for until nothing new comes.

use crate::crossing;
use crate::relays::{Line, Relays};
use futures_util::future::join_all;
use nostr_sdk::pool::{RelayNotification, RelayStatus};
use nostr_sdk::{ClientMessage, Filter, RelayMessage, SubscriptionId, Timestamp};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};
use url::Url;

/// Pages asked of one relay at most.
const PAGES: usize = 1000;

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
    pub async fn fetch(&self, filter: &serde_json::Value, patience: Duration) -> Fetched {
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
        let asked = self.relays.iter().map(|line| ask(line, &filter, until));
        let mut events = BTreeMap::new();
        for (line, (found, outcome)) in self.relays.iter().zip(join_all(asked).await) {
            events.extend(found);
            match outcome {
                Ok(()) => fetched.answered.push(line.url.clone()),
                Err(problem) => fetched.failed.push((line.url.clone(), problem)),
            }
        }
        fetched.events = events.into_values().collect();
        fetched
            .events
            .sort_by_key(|event| (std::cmp::Reverse(event.created_at), event.id));
        fetched
    }
}

type Found = BTreeMap<nostr::event::EventId, nostr::event::Event>;

async fn ask(line: &Line, filter: &Filter, until: Instant) -> (Found, Result<(), String>) {
    let mut found = Found::new();
    let outcome = async {
        let patience = until.saturating_duration_since(Instant::now());
        line.relay.wait_for_connection(patience).await;
        let mut filter = filter.clone();
        for _ in 0..PAGES {
            let known = found.len();
            let oldest_s = page(line, &filter, until, &mut found).await?;
            match oldest_s {
                Some(oldest_s) if filter.limit.is_none() && found.len() > known => {
                    filter.until = Some(Timestamp::from(oldest_s));
                }
                _ => return Ok(()),
            }
        }
        Err(format!("there was no end after {PAGES} pages"))
    };
    let outcome = outcome.await;
    (found, outcome)
}

/// One question and what is answered to it; gives the time of the oldest event.
async fn page(
    line: &Line,
    filter: &Filter,
    until: Instant,
    found: &mut Found,
) -> Result<Option<u64>, String> {
    let relay = &line.relay;
    let mut notifications = relay.notifications();
    let id = SubscriptionId::generate();
    let request = || ClientMessage::req(id.clone(), vec![filter.clone()]);
    relay
        .send_msg(request())
        .map_err(|error| error.to_string())?;
    let mut oldest_s: Option<u64> = None;
    loop {
        let heard = timeout_at(until, notifications.recv())
            .await
            .map_err(|_| "no answer in time".to_owned())?
            .map_err(|error| error.to_string())?;
        match heard {
            RelayNotification::Message { message } => match message {
                RelayMessage::Event {
                    subscription_id,
                    event,
                } if *subscription_id == id => {
                    let at_s = event.created_at.as_secs();
                    oldest_s = Some(oldest_s.map_or(at_s, |oldest| oldest.min(at_s)));
                    if let Some(event) = crossing::inwards(&event) {
                        found.insert(event.id, event);
                    }
                }
                RelayMessage::EndOfStoredEvents(ended) if *ended == id => {
                    let _no_more = relay.send_msg(ClientMessage::Close(Cow::Borrowed(&id)));
                    return Ok(oldest_s);
                }
                RelayMessage::Closed {
                    subscription_id,
                    message,
                } if *subscription_id == id && !message.starts_with("auth-required:") => {
                    return Err(message.into_owned());
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
