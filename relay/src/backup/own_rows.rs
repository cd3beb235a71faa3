//! What a store itself knows of its backup: which lineage it writes, or where an operator's restoration has led.
//!
//! Not in any backup: a restored store begins a lineage of its own.

use super::keeps::SPACE;
use super::plan::Point;
use crate::clock::Clock;
use crate::store::{Entry, NoPolicy, Store, StoreError, Write};

/// The row of [`SPACE`] that holds the name of the store's lineage.
const LINEAGE: &[u8] = b"lineage";
/// The row of [`SPACE`] that says where a restoration by hand has led.
const RESTORED: &[u8] = b"restored";

/// Whether a store holds nothing at all.
pub fn is_empty(store: &dyn Store) -> Result<bool, StoreError> {
    Ok(store.last_row()? == 0 && store.entries(None, 1)?.entries.is_empty())
}

/// Whether a store holds nothing but what it knows of its backup.
pub(super) fn holds_nothing(store: &dyn Store) -> Result<bool, StoreError> {
    let first = store.entries(None, 8)?.entries;
    let is_own =
        |entry: &Entry| matches!(entry, Entry::Row { extension, .. } if extension == SPACE);
    Ok(store.last_row()? == 0 && first.iter().all(is_own))
}

/// The lineage that the store has written last; `None` for one that never had a backup.
pub(super) fn own_lineage(store: &dyn Store) -> Result<Option<String>, StoreError> {
    let lineage = store.kv_get(SPACE, LINEAGE)?;
    Ok(lineage.map(|lineage| String::from_utf8_lossy(&lineage).into_owned()))
}

/// Notes that the store's history is this from now on.
pub(super) fn note_lineage(
    store: &dyn Store,
    lineage: &str,
    clock: &dyn Clock,
) -> Result<(), StoreError> {
    let writes = rows_of_lineage(lineage);
    store.commit(&writes, &NoPolicy, clock.now_s()).map(drop)
}

/// What says in a store that its history is this.
pub(super) fn rows_of_lineage(lineage: &str) -> [Write; 2] {
    [
        own_row(LINEAGE, Some(lineage.as_bytes().to_vec())),
        own_row(RESTORED, None),
    ]
}

/// Where an operator's restoration has led, until a relay goes on from there.
pub(super) fn restored_by_hand(store: &dyn Store) -> Result<Option<Point>, StoreError> {
    let point = store.kv_get(SPACE, RESTORED)?;
    Ok(point.and_then(|point| serde_json::from_slice(&point).ok()))
}

/// Notes where a restoration has led, for whoever serves from this store.
pub(super) fn note_restored(
    store: &dyn Store,
    point: &Point,
    clock: &dyn Clock,
) -> Result<(), StoreError> {
    let value = serde_json::to_vec(point).unwrap_or_default();
    let write = own_row(RESTORED, Some(value));
    store.commit(&[write], &NoPolicy, clock.now_s()).map(drop)
}

fn own_row(key: &[u8], value: Option<Vec<u8>>) -> Write {
    Write::Kv {
        extension: SPACE.to_owned(),
        key: key.to_vec(),
        value,
    }
}
