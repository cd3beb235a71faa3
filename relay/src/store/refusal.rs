//! The sentences with which stores refuse a write, so that every store uses the same ones. No rule is decided here.

use super::MAX_KEY_BYTES;
use crate::reason::Reason;

/// A guard of removal keeps the version that would be replaced.
pub(super) fn replaced_event_is_kept() -> Reason {
    Reason::blocked("the event that this one would replace must be kept")
}

/// NIP-40: already expired.
pub(super) fn expired() -> Reason {
    Reason::invalid("the event has expired (NIP-40)")
}

/// Quota or disk.
pub(super) fn store_is_full() -> Reason {
    Reason::error("the store is full; only deletions are taken now")
}

/// A key of an extension's row.
pub(super) fn key_too_long(bytes: usize) -> Reason {
    Reason::error(format!(
        "a key of {bytes} bytes is longer than {MAX_KEY_BYTES}"
    ))
}
