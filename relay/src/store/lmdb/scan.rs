//! What the store is asked for page by page, each page from a fresh read transaction that ends with the call.
//!
//! What matches, and in which order, is found by `matches`; here is what is made of it.

use super::cursor::Walk;
use super::fault::{Fault, Result};
use super::keys;
use super::mapped::Mapped;
use super::matches::{Step, each_match};
use super::record::{self, Header};
use super::records::{self, Records};
use super::tables::Table;
use super::vanishing::Hidden;
use crate::event::{Draft, EventId, PublicKey};
use crate::kinds::Kinds;
use crate::store::{CountPage, Found, FoundPage, Lent, LentPage, Page, PositionPage, Scan, Stored};
use lmdb::RoTransaction;
use std::sync::Arc;

/// More on a page make its list grow.
const LIKELY_EVENTS: usize = 64;

/// See [`crate::store::Store::scan`].
pub(super) fn page(store: &Mapped, scan: &Scan<'_>) -> Result<Page> {
    let txn = store.env.begin_ro_txn()?;
    let mut events: Vec<Stored> = Vec::with_capacity(scan.budget.events.min(LIKELY_EVENTS));
    let mut bytes = 0;
    let hidden = Hidden::new(&txn, &store.tables, &store.hash)?;
    let mut records = Records::new(&txn, &store.tables)?;
    let next = each_match(store, &txn, scan, hidden, &mut records, |found, records| {
        let event = records.event(found.row, found.record)?;
        // Tag hashes let nearly nothing through that this refuses.
        if !scan.filter.matches_tags(&event) {
            return Ok(Step::GoOn);
        }
        bytes += event.json().len();
        if bytes > scan.budget.bytes && !events.is_empty() {
            return Ok(Step::StopBefore);
        }
        events.push(Stored {
            row: found.row,
            expires_at: found.expires_at,
            event: Arc::new(event),
        });
        let is_full = events.len() >= scan.budget.events || bytes >= scan.budget.bytes;
        Ok(if is_full { Step::StopAfter } else { Step::GoOn })
    })?;
    Ok(Page { events, next })
}

/// See [`crate::store::Store::lend`].
pub(super) fn lend(store: &Mapped, scan: &Scan<'_>) -> Result<LentPage> {
    let txn = store.env.begin_ro_txn()?;
    let mut drafts: Vec<Drafted> = Vec::with_capacity(scan.budget.events.min(LIKELY_EVENTS));
    let mut bytes = 0;
    let hidden = Hidden::new(&txn, &store.tables, &store.hash)?;
    let mut records = Records::new(&txn, &store.tables)?;
    let next = each_match(store, &txn, scan, hidden, &mut records, |found, records| {
        let draft = records.draft(found.row, found.record)?;
        let is_asked_for = scan.filter.tags.is_empty() || {
            let tags = records.assembler.tags(&draft);
            scan.filter
                .accepts(&tags.ok_or_else(|| records::damaged(found.row))?)
        };
        if !is_asked_for {
            records.assembler.take_back(&draft);
            return Ok(Step::GoOn);
        }
        bytes += draft.json_bytes();
        if bytes > scan.budget.bytes && !drafts.is_empty() {
            records.assembler.take_back(&draft);
            return Ok(Step::StopBefore);
        }
        drafts.push(Drafted {
            row: found.row,
            expires_at: found.expires_at,
            draft,
        });
        let is_full = drafts.len() >= scan.budget.events || bytes >= scan.budget.bytes;
        Ok(if is_full { Step::StopAfter } else { Step::GoOn })
    })?;
    let no_text = || Fault::corrupt("a record is not text");
    let json = records.assembler.finish().ok_or_else(no_text)?;
    let mut events = Vec::with_capacity(drafts.len());
    for Drafted {
        row,
        expires_at,
        draft,
    } in drafts
    {
        let event = draft.part_of(&json).ok_or_else(no_text)?;
        events.push(Lent {
            row,
            expires_at,
            event,
        });
    }
    Ok(LentPage { events, next })
}

/// An event of a page that is not done.
struct Drafted {
    row: u64,
    expires_at: Option<u64>,
    draft: Draft,
}

/// See [`crate::store::Store::count_authors`]. A tag is taken for found if its hash of 64 secretly keyed bits is.
pub(super) fn count(
    store: &Mapped,
    scan: &Scan<'_>,
    each: &mut dyn FnMut(&PublicKey),
) -> Result<CountPage> {
    let txn = store.env.begin_ro_txn()?;
    let mut count = 0;
    let hidden = Hidden::new(&txn, &store.tables, &store.hash)?;
    let mut records = Records::new(&txn, &store.tables)?;
    let next = each_match(store, &txn, scan, hidden, &mut records, |found, _| {
        count += 1;
        each(&found.author);
        let is_full = count >= scan.budget.events as u64;
        Ok(if is_full { Step::StopAfter } else { Step::GoOn })
    })?;
    Ok(CountPage { count, next })
}

/// See [`crate::store::Store::positions`]. Tags are taken for found as by [`count`].
pub(super) fn positions(store: &Mapped, scan: &Scan<'_>) -> Result<PositionPage> {
    let txn = store.env.begin_ro_txn()?;
    let mut positions = Vec::new();
    let hidden = Hidden::new(&txn, &store.tables, &store.hash)?;
    let mut records = Records::new(&txn, &store.tables)?;
    let next = each_match(store, &txn, scan, hidden, &mut records, |found, _| {
        positions.push(found.position);
        let is_full = positions.len() >= scan.budget.events;
        Ok(if is_full { Step::StopAfter } else { Step::GoOn })
    })?;
    Ok(PositionPage { positions, next })
}

/// See [`crate::store::Store::find`].
pub(super) fn find(store: &Mapped, scan: &Scan<'_>, whole: &Kinds) -> Result<FoundPage> {
    let txn = store.env.begin_ro_txn()?;
    let mut page: Vec<Found> = Vec::new();
    let mut bytes = 0;
    let hidden = Hidden::new(&txn, &store.tables, &store.hash)?;
    let mut records = Records::new(&txn, &store.tables)?;
    let next = each_match(store, &txn, scan, hidden, &mut records, |found, records| {
        let mut event = None;
        if whole.contains(found.kind) {
            let read = records.event(found.row, found.record)?;
            if !scan.filter.matches_tags(&read) {
                return Ok(Step::GoOn);
            }
            bytes += read.json().len();
            if bytes > scan.budget.bytes && !page.is_empty() {
                return Ok(Step::StopBefore);
            }
            event = Some(Arc::new(read));
        }
        page.push(Found {
            position: found.position,
            author: found.author,
            kind: found.kind,
            expires_at: found.expires_at,
            event,
        });
        let is_full = page.len() >= scan.budget.events || bytes >= scan.budget.bytes;
        Ok(if is_full { Step::StopAfter } else { Step::GoOn })
    })?;
    Ok(FoundPage { found: page, next })
}

/// See [`crate::store::Store::positions_to_remove`].
pub(super) fn positions_to_remove(store: &Mapped, scan: &Scan<'_>) -> Result<PositionPage> {
    let txn = store.env.begin_ro_txn()?;
    let hidden = Hidden::new(&txn, &store.tables, &store.hash)?;
    sure_positions(store, &txn, scan, hidden, |_| true)
}

/// As [`positions`], but without what is `hidden`, and taking no hash's word for a tag. `wants` has the last word.
pub(super) fn sure_positions(
    store: &Mapped,
    txn: &RoTransaction<'_>,
    scan: &Scan<'_>,
    hidden: Option<Hidden<'_, RoTransaction<'_>>>,
    wants: impl Fn(&Header<'_>) -> bool,
) -> Result<PositionPage> {
    let mut positions = Vec::new();
    let mut records = Records::new(txn, &store.tables)?;
    let next = each_match(store, txn, scan, hidden, &mut records, |found, records| {
        let is_wanted = wants(&records::header(found.row, &found.record)?);
        let matches = || -> Result<bool> {
            let event = records.event(found.row, found.record)?;
            Ok(scan.filter.matches_tags(&event))
        };
        if is_wanted && (scan.filter.tags.is_empty() || matches()?) {
            positions.push(found.position);
        }
        let is_full = positions.len() >= scan.budget.events;
        Ok(if is_full { Step::StopAfter } else { Step::GoOn })
    })?;
    Ok(PositionPage { positions, next })
}

/// See [`crate::store::Store::contains`].
pub(super) fn contains(store: &Mapped, id: &[u8; 32]) -> Result<bool> {
    let txn = store.env.begin_ro_txn()?;
    let Some(row) = store.tables.get(&txn, Table::Id, &keys::id16(id))? else {
        return Ok(false);
    };
    let row = keys::read_five(row).unwrap_or_default();
    let begun = store.tables.get(&txn, Table::Data, &keys::data(row, 0))?;
    if begun.and_then(record::id_of) != Some(id) {
        return Ok(false);
    }
    let Some(hidden) = Hidden::new(&txn, &store.tables, &store.hash)? else {
        return Ok(true);
    };
    let record = Records::new(&txn, &store.tables)?.header_bytes(row)?;
    let record = record.ok_or_else(|| records::damaged(row))?;
    Ok(!hidden.has(&records::header(row, &record)?)?)
}

/// See [`crate::store::Store::expired`].
pub(super) fn expired(store: &Mapped, now: u64, max: usize) -> Result<Vec<EventId>> {
    let txn = store.env.begin_ro_txn()?;
    let mut walk = Walk::new(&txn, store.tables.of(Table::Expiry))?;
    let mut records = Records::new(&txn, &store.tables)?;
    let mut ids = Vec::new();
    let mut found = walk.first()?;
    while let Some((key, _)) = found
        && ids.len() < max
        && keys::read_five(key).is_some_and(|at| at <= now)
    {
        let row = key.get(5..).and_then(keys::read_five).unwrap_or_default();
        if let Some(begun) = records.header_bytes(row)? {
            let id = records::header(row, &begun)?.id;
            ids.push(EventId::from_byte_array(*id));
        }
        found = walk.next()?;
    }
    Ok(ids)
}

/// See [`crate::store::Store::authors`]: one step for each author, however many events there are.
pub(super) fn authors(
    store: &Mapped,
    after: Option<&PublicKey>,
    max: usize,
) -> Result<Vec<PublicKey>> {
    /// Greater than any place.
    const AFTER_PLACES: [u8; keys::PLACE_BYTES] = [0xff; keys::PLACE_BYTES];
    let txn = store.env.begin_ro_txn()?;
    let mut walk = Walk::new(&txn, store.tables.of(Table::Author))?;
    let mut records = Records::new(&txn, &store.tables)?;
    let after_all_of = |author: &PublicKey| {
        let mut key = keys::pk8(author.as_bytes()).to_vec();
        key.extend_from_slice(&AFTER_PLACES);
        key
    };
    let mut authors = Vec::new();
    let mut found = match after {
        Some(after) => walk.at_or_after(&after_all_of(after))?,
        None => walk.first()?,
    };
    while let Some((key, _)) = found
        && authors.len() < max
    {
        let row = key.get(8 + 13..).and_then(keys::read_five);
        let row = row.unwrap_or_default();
        let record = records.header_bytes(row)?;
        let record = record.ok_or_else(|| records::damaged(row))?;
        let author = PublicKey::from_byte_array(*records::header(row, &record)?.pubkey);
        authors.push(author);
        found = walk.at_or_after(&after_all_of(&author))?;
    }
    Ok(authors)
}
