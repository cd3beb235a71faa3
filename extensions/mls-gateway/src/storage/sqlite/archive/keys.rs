//! The keys by which a row of `archived_events` is found, in columns of their own (`0008_archive_keys_in_columns.sql`).
//!
//! Each is the end of something, since the beginnings of ids and keys may be made alike with little work. Invariant: a key
//! leads to few rows, and who looks by one compares the whole value as well; of two events whose keys are the same the first
//! is kept.

use trellis_relay::event::{EventId, PublicKey};

/// Positions of a part, as a power of two.
const PART_BITS: u32 = 12;
const ID_BYTES: usize = 12;
const AUTHOR_BYTES: usize = 8;
const GROUP_CHARS: usize = 8;

/// In `part`.
pub(super) fn part(position: i64) -> i64 {
    position >> PART_BITS
}

/// In `id_key`.
pub(super) fn id_key(id: &EventId) -> &[u8] {
    &id.as_bytes()[32 - ID_BYTES..]
}

/// In `author_key`.
pub(super) fn author_key(author: &PublicKey) -> &[u8] {
    &author.as_bytes()[32 - AUTHOR_BYTES..]
}

/// In `group_key`, of what stands in `group_id`.
pub(super) fn group_key(group_id: &str) -> &str {
    let last = group_id.char_indices().rev().nth(GROUP_CHARS - 1);
    last.map_or(group_id, |(begin, _)| &group_id[begin..])
}
