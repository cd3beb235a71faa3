//! Communities are asked for at the relays that they name as their own (NIP-65): whoever is looked up here is, at most once
//! in ten minutes.
//!
//! Invariant: wishes are bounded, a relay that hangs holds up one of few places for a while, and who asks learns nothing but
//! what is stored afterwards.

use super::peer::{Peer, Said};
use super::watching::{RELAYS, store_definitions};
use crate::LivekitToken;
use crate::communities::{DEFINITION, LIST};
use futures_util::StreamExt as _;
use serde_json::json;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use trellis_relay::clock::Clock;
use trellis_relay::extension::OutboundError;
use trellis_relay::extension::prelude::*;

/// A community is asked for once in this time.
const PERIOD_S: u64 = 600;
/// Communities that wait, and those that are remembered as asked for.
const WISHES_MAX: usize = 256;
const ASKED_MAX: usize = 10_000;
const AT_A_TIME: usize = 4;
/// Relays of one community that are asked.
const RELAYS_MAX: usize = 3;
/// One relay may take so long, and say so much.
const PATIENCE: Duration = Duration::from_secs(10);
const EVENTS_MAX: usize = 200;
const BYTES_MAX: usize = 4 << 20;

/// The communities that somebody wants to know about.
pub(crate) struct Wishes {
    is_on: bool,
    clock: Arc<dyn Clock>,
    waiting: Mutex<Waiting>,
    bell: Notify,
}

#[derive(Default)]
struct Waiting {
    wishes: BTreeSet<PublicKey>,
    /// When, in seconds since 1970.
    asked_at_s: HashMap<PublicKey, u64>,
}

impl Wishes {
    pub(crate) fn new(is_on: bool, clock: Arc<dyn Clock>) -> Self {
        Wishes {
            is_on,
            clock,
            waiting: Mutex::default(),
            bell: Notify::new(),
        }
    }

    /// Somebody wants to know about a community.
    pub(crate) fn add(&self, community: &PublicKey) {
        if !self.is_on {
            return;
        }
        let now_s = self.clock.now_s();
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let asked_at_s = waiting.asked_at_s.get(community);
        let is_due = asked_at_s.is_none_or(|at_s| now_s >= at_s.saturating_add(PERIOD_S));
        if !is_due || waiting.wishes.len() >= WISHES_MAX {
            return;
        }
        if waiting.asked_at_s.len() >= ASKED_MAX {
            let asked_at_s = &mut waiting.asked_at_s;
            asked_at_s.retain(|_, at_s| now_s < at_s.saturating_add(PERIOD_S));
            if asked_at_s.len() >= ASKED_MAX {
                return;
            }
        }
        waiting.asked_at_s.insert(*community, now_s);
        waiting.wishes.insert(*community);
        self.bell.notify_one();
    }

    async fn take(&self) -> Vec<PublicKey> {
        loop {
            let taken = {
                let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
                std::mem::take(&mut waiting.wishes)
            };
            if !taken.is_empty() {
                return taken.into_iter().collect();
            }
            self.bell.notified().await;
        }
    }
}

/// Asks for what is wished, until the task is dropped.
pub(super) async fn ask_forever(me: &LivekitToken) {
    loop {
        let wishes = futures_util::stream::iter(me.communities.wishes().take().await);
        let asked = wishes.map(|community| ask(me, community));
        asked
            .buffer_unordered(AT_A_TIME)
            .for_each(|()| std::future::ready(()))
            .await;
    }
}

async fn ask(me: &LivekitToken, community: PublicKey) {
    let relays = match relays_of(me, &community).await {
        Ok(relays) => relays,
        Err(error) => {
            tracing::warn!("where a community is to be found could not be read: {error}");
            return;
        }
    };
    for relay in relays {
        match tokio::time::timeout(PATIENCE, fetch(me, &relay, &community)).await {
            Ok(Ok(events)) => store_definitions(me, events).await,
            Ok(Err(error)) => tracing::info!("a community's relay could not be asked: {error}"),
            Err(_) => tracing::info!("a community's relay did not answer in time"),
        }
    }
}

/// Those that the community writes to, by the list that is stored here.
async fn relays_of(
    me: &LivekitToken,
    community: &PublicKey,
) -> Result<Vec<String>, trellis_relay::store::StoreError> {
    let found = me.host.query(Filter {
        kinds: Some(vec![RELAYS]),
        authors: Some(vec![*community]),
        limit: Some(1),
        ..Filter::default()
    });
    let found = found.await?;
    let Some(list) = found.first() else {
        return Ok(Vec::new());
    };
    let written = list
        .tags()
        .filter(|tag| tag.name() == "r" && tag.get(2).as_deref() != Some("read"));
    let urls = written.filter_map(|tag| tag.value().map(|url| url.into_owned()));
    Ok(urls.take(RELAYS_MAX).collect())
}

async fn fetch(
    me: &LivekitToken,
    relay: &str,
    community: &PublicKey,
) -> Result<Vec<Arc<Event>>, OutboundError> {
    let mut peer = Peer::connect(&me.host, relay).await?;
    let filter = json!({"kinds": [DEFINITION, LIST, RELAYS], "authors": [community.to_hex()], "limit": EVENTS_MAX});
    peer.subscribe("community", &[filter]).await?;
    let (mut events, mut bytes) = (Vec::new(), 0);
    while let Some(said) = peer.next().await? {
        match said {
            Said::Event(_, event) if event.pubkey() == community => {
                // A stranger's relay says what it wants: nothing is gathered that nobody has signed.
                bytes += event.json().len();
                if bytes > BYTES_MAX || event.verify().is_err() {
                    break;
                }
                events.push(event);
            }
            Said::Event(..) => {}
            Said::End(_) | Said::Closed => break,
        }
        if events.len() >= EVENTS_MAX {
            break;
        }
    }
    Ok(events)
}
