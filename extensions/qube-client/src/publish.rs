//! An event to several relays, and what each said.
//!
//! AUTH is answered when it is asked for, if the relays were connected with keys. Nothing is remembered here: who must
//! survive a crash keeps what is not yet delivered on disk.

use crate::crossing;
use crate::relays::{Line, Relays};
use futures_util::future::join_all;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::{Instant, sleep};
use url::Url;

/// What became of an event at one relay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// The relay has it durably.
    Accepted,
    /// The relay will never take it; what it said.
    Refused(String),
    /// Not now: no connection, no answer, a rate limit; what was the matter.
    Failed(String),
}

impl Delivery {
    /// Whether there is nothing left to do.
    pub fn is_final(&self) -> bool {
        !matches!(self, Delivery::Failed(_))
    }

    /// What a relay's refusal means; by the prefixes of NIP-01.
    fn of_refusal(message: String) -> Delivery {
        let prefix = message.split(':').next().unwrap_or_default();
        match prefix {
            "duplicate" => Delivery::Accepted,
            "invalid" | "pow" | "blocked" | "restricted" => Delivery::Refused(message),
            _ => Delivery::Failed(message),
        }
    }
}

/// How patiently an event is offered again.
#[derive(Debug, Clone, Copy)]
pub struct Retry {
    /// The first wait; each further one is twice as long.
    pub first: Duration,
    /// The longest wait.
    pub longest: Duration,
    /// When to give up.
    pub within: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Retry {
            first: Duration::from_secs(1),
            longest: Duration::from_secs(30),
            within: Duration::from_secs(120),
        }
    }
}

impl Relays {
    /// Sends the event to one of the relays.
    pub async fn publish_to(&self, url: &Url, event: &nostr::event::Event) -> Delivery {
        match self.relays.iter().find(|line| line.url == *url) {
            Some(line) => offer(line, event).await,
            None => Delivery::Refused(format!("{url} is not among the relays")),
        }
    }

    /// Offers the event to all relays at once, to each until it has an answer that is final or `retry.within` is over; in the order
    /// of [`Relays::urls`]. A relay that a question was given up for, and that is still away, is tried once.
    pub async fn publish_until_ok(
        &self,
        event: &nostr::event::Event,
        retry: Retry,
    ) -> Vec<(Url, Delivery)> {
        let end = Instant::now() + retry.within;
        let all = self.relays.iter().map(async |line| {
            let mut wait = retry.first;
            loop {
                let delivery = offer(line, event).await;
                let is_away = line.given_up.load(Ordering::Relaxed) && !line.relay.is_connected();
                if delivery.is_final() || is_away || Instant::now() + wait > end {
                    return (line.url.clone(), delivery);
                }
                sleep(wait).await;
                wait = (wait * 2).min(retry.longest);
            }
        });
        join_all(all).await
    }
}

async fn offer(line: &Line, event: &nostr::event::Event) -> Delivery {
    if !line.relay.is_connected() {
        return Delivery::Failed("not connected".to_owned());
    }
    let event = match crossing::outwards(event) {
        Ok(event) => event,
        Err(problem) => return Delivery::Refused(problem),
    };
    match line.relay.send_event(&event).await {
        Ok(_) => Delivery::Accepted,
        Err(nostr_sdk::pool::relay::Error::RelayMessage(message)) => Delivery::of_refusal(message),
        Err(error) => Delivery::Failed(error.to_string()),
    }
}
