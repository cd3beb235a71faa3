//! How much may be stored, by one key and by all together.
//!
//! Invariant: what is stored and what is reserved never exceed a limit together, whatever goes on at the same time. Who
//! wants to store reserves first; a reservation becomes a use when the index has the row, and is given back when it is
//! dropped before.
//!
//! A key is charged for every blob that it has claimed, and all together for each blob once.

mod ledger;
#[cfg(test)]
mod tests;

pub(crate) use ledger::{Charge, Given, Ledger, Reservation};

use crate::index::IndexError;
use crate::storage::Room;
use std::sync::Arc;
use trellis_relay::event::PublicKey;

/// What a blob counts as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A file of a type that is known.
    Plain,
    /// Something that nobody can look into (`[encrypted]`).
    Encrypted,
}

impl Kind {
    /// Of a blob.
    pub(crate) fn of(is_encrypted: bool) -> Self {
        match is_encrypted {
            true => Kind::Encrypted,
            false => Kind::Plain,
        }
    }
}

/// How much may be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// By one key, [`Kind::Plain`].
    pub(crate) bytes_per_pubkey: u64,
    /// By one key, [`Kind::Encrypted`].
    pub(crate) encrypted_bytes_per_pubkey: u64,
    /// By one key.
    pub(crate) blobs_per_pubkey: u64,
    /// By all. Nothing: what the disk has room for.
    pub(crate) total_bytes: Option<u64>,
    /// So much of the disk stays free.
    pub(crate) free_bytes: u64,
}

/// Why something may not be stored.
#[derive(Debug, thiserror::Error)]
pub(crate) enum QuotaError {
    /// The key has no room for it.
    #[error("your blobs may have {limit_bytes} bytes together, and have {used_bytes}")]
    Bytes {
        limit_bytes: u64,
        /// Uploads under way are among them.
        used_bytes: u64,
    },
    /// The same for what is encrypted.
    #[error("your encrypted blobs may have {limit_bytes} bytes together, and have {used_bytes}")]
    EncryptedBytes { limit_bytes: u64, used_bytes: u64 },
    /// The key has as many as it may.
    #[error("you may have {limit} blobs")]
    Blobs { limit: u64 },
    /// Nobody can store it.
    #[error("this server is full")]
    Full,
    /// What is used cannot be told.
    #[error("what is used cannot be told")]
    Index(#[from] IndexError),
}

impl QuotaError {
    /// What the key could store instead, where that is anything.
    pub(crate) fn left_bytes(&self) -> Option<u64> {
        let left = match self {
            QuotaError::Bytes {
                limit_bytes,
                used_bytes,
            }
            | QuotaError::EncryptedBytes {
                limit_bytes,
                used_bytes,
            } => limit_bytes.saturating_sub(*used_bytes),
            QuotaError::Blobs { .. } | QuotaError::Full | QuotaError::Index(_) => 0,
        };
        Some(left).filter(|left| *left > 0)
    }
}

/// Says who may store how much more. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Quota {
    limits: Limits,
    ledger: Arc<Ledger>,
}

impl Quota {
    /// Limits over what the ledger says is used.
    pub(crate) fn new(limits: Limits, ledger: Arc<Ledger>) -> Self {
        Quota { limits, ledger }
    }

    /// The limits.
    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// What is stored by all, and what is reserved beside it. Bytes.
    #[cfg(test)]
    pub(crate) fn used_bytes(&self) -> (u64, u64) {
        self.ledger.used_bytes()
    }

    /// Reserves room for one more blob of a key; of no bytes for one that it has already. `room` is what the disk has, where
    /// that can be told.
    pub(crate) async fn reserve(
        &self,
        owner: &PublicKey,
        bytes: u64,
        kind: Kind,
        room: Option<Room>,
    ) -> Result<Reservation, QuotaError> {
        self.ledger
            .reserve(&self.limits, owner, bytes, kind, room)
            .await
    }
}
