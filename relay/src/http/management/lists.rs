//! The methods that tell: lists with their reasons, what was reported, and figures.
//!
//! Reasons are read from the store when they are asked for; memory holds only who and what is listed.

use super::params::Params;
use crate::decisions;
use crate::event::{Event, EventId, lowercase_hex};
use crate::filter::Filter;
use crate::kinds::Kinds;
use crate::moderation::{Moderation, Row, SPACE, Standing, Subject, Verdict};
use crate::relay::Relay;
use crate::store::{Budget, Order, Scan, Store, StoreError};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

type Answer = Result<Value, String>;

pub(super) async fn banned_pubkeys(relay: &Arc<Relay>) -> Answer {
    list(relay, Subject::PUBKEYS, Verdict::Denied).await
}

pub(super) async fn allowed_pubkeys(relay: &Arc<Relay>) -> Answer {
    list(relay, Subject::PUBKEYS, Verdict::Allowed).await
}

pub(super) async fn banned_events(relay: &Arc<Relay>) -> Answer {
    list(relay, Subject::EVENTS, Verdict::Denied).await
}

pub(super) async fn blocked_addresses(relay: &Arc<Relay>) -> Answer {
    list(relay, Subject::ADDRESSES, Verdict::Denied).await
}

pub(super) fn kinds(kinds: &Kinds) -> Value {
    kinds.iter().collect::<Vec<u16>>().into()
}

/// The log of decisions, newest first: those before a number, and at most so many.
pub(super) async fn decisions(relay: &Arc<Relay>, params: &Params<'_>) -> Answer {
    const ROWS_MAX: u64 = 1_000;
    let before = params.number(0, 1..=u64::MAX)?;
    let max = params.number(1, 1..=ROWS_MAX)?.unwrap_or(100);
    let store = relay.store.clone();
    let rows = read(relay, move || {
        decisions::newest(&*store, before, max as usize)
    });
    Ok(rows.await?.iter().map(decisions::Row::told).collect())
}

/// How the relay does.
pub(super) async fn stats(relay: &Arc<Relay>) -> Answer {
    let store = relay.store.clone();
    let stored = read(relay, move || store.stats()).await?;
    let moderation = relay.moderation();
    Ok(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "uptime_seconds": relay.started.elapsed().as_secs(),
        "connections": relay.connections.open(),
        "events": stored.events,
        "store_used_bytes": stored.used_bytes,
        "store_quota_bytes": stored.quota_bytes,
        "store_full": stored.full,
        "extensions": relay.extension_names(),
        "banned_pubkeys": moderation.banned_pubkeys.len(),
        "banned_pubkeys_to_purge": moderation.to_purge.len(),
        "allowed_pubkeys": moderation.allowed_pubkeys.len(),
        "banned_events": moderation.banned_events.len(),
        "allowed_kinds": moderation.allowed_kinds.len(),
        "disallowed_kinds": moderation.disallowed_kinds.len(),
        "blocked_ips": moderation.blocked_addresses.len(),
    }))
}

/// Stored events that reports (NIP-56, kind 1984) name and nobody has decided about, with what is said of them.
pub(super) async fn reported_events(relay: &Arc<Relay>) -> Answer {
    let (store, now, moderation) = (relay.store.clone(), relay.clock.now_s(), relay.moderation());
    let found = read(relay, move || reported(&*store, now, &moderation)).await?;
    let events = found.into_iter().map(|(id, report)| {
        let kinds = report.kinds.into_iter().collect::<Vec<_>>().join(", ");
        let times = match report.count {
            1 => "reported once".to_owned(),
            count => format!("reported {count} times"),
        };
        let reason = match kinds.is_empty() {
            true => times,
            false => format!("{times}: {kinds}"),
        };
        json!({"id": id.to_hex(), "reason": reason})
    });
    Ok(events.collect())
}

#[derive(Default)]
struct Report {
    count: usize,
    kinds: BTreeSet<String>,
}

/// Reports that are looked at, the newest.
const REPORTS: Budget = Budget {
    events: 1_000,
    entries: 10_000,
    bytes: 16 << 20,
    time: Duration::from_millis(500),
};

fn reported(
    store: &dyn Store,
    now: u64,
    moderation: &Moderation,
) -> Result<BTreeMap<EventId, Report>, StoreError> {
    const REPORT: u16 = 1984;
    let filter = Filter {
        kinds: Some(vec![REPORT]),
        ..Filter::default()
    };
    let page = store.scan(&Scan {
        filter: &filter,
        order: Order::NewestFirst,
        resume: None,
        max_row: u64::MAX,
        now,
        budget: REPORTS,
    })?;
    let mut found: BTreeMap<EventId, Report> = BTreeMap::new();
    for stored in &page.events {
        for (id, kind) in targets(&stored.event) {
            if moderation.cleared_events.contains(&id) || moderation.banned_events.contains(&id) {
                continue;
            }
            if !found.contains_key(&id) && !store.contains(&id)? {
                continue;
            }
            let report = found.entry(id).or_default();
            report.count += 1;
            report.kinds.extend(kind);
        }
    }
    Ok(found)
}

/// The events that a report names, and of which kind the report says they are.
fn targets(report: &Event) -> Vec<(EventId, Option<String>)> {
    const KIND_CHARS: usize = 30;
    let mut found = Vec::new();
    for tag in report.tags() {
        let items: Vec<_> = tag.items().take(3).collect();
        if let [name, id, rest @ ..] = &items[..]
            && name.as_ref() == "e"
            && let Some(id) = lowercase_hex(id)
        {
            let kind = rest
                .first()
                .map(|kind| kind.chars().take(KIND_CHARS).collect());
            found.push((EventId::from_byte_array(id), kind));
        }
    }
    found
}

/// The rows of one list.
async fn list(relay: &Arc<Relay>, prefix: &'static [u8], verdict: Verdict) -> Answer {
    let store = relay.store.clone();
    let rows = read(relay, move || rows(&*store, prefix)).await?;
    let listed = rows
        .into_iter()
        .filter(|(_, standing)| standing.verdict == verdict)
        .map(|(subject, standing)| {
            let (name, value) = match subject {
                Subject::Pubkey(key) => ("pubkey", key.to_hex()),
                Subject::Event(id) => ("id", id.to_hex()),
                Subject::Address(range) => ("ip", range.to_string()),
                Subject::Kind(kind) => ("kind", kind.to_string()),
            };
            json!({name: value, "reason": standing.reason})
        });
    Ok(listed.collect())
}

fn rows(store: &dyn Store, prefix: &[u8]) -> Result<Vec<(Subject, Standing)>, StoreError> {
    const PAGE_ROWS: usize = 4_096;
    let mut found = Vec::new();
    let mut after: Option<Vec<u8>> = None;
    loop {
        let page = store.kv_scan(SPACE, prefix, after.as_deref(), PAGE_ROWS)?;
        let Some((last, _)) = page.last() else {
            return Ok(found);
        };
        after = Some(last.clone());
        for (key, value) in page {
            let value = Some(value);
            found.extend(Row { key, value }.standing()?);
        }
    }
}

/// Reads the store on a thread that may.
async fn read<T: Send + 'static>(
    relay: &Relay,
    job: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, String> {
    match relay.readers.run(job).await {
        Ok(Ok(found)) => Ok(found),
        Ok(Err(error)) => {
            tracing::error!(%error, "a management call could not read the store");
            Err("the store could not be read".to_owned())
        }
        Err(busy) => Err(busy.to_string()),
    }
}
