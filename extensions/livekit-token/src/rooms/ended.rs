//! Rooms that the operator has ended.
//!
//! A space's room stays ended until whoever made it publishes a newer version of its event: that is kept in a row, since the
//! address is public anyway. A call's is remembered for a day in memory alone: of a call nothing is kept.

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
const CALL_S: u64 = 24 * 3600;

pub(super) struct Ended {
    host: Host,
    at_s: Mutex<HashMap<String, u64>>,
}

impl Ended {
    /// With the rows that are there.
    pub(super) async fn load(host: &Host) -> Result<Self, StoreError> {
        let rows = host.kv_scan(PREFIX, None, ENDED_MAX).await?;
        let read = |(key, value): (Vec<u8>, Vec<u8>)| {
            let name = String::from_utf8(key.get(PREFIX.len()..)?.to_vec()).ok()?;
            Some((name, u64::from_be_bytes(value.try_into().ok()?)))
        };
        Ok(Ended {
            host: host.clone(),
            at_s: Mutex::new(rows.into_iter().filter_map(read).collect()),
        })
    }

    /// Remembers that a room was ended now; durably where it is a space's.
    pub(super) async fn end(&self, name: &str, is_space: bool) -> Result<(), StoreError> {
        let now_s = self.host.clock().now_s();
        if is_space && name.len() <= NAME_BYTES_MAX {
            let value = now_s.to_be_bytes().to_vec();
            self.host.kv_put(&key(name), Some(value)).await?;
        }
        let mut at_s = self.lock();
        if at_s.len() >= ENDED_MAX {
            let oldest = at_s.iter().min_by_key(|(_, at_s)| **at_s);
            if let Some(oldest) = oldest.map(|(name, _)| name.clone()) {
                at_s.remove(&oldest);
            }
        }
        at_s.insert(name.to_owned(), now_s);
        Ok(())
    }

    /// Whether a space's room was ended after this version of its event.
    pub(super) fn holds_for(&self, name: &str, created_at_s: u64) -> bool {
        let at_s = self.lock().get(name).copied();
        at_s.is_some_and(|at_s| created_at_s <= at_s)
    }

    /// Whether a call's room was ended within a day.
    pub(super) fn holds_for_call(&self, name: &str) -> bool {
        let now_s = self.host.clock().now_s();
        let at_s = self.lock().get(name).copied();
        at_s.is_some_and(|at_s| now_s < at_s.saturating_add(CALL_S))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, u64>> {
        self.at_s.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(name: &str) -> Vec<u8> {
    [PREFIX, name.as_bytes()].concat()
}
