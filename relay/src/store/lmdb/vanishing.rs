//! Who has vanished (NIP-62), what that hides until it is removed, and what it keeps away for good.
//!
//! A request writes two things with itself: a tombstone, which stays, and an entry among the vanishings, which ends with
//! the sweep. That entry is found by the key as headers hold `p` tags, so that hiding reads no bodies, and while nobody
//! vanishes it costs one look at the table's size.

use super::cursor::Walk;
use super::fault::{Fault, Result};
use super::keys::{self, KeyedHash, TagHash};
use super::mapped::Mapped;
use super::plan::Planner;
use super::record::Header;
use super::scan;
use super::tables::{Table, Tables};
use crate::event::{Event, PublicKey, lowercase_hex};
use crate::filter::Filter;
use crate::store::{Budget, Order, Position, PositionPage, Scan, Vanishing};
use lmdb::Transaction;
use std::time::Duration;

/// The kind of a request.
pub(super) const REQUEST: u16 = 62;
/// NIP-59: what vanishes with its recipient.
pub(super) const GIFT_WRAP: u16 = 1059;
/// Entries of an index that one page of a sweep looks at.
const ENTRIES_A_PAGE: usize = 20_000;

/// What is hidden, as one transaction sees it.
pub(super) struct Hidden<'t, T> {
    txn: &'t T,
    tables: &'t Tables,
    hash: &'t KeyedHash,
}

impl<'t, T: Transaction> Hidden<'t, T> {
    /// `None` where nothing is.
    pub(super) fn new(txn: &'t T, tables: &'t Tables, hash: &'t KeyedHash) -> Result<Option<Self>> {
        let is_any = tables.entries(txn, Table::Vanishing)? > 0;
        Ok(is_any.then_some(Hidden { txn, tables, hash }))
    }

    /// Whether the event of a header waits for the sweep.
    pub(super) fn has(&self, header: &Header<'_>) -> Result<bool> {
        let tag = recipient_hash(self.hash, header.pubkey);
        let key = keys::vanishing(&tag, header.pubkey);
        let until = self.tables.get(self.txn, Table::Vanishing, &key)?;
        if let Some(until) = until.and_then(keys::read_five)
            && header.created_at <= until
        {
            return Ok(header.kind != REQUEST || header.created_at != until);
        }
        if header.kind != GIFT_WRAP {
            return Ok(false);
        }
        for tag in header.tags.iter().filter(|tag| tag[0] == b'p') {
            if self.has_wraps(tag, header.created_at)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn has_wraps(&self, tag: &TagHash, created_at: u64) -> Result<bool> {
        let mut walk = Walk::new(self.txn, self.tables.of(Table::Vanishing))?;
        let mut found = walk.at_or_after(tag)?;
        while let Some((key, until)) = found
            && key.starts_with(tag)
        {
            if keys::read_five(until).is_some_and(|until| created_at <= until) {
                return Ok(true);
            }
            found = walk.next()?;
        }
        Ok(false)
    }
}

impl Planner<'_> {
    /// Whether the event comes too late to be stored.
    pub(super) fn has_vanished(&self, event: &Event) -> Result<bool> {
        self.is_covered(event, |pubkey| self.vanished_until(pubkey))
    }

    /// Whether the event, if it is stored, waits for the sweep.
    pub(super) fn is_hidden(&self, event: &Event) -> Result<bool> {
        self.is_hidden_by(event, |pubkey| self.vanishing_until(pubkey))
    }

    /// Whether a request of this batch hides the event.
    pub(super) fn is_hidden_by_batch(&self, event: &Event) -> Result<bool> {
        let begun = &self.overlay.vanishing;
        let until_of = |pubkey: &[u8; 32]| Ok(begun.get(pubkey).copied().flatten());
        Ok(!begun.is_empty() && self.is_hidden_by(event, until_of)?)
    }

    fn is_hidden_by(
        &self,
        event: &Event,
        until_of: impl Fn(&[u8; 32]) -> Result<Option<u64>>,
    ) -> Result<bool> {
        let is_request = event.kind() == REQUEST
            && until_of(event.pubkey().as_bytes())? == Some(event.created_at());
        Ok(!is_request && self.is_covered(event, until_of)?)
    }

    /// Whether a sweep for this request may end.
    pub(super) fn is_vanishing(&self, vanishing: &Vanishing) -> Result<bool> {
        let until = self.vanishing_until(vanishing.pubkey.as_bytes())?;
        Ok(until == Some(vanishing.until))
    }

    fn is_covered(
        &self,
        event: &Event,
        until_of: impl Fn(&[u8; 32]) -> Result<Option<u64>>,
    ) -> Result<bool> {
        let covers = |pubkey: &[u8; 32]| -> Result<bool> {
            Ok(until_of(pubkey)?.is_some_and(|until| event.created_at() <= until))
        };
        if covers(event.pubkey().as_bytes())? {
            return Ok(true);
        }
        if event.kind() == GIFT_WRAP {
            for recipient in event.tag_values(b'p') {
                if let Some(recipient) = lowercase_hex(&recipient)
                    && covers(&recipient)?
                {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    fn vanished_until(&self, pubkey: &[u8; 32]) -> Result<Option<u64>> {
        if let Some(until) = self.overlay.vanished.get(pubkey) {
            return Ok(Some(*until));
        }
        let until = self.tables.get(self.txn, Table::Vanished, pubkey)?;
        Ok(until.and_then(keys::read_five))
    }

    fn vanishing_until(&self, pubkey: &[u8; 32]) -> Result<Option<u64>> {
        if let Some(until) = self.overlay.vanishing.get(pubkey) {
            return Ok(*until);
        }
        let key = key(self.hash, pubkey);
        let until = self.tables.get(self.txn, Table::Vanishing, &key)?;
        Ok(until.and_then(keys::read_five))
    }
}

/// The key of an entry among the vanishings.
pub(super) fn key(hash: &KeyedHash, pubkey: &[u8; 32]) -> [u8; keys::VANISHING_BYTES] {
    keys::vanishing(&recipient_hash(hash, pubkey), pubkey)
}

/// An entry among the vanishings.
pub(super) fn read(key: &[u8], value: &[u8]) -> Result<Vanishing> {
    let pubkey = key.get(9..).and_then(|pubkey| pubkey.try_into().ok());
    match (pubkey, keys::read_five(value)) {
        (Some(pubkey), Some(until)) => Ok(Vanishing {
            pubkey: PublicKey::from_byte_array(pubkey),
            until,
        }),
        _ => Err(Fault::corrupt("the table of vanishings is damaged")),
    }
}

/// See [`crate::store::Store::vanishings`].
pub(super) fn vanishings(store: &Mapped, max: usize) -> Result<Vec<Vanishing>> {
    let txn = store.env.begin_ro_txn()?;
    let mut walk = Walk::new(&txn, store.tables.of(Table::Vanishing))?;
    let mut vanishings = Vec::new();
    let mut found = walk.first()?;
    while let Some((key, value)) = found
        && vanishings.len() < max
    {
        vanishings.push(read(key, value)?);
        found = walk.next()?;
    }
    Ok(vanishings)
}

/// See [`crate::store::Store::vanishing_positions`]. Wraps are looked at whole: nobody else's may go by a chance of hashes.
pub(super) fn vanishing_positions(
    store: &Mapped,
    vanishing: &Vanishing,
    resume: Option<Position>,
    max: usize,
) -> Result<PositionPage> {
    let txn = store.env.begin_ro_txn()?;
    let of_author = Filter {
        authors: Some(vec![vanishing.pubkey]),
        until: Some(vanishing.until),
        ..Filter::default()
    };
    let is_no_request =
        |header: &Header<'_>| header.kind != REQUEST || header.created_at != vanishing.until;
    let scan = |filter| oldest_first(filter, resume, max);
    let events = scan::sure_positions(store, &txn, &scan(&of_author), None, is_no_request)?;
    // Others may have mentioned the author a million times: only as far as this page goes.
    let mut wraps = Filter {
        kinds: Some(vec![GIFT_WRAP]),
        until: Some(events.next.map_or(vanishing.until, |next| next.created_at)),
        ..Filter::default()
    };
    wraps.tags.insert(b'p', vec![vanishing.pubkey.to_hex()]);
    let wraps = scan::sure_positions(store, &txn, &scan(&wraps), None, |_| true)?;
    Ok(merged(events, wraps, max))
}

/// One of the two scans; its pages end early rather than look at too much.
fn oldest_first(filter: &Filter, resume: Option<Position>, max: usize) -> Scan<'_> {
    Scan {
        filter,
        order: Order::OldestFirst,
        resume,
        max_row: u64::MAX,
        now: 0,
        budget: Budget {
            events: max,
            entries: ENTRIES_A_PAGE,
            bytes: usize::MAX,
            time: Duration::MAX,
        },
    }
}

/// Both in order, as far as both have come.
fn merged(a: PositionPage, b: PositionPage, max: usize) -> PositionPage {
    let rank = |position: &Position| (position.created_at, position.id);
    let mut next = [a.next, b.next].into_iter().flatten().min_by_key(rank);
    let mut positions = [a.positions, b.positions].concat();
    positions.retain(|position| next.is_none_or(|next| rank(position) <= rank(&next)));
    positions.sort_unstable_by_key(rank);
    positions.dedup();
    if positions.len() > max {
        positions.truncate(max);
        next = positions.last().copied();
    }
    PositionPage { positions, next }
}

/// The key as a `p` tag of others would name it.
pub(super) fn recipient_hash(hash: &KeyedHash, pubkey: &[u8; 32]) -> TagHash {
    hash.tag(b'p', &PublicKey::from_byte_array(*pubkey).to_hex())
}
