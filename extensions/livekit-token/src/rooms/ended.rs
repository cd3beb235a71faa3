//! Rooms that the operator has ended.
//!
//! A space's room stays ended until whoever made it publishes a version of its event that is newer than the decision and than
//! the version of then, or for `closed_space_ttl_seconds`: that is kept in a row, since the address is public anyway. A call's is remembered for a day in
//! memory alone: of a call nothing is kept. Invariant: both are bounded, rows like memory; of what is too much the oldest is
//! forgotten.

use super::is_space;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use trellis_relay::extension::prelude::*;
use trellis_relay::store::StoreError;

/// Rows begin so; the name of the room follows.
const PREFIX: &[u8] = b"ended/";
/// A row's key may have 500 bytes, and a room's name has at most 256.
const NAME_BYTES_MAX: usize = 256;
/// Rooms that are remembered.
const ENDED_MAX: usize = 10_000;
/// Rows that are read at a time.
const PAGE_ROWS: usize = 1000;
const CALL_S: u64 = 24 * 3600;

pub(super) struct Ended {
    host: Host,
    space_s: u64,
    /// When, or the date of the version that was ended where that is later.
    at_s: Mutex<HashMap<String, u64>>,
}

impl Ended {
    /// With the rows that are there, of which those that are too old or too many are removed. A space is remembered for
    /// `space_s` seconds.
    pub(super) async fn load(host: &Host, space_s: u64) -> Result<Self, StoreError> {
        let mut at_s = HashMap::new();
        let mut last: Option<Vec<u8>> = None;
        loop {
            let rows = host.kv_scan(PREFIX, last.as_deref(), PAGE_ROWS).await?;
            let is_last = rows.len() < PAGE_ROWS;
            last = rows.last().map(|(key, _)| key.clone());
            at_s.extend(rows.into_iter().filter_map(read));
            if is_last {
                break;
            }
        }
        let ended = Ended {
            host: host.clone(),
            space_s,
            at_s: Mutex::new(at_s),
        };
        ended.prune().await?;
        ended.make_room_for(0).await?;
        Ok(ended)
    }

    /// Remembers that a room was ended now; durably where it is a space's. `version_s` is when the version of its event that
    /// is known says that it was made: it may be dated ahead, and is ended all the same. When it was ended before, if it was.
    pub(super) async fn end(
        &self,
        name: &str,
        version_s: Option<u64>,
    ) -> Result<Option<u64>, StoreError> {
        let now_s = self.host.clock().now_s();
        let at_s = version_s.map_or(now_s, |version_s| now_s.max(version_s));
        self.make_room_for(1).await?;
        self.write(name, Some(at_s)).await?;
        Ok(self.lock().insert(name.to_owned(), at_s))
    }

    /// There was nothing to end: what was remembered before holds.
    pub(super) async fn take_back(
        &self,
        name: &str,
        before: Option<u64>,
    ) -> Result<(), StoreError> {
        self.write(name, before).await?;
        let mut at_s = self.lock();
        match before {
            Some(before) => at_s.insert(name.to_owned(), before),
            None => at_s.remove(name),
        };
        Ok(())
    }

    /// Forgets what was ended so long ago that it does not hold any more.
    pub(super) async fn prune(&self) -> Result<(), StoreError> {
        let now_s = self.host.clock().now_s();
        let old: Vec<String> = {
            let at_s = self.lock();
            let old = at_s.iter().filter(|(name, at_s)| {
                let kept_s = if is_space(name) { self.space_s } else { CALL_S };
                !is_within(now_s, **at_s, kept_s)
            });
            old.map(|(name, _)| name.clone()).collect()
        };
        for name in old {
            self.forget(&name).await?;
        }
        Ok(())
    }

    /// Whether a space's room was ended after this version of its event.
    pub(super) fn holds_for(&self, name: &str, created_at_s: u64) -> bool {
        let now_s = self.host.clock().now_s();
        let at_s = self.lock().get(name).copied();
        at_s.is_some_and(|at_s| created_at_s <= at_s && is_within(now_s, at_s, self.space_s))
    }

    /// Whether a call's room was ended within a day.
    pub(super) fn holds_for_call(&self, name: &str) -> bool {
        let now_s = self.host.clock().now_s();
        let at_s = self.lock().get(name).copied();
        at_s.is_some_and(|at_s| is_within(now_s, at_s, CALL_S))
    }

    /// So many more find a place.
    async fn make_room_for(&self, more: usize) -> Result<(), StoreError> {
        loop {
            let oldest = {
                let at_s = self.lock();
                if at_s.len() + more <= ENDED_MAX {
                    return Ok(());
                }
                let oldest = at_s.iter().min_by_key(|(_, at_s)| **at_s);
                oldest.map(|(name, _)| name.clone())
            };
            let Some(oldest) = oldest else {
                return Ok(());
            };
            self.forget(&oldest).await?;
        }
    }

    async fn forget(&self, name: &str) -> Result<(), StoreError> {
        self.write(name, None).await?;
        self.lock().remove(name);
        Ok(())
    }

    /// The row, where the room is a space's.
    async fn write(&self, name: &str, at_s: Option<u64>) -> Result<(), StoreError> {
        if !is_space(name) || name.len() > NAME_BYTES_MAX {
            return Ok(());
        }
        let value = at_s.map(|at_s| at_s.to_be_bytes().to_vec());
        self.host.kv_put(&key(name), value).await
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, u64>> {
        self.at_s.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_within(now_s: u64, at_s: u64, kept_s: u64) -> bool {
    now_s < at_s.saturating_add(kept_s)
}

fn key(name: &str) -> Vec<u8> {
    [PREFIX, name.as_bytes()].concat()
}

fn read((key, value): (Vec<u8>, Vec<u8>)) -> Option<(String, u64)> {
    let name = String::from_utf8(key.get(PREFIX.len()..)?.to_vec()).ok()?;
    Some((name, u64::from_be_bytes(value.try_into().ok()?)))
}
