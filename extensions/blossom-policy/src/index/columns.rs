//! What columns mean: hashes and keys are their bytes, numbers are signed, flags are numbers.
//!
//! Invariant: a row that was not written so is an error of decoding and never a guess.

use crate::blob::BlobHash;
use trellis_relay::event::{EventId, PublicKey};

/// A number as a column holds it; what no column can hold is the highest that one can.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The same for how many rows are wanted.
pub(super) fn limit(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The other way round; nothing here is negative.
pub(super) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// A column with a blob's hash.
pub(super) fn hash(column: Vec<u8>) -> sqlx::Result<BlobHash> {
    Ok(BlobHash::from_bytes(exactly("sha256", &column)?))
}

/// A column with a public key.
pub(super) fn pubkey(column: Vec<u8>) -> sqlx::Result<PublicKey> {
    Ok(PublicKey::from_byte_array(exactly("pubkey", &column)?))
}

/// A column with an event's id.
pub(super) fn event_id(column: Vec<u8>) -> sqlx::Result<EventId> {
    Ok(EventId::from_byte_array(exactly("event_id", &column)?))
}

/// A column of so many bytes.
pub(super) fn exactly<const BYTES: usize>(
    name: &'static str,
    column: &[u8],
) -> sqlx::Result<[u8; BYTES]> {
    let wrong = |_| sqlx::Error::Decode(format!("column {name}").into());
    column.try_into().map_err(wrong)
}
