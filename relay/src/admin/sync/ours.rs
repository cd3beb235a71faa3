//! What we have of a filter, without what is not told to other relays.

use super::super::target::Target;
use crate::event::EventId;
use crate::filter::Filter;
use crate::nips::nip77::ItemList;
use crate::store::{Budget, Order, Position, PositionPage, Scan, StoreError};
use std::collections::HashSet;
use std::time::Duration;

/// What we have.
pub(super) enum Ours {
    /// All of it.
    All(ItemList),
    /// More than should be in memory at once: about half of it is from `split_at` on.
    TooMany {
        /// Seconds since 1970.
        split_at: u64,
    },
}

/// Reconciled at once, 40 bytes each; what other relays reconcile at once is of this order.
pub(super) const MOST_ITEMS: usize = 500_000;

/// Publishers of a running relay do not wait for readers, but the file grows while a page is read.
const PAGE: Budget = Budget {
    events: usize::MAX,
    entries: 20_000,
    bytes: usize::MAX,
    time: Duration::from_millis(10),
};

/// Bytes of events that are read at a time where each is asked about.
const PAGE_BYTES: usize = 4 << 20;

/// Gathers it.
pub(super) fn gather(target: &dyn Target, filter: &Filter) -> Result<Ours, StoreError> {
    let config = target.config();
    let protected = &config.protection.read_protected_kinds;
    let mut told = filter.clone();
    let mut untold = HashSet::new();
    match &mut told.kinds {
        Some(kinds) => kinds.retain(|kind| !protected.contains(*kind)),
        None if protected.is_empty() => {}
        None => {
            let protected = Filter {
                kinds: Some(protected.iter().collect()),
                ..filter.clone()
            };
            let positions = match positions(target, &protected)? {
                Ok(positions) => positions,
                Err(split_at) => return Ok(Ours::TooMany { split_at }),
            };
            untold.extend(positions.into_iter().map(|position| position.id));
        }
    }
    let mut positions = match positions(target, &told)? {
        Ok(positions) => positions,
        Err(split_at) => return Ok(Ours::TooMany { split_at }),
    };
    if !untold.is_empty() {
        positions.retain(|position| !untold.contains(&position.id));
    }
    Ok(Ours::All(ItemList::new(positions)))
}

/// Positions of a filter, or the time from which on there are half as many as are too many. Where extensions may hide
/// events from strangers each is asked about, which takes its body.
fn positions(
    target: &dyn Target,
    filter: &Filter,
) -> Result<Result<Vec<Position>, u64>, StoreError> {
    let asks_about_each = target.may_hide(filter.kinds.as_deref());
    let mut scan = Scan {
        filter,
        order: Order::NewestFirst,
        resume: None,
        max_row: u64::MAX,
        now: target.now_s(),
        budget: Budget {
            bytes: PAGE_BYTES,
            ..PAGE
        },
    };
    let mut found: Vec<Position> = Vec::new();
    loop {
        let page = match asks_about_each {
            true => shown_positions(target, &scan)?,
            false => target.store().positions(&scan)?,
        };
        found.extend(page.positions);
        if found.len() > MOST_ITEMS {
            return Ok(Err(found[MOST_ITEMS / 2].created_at));
        }
        match page.next {
            Some(_) => scan.resume = page.next,
            None => return Ok(Ok(found)),
        }
    }
}

fn shown_positions(target: &dyn Target, scan: &Scan<'_>) -> Result<PositionPage, StoreError> {
    let page = target.store().scan(scan)?;
    let shown = page
        .events
        .iter()
        .filter(|stored| target.shows_strangers(stored));
    let positions = shown.map(|stored| Position {
        created_at: stored.event.created_at(),
        id: *stored.event.id(),
    });
    Ok(PositionPage {
        positions: positions.collect(),
        next: page.next,
    })
}

/// Stored events of these ids, newest first.
pub(super) fn events(
    target: &dyn Target,
    ids: &[EventId],
) -> Result<Vec<crate::store::Stored>, StoreError> {
    let mut filter = Filter {
        ids: Some(ids.to_vec()),
        ..Filter::default()
    };
    filter.normalize();
    let mut scan = Scan {
        filter: &filter,
        order: Order::NewestFirst,
        resume: None,
        max_row: u64::MAX,
        now: target.now_s(),
        budget: PAGE,
    };
    let mut found = Vec::new();
    loop {
        let page = target.store().scan(&scan)?;
        found.extend(page.events);
        match page.next {
            Some(_) => scan.resume = page.next,
            None => return Ok(found),
        }
    }
}
