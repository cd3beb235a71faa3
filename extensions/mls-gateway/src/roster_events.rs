//! The roster events that the relay stores.

use crate::kinds::ROSTER;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;
use trellis_relay::extension::prelude::*;
use trellis_relay::store::StoreError;

const PAGE_EVENTS: usize = 5_000;

/// The groups that roster events name, sorted.
pub(crate) async fn group_ids(host: &Host) -> Result<Vec<String>, StoreError> {
    let mut ids = BTreeSet::new();
    let all = Filter {
        kinds: Some(vec![ROSTER]),
        ..Filter::default()
    };
    each(host, all, |event| {
        ids.extend(event.first_tag_value("h").map(|id| id.into_owned()));
    })
    .await?;
    Ok(ids.into_iter().collect())
}

/// The roster events of one group, newest first.
pub(crate) async fn of_group(host: &Host, group_id: &str) -> Result<Vec<Arc<Event>>, StoreError> {
    let mut events = Vec::new();
    let of_group = Filter {
        kinds: Some(vec![ROSTER]),
        tags: BTreeMap::from([(b'h', vec![group_id.to_owned()])]),
        ..Filter::default()
    };
    each(host, of_group, |event| events.push(event.clone())).await?;
    Ok(events)
}

/// Every event that matches, once, page by page.
async fn each(
    host: &Host,
    filter: Filter,
    mut take: impl FnMut(&Arc<Event>),
) -> Result<(), StoreError> {
    let mut until = None;
    // A page begins with the last second of the one before.
    let mut seen: HashSet<EventId> = HashSet::new();
    loop {
        let page = Filter {
            until,
            limit: Some(PAGE_EVENTS),
            ..filter.clone()
        };
        let events = host.query(page).await?;
        let fresh: Vec<_> = events.iter().filter(|it| !seen.contains(it.id())).collect();
        fresh.iter().for_each(|event| take(event));
        let Some(oldest_s) = events.last().map(|event| event.created_at()) else {
            return Ok(());
        };
        if events.len() < PAGE_EVENTS {
            return Ok(());
        }
        let is_stuck = fresh.is_empty();
        until = Some(oldest_s.saturating_sub(u64::from(is_stuck)));
        let of_oldest = events.iter().filter(|it| it.created_at() == oldest_s);
        seen = of_oldest.map(|event| *event.id()).collect();
    }
}
