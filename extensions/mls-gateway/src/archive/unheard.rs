//! Removals that nobody told of: the relay remembers some million of them, and who was away for longer gets a gap.
//!
//! Whatever the archive has and the store has not was removed meanwhile, or is another instance's, or was given up to make
//! room. So the store is asked what it still knows of deletions: those of authors and recipients (NIP-09), and requests to
//! vanish (NIP-62). What the operator removed by hand in that time it does not know any more, which the log says.

use crate::kinds::{DELETION, GIFT_WRAP, VANISHING};
use crate::storage::{ArchiveQuery, Archived, Storage};
use std::collections::{BTreeMap, HashSet};
use std::sync::{Mutex, PoisonError};
use trellis_relay::extension::prelude::*;
use trellis_relay::store::StoreError;

const PAGE_EVENTS: usize = 100;

/// How far gaps were looked into. A hook may be cut off in the middle of one and be called again.
#[derive(Debug, Default)]
pub(crate) struct Looked {
    /// The last row of the gap, and the position of the archive up to which it is done.
    at: Mutex<(u64, u64)>,
}

impl Looked {
    fn position(&self, to_row: u64) -> u64 {
        let at = self.at.lock().unwrap_or_else(PoisonError::into_inner);
        if at.0 == to_row { at.1 } else { 0 }
    }

    fn note(&self, to_row: u64, position: u64) {
        *self.at.lock().unwrap_or_else(PoisonError::into_inner) = (to_row, position);
    }
}

/// Forgets what was deleted in a gap that ends with this row.
pub(crate) async fn look_for(
    host: &Host,
    storage: &dyn Storage,
    looked: &Looked,
    to_row: u64,
) -> Result<(), HookError> {
    let mut position = looked.position(to_row);
    let mut forgotten = 0;
    loop {
        let query = ArchiveQuery {
            after_position: position,
            max: PAGE_EVENTS,
            ..ArchiveQuery::default()
        };
        let page = storage.archived(&query).await?;
        let Some(last) = page.last() else {
            break;
        };
        position = last.position;
        let deleted = deleted(host, page).await?;
        forgotten += storage.forget(&deleted).await?;
        looked.note(to_row, position);
    }
    tracing::warn!(
        forgotten,
        "the relay does not know any more what it has removed; the archive keeps what an operator removed by hand meanwhile"
    );
    Ok(())
}

/// Those of the events that are not in the store because somebody wanted it so.
async fn deleted(host: &Host, page: Vec<Archived>) -> Result<Vec<EventId>, StoreError> {
    let stored = host.query(normal(Filter {
        ids: Some(page.iter().map(|copy| copy.id).collect()),
        ..Filter::default()
    }));
    let stored: HashSet<EventId> = stored.await?.iter().map(|event| *event.id()).collect();
    let missing = page.into_iter().filter(|copy| !stored.contains(&copy.id));
    let mut unwanted = Vec::new();
    for copy in missing {
        if is_unwanted(host, &copy).await? {
            unwanted.push(copy.id);
        }
    }
    Ok(unwanted)
}

/// Whether one of its masters wanted it gone. Asked for each by itself: an answer has a bound, and among the requests of
/// many one could be crowded out by somebody else's.
async fn is_unwanted(host: &Host, copy: &Archived) -> Result<bool, StoreError> {
    let deletion = host.query(normal(Filter {
        kinds: Some(vec![DELETION]),
        authors: Some(masters(copy).collect()),
        tags: BTreeMap::from([(b'e', vec![copy.id.to_hex()])]),
        limit: Some(1),
        ..Filter::default()
    }));
    if !deletion.await?.is_empty() {
        return Ok(true);
    }
    let vanished = host.query(normal(Filter {
        kinds: Some(vec![VANISHING]),
        authors: Some(masters(copy).collect()),
        since: Some(copy.created_at_s),
        limit: Some(1),
        ..Filter::default()
    }));
    Ok(!vanished.await?.is_empty())
}

/// Who may have an event removed: its author and, of a gift wrap, its recipient.
fn masters(copy: &Archived) -> impl Iterator<Item = PublicKey> {
    let recipient = copy.recipient.filter(|_| copy.kind == GIFT_WRAP);
    std::iter::once(copy.pubkey).chain(recipient)
}

fn normal(mut filter: Filter) -> Filter {
    filter.normalize();
    filter
}
