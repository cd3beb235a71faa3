//! Events of the gateway's own kinds whose time is over, in the relay's store: roster events (450), requests for KeyPackages
//! (447) and KeyPackages (443, and 30443 with an end).
//!
//! Nobody is shown an expired one in the meantime, so it does not matter when it goes: a sweep looks at some thousand events
//! of a kind and the next one goes on from there. A guard may keep any of them.

use super::stock::ASK_EVERY_S;
use crate::MlsGateway;
use crate::kinds::{ADDRESSABLE_KEY_PACKAGE, KEY_PACKAGE, KEY_PACKAGE_REQUEST, ROSTER};
use crate::rules;
use futures_util::future::try_join_all;
use std::sync::Arc;
use trellis_relay::extension::prelude::*;
use trellis_relay::store::StoreError;

const PAGE_EVENTS: usize = 500;
/// Pages of a kind that one sweep looks at.
const PAGES_MAX: usize = 10;

/// Where the next sweep goes on.
#[derive(Default)]
pub(super) struct EventSweep {
    requests: Place,
    packages: Place,
    addressable_packages: Place,
}

/// Events up to these seconds are still to be looked at; all of them where there is nothing.
#[derive(Default)]
struct Place(Option<u64>);

impl EventSweep {
    pub(super) async fn sweep(&mut self, me: &MlsGateway, now_s: u64) -> Result<(), StoreError> {
        sweep_rosters(me, now_s).await?;
        let relay = me.host.relay_pubkey();
        let has_request_ended = |event: &Event| {
            let end_s = rules::package_request::expires_at_s(event, &me.settings);
            // Our own say when we asked last.
            let keep_s = if *event.pubkey() == relay {
                ASK_EVERY_S
            } else {
                0
            };
            let keep_until_s = event.created_at().saturating_add(keep_s);
            end_s.unwrap_or(0).max(keep_until_s) <= now_s
        };
        self.requests
            .sweep(me, KEY_PACKAGE_REQUEST, has_request_ended)
            .await?;
        let has_package_ended = |event: &Event| {
            let end_s = rules::key_package::expires_at_s(event, &me.settings);
            // What cannot be read came in before the gateway did.
            end_s.is_ok_and(|end_s| end_s.is_some_and(|end_s| end_s <= now_s))
        };
        self.packages
            .sweep(me, KEY_PACKAGE, has_package_ended)
            .await?;
        self.addressable_packages
            .sweep(me, ADDRESSABLE_KEY_PACKAGE, has_package_ended)
            .await
    }
}

/// Roster events go by their age alone; membership outlives them.
async fn sweep_rosters(me: &MlsGateway, now_s: u64) -> Result<(), StoreError> {
    let old = Filter {
        kinds: Some(vec![ROSTER]),
        until: Some(now_s.saturating_sub(me.settings.roster_policy_ttl_s)),
        limit: Some(PAGE_EVENTS),
        ..Filter::default()
    };
    for _ in 0..PAGES_MAX {
        let events = me.host.query(old.clone()).await?;
        let removed = remove(&me.host, ROSTER, &events).await?;
        if removed == 0 || events.len() < PAGE_EVENTS {
            break;
        }
    }
    Ok(())
}

impl Place {
    async fn sweep(
        &mut self,
        me: &MlsGateway,
        kind: u16,
        has_ended: impl Fn(&Event) -> bool,
    ) -> Result<(), StoreError> {
        for _ in 0..PAGES_MAX {
            let page = Filter {
                kinds: Some(vec![kind]),
                until: self.0,
                limit: Some(PAGE_EVENTS),
                ..Filter::default()
            };
            let events = me.host.query(page).await?;
            let is_last = events.len() < PAGE_EVENTS;
            let oldest_s = events.last().map(|event| event.created_at());
            let ended: Vec<_> = events.into_iter().filter(|it| has_ended(it)).collect();
            let removed = remove(&me.host, kind, &ended).await?;
            if is_last {
                // From the newest on again.
                self.0 = None;
                return Ok(());
            }
            // Events of the oldest second may be left, unless all of the page are of it and stay.
            let is_stuck = self.0.is_some() && self.0 == oldest_s && removed == 0;
            self.0 = oldest_s.map(|second| second.saturating_sub(u64::from(is_stuck)));
        }
        Ok(())
    }
}

/// Removes events at once; says how many are gone.
async fn remove(host: &Host, kind: u16, events: &[Arc<Event>]) -> Result<usize, StoreError> {
    let removals = events
        .iter()
        .map(|event| host.remove(*event.id(), Cause::Retention));
    let gone = try_join_all(removals).await?;
    let removed = gone.into_iter().filter(|is_gone| *is_gone).count();
    if removed > 0 {
        tracing::debug!(kind, removed, "expired events were removed");
    }
    Ok(removed)
}
