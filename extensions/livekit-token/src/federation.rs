//! What is taken from other relays: spaces with their communities from those that the operator has watched (`nostr_relays`),
//! and with `federation` the definitions and lists of communities from the relays that they themselves name (NIP-65).
//!
//! What is taken is stored here like anybody's event, once its signature is verified: the operator's lists hold, deletions and
//! newer versions count, and from there on it is followed as all events are. Invariant: without these two keys nobody is asked.
//! Only what a room depends on is taken: spaces that ask for a room here and are entitled to one, definitions and lists of
//! their communities, and deletions by whoever wrote any of these.

mod asking;
mod followed;
mod heap;
mod peer;
#[cfg(test)]
mod tests;
mod waiting;
mod watching;

use crate::LivekitToken;
use futures_util::future::join_all;
use std::sync::Arc;
use trellis_relay::extension::Restored;
use trellis_relay::extension::prelude::*;

pub(crate) use asking::Wishes;

/// Asks other relays, if the operator wants that, until the task is dropped.
pub(crate) async fn run(me: &LivekitToken) {
    let settings = me.settings();
    if !settings.communities {
        return;
    }
    let relays = settings.nostr_relays.iter();
    let watched = join_all(relays.map(|relay| watching::watch_forever(me, relay)));
    if settings.federation {
        futures_util::join!(watched, asking::ask_forever(me));
    } else {
        watched.await;
    }
}

/// Stores what was taken from another relay. How many were new.
async fn take(me: &LivekitToken, events: Vec<Arc<Event>>) -> usize {
    if events.is_empty() {
        return 0;
    }
    match me.host.restore(events).await {
        Ok(restored) => restored
            .iter()
            .filter(|it| **it == Restored::Stored)
            .count(),
        Err(error) => {
            tracing::warn!("what other relays have could not be stored: {error}");
            0
        }
    }
}
