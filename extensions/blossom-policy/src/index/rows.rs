//! What the index is told, and what it tells.

use crate::blob::BlobHash;
use trellis_relay::event::{EventId, PublicKey};

/// A blob that the storage holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Blob {
    pub(crate) sha256: BlobHash,
    pub(crate) size_bytes: u64,
    pub(crate) mime_type: String,
    /// When it was first stored.
    pub(crate) uploaded_ms: u64,
    /// When somebody last claimed it: it is kept for a while from then on.
    pub(crate) kept_from_ms: u64,
    /// Its owners could not tell what it is, and it counts for their quota of such.
    pub(crate) is_encrypted: bool,
    /// Why it is kept for somebody to look at, if so: it is shown to nobody then.
    pub(crate) quarantined_for: Option<String>,
    /// Why its hash is banned, if so: it is shown to nobody then.
    pub(crate) banned_for: Option<String>,
    /// Where a block list needed it.
    pub(crate) md5: Option<[u8; 16]>,
    /// Where a block list needed it.
    pub(crate) sha1: Option<[u8; 20]>,
}

impl Blob {
    /// Quarantined or banned: it is shown to nobody, and nobody can claim it.
    pub(crate) fn is_hidden(&self) -> bool {
        self.quarantined_for.is_some() || self.banned_for.is_some()
    }
}

/// A blob that the storage has just been given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NewBlob {
    pub(crate) sha256: BlobHash,
    pub(crate) size_bytes: u64,
    pub(crate) mime_type: String,
    pub(crate) is_encrypted: bool,
    pub(crate) md5: Option<[u8; 16]>,
    pub(crate) sha1: Option<[u8; 20]>,
}

/// What became of a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Claimed {
    /// The blob is new, and so is its owner.
    New(Blob),
    /// The blob was there.
    Known {
        /// As it is there, which is how it was first uploaded.
        blob: Blob,
        /// Whether the key had not claimed it before.
        is_new_owner: bool,
    },
    /// It is there or was about to be, is shown to nobody, and cannot be claimed.
    Hidden,
}

/// What became of giving up a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Released {
    /// It was the last claim, and the blob has no row any more; the storage has it yet.
    Removed(Blob),
    /// Others have claims.
    StillOwned(Blob),
    /// It was the last claim, and the blob is quarantined, so it is kept until an operator decides.
    Kept(Blob),
    /// The key had none; or there is no such blob.
    NotOwner,
}

/// A blob in a list of what a key has claimed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) blob: Blob,
    /// When that key claimed it.
    pub(crate) claimed_ms: u64,
}

impl Listed {
    /// Where it stands in the list.
    pub(crate) fn place(&self) -> (u64, BlobHash) {
        (self.claimed_ms, self.blob.sha256)
    }
}

/// Which of a key's blobs are wanted.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ListPage {
    /// The place of the last blob of the page before: when it was claimed, and its hash. It need not be there any more.
    pub(crate) after: Option<(u64, BlobHash)>,
    /// Claimed then or later.
    pub(crate) since_ms: Option<u64>,
    /// Claimed then or before.
    pub(crate) until_ms: Option<u64>,
    pub(crate) max: usize,
}

/// What is stored altogether.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) blobs: u64,
    pub(crate) bytes: u64,
    /// Those among them that are shown to nobody.
    pub(crate) quarantined: u64,
}

/// What a key has claimed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    pub(crate) blobs: u64,
    /// Of blobs that are not encrypted.
    pub(crate) plain_bytes: u64,
    pub(crate) encrypted_bytes: u64,
}

/// What can be banned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Banned {
    Hash(BlobHash),
    /// Whatever the key uploads.
    Pubkey(PublicKey),
}

/// A ban.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ban {
    pub(crate) banned: Banned,
    pub(crate) reason: String,
    pub(crate) banned_ms: u64,
}

/// A blob that an event (kind 1984) reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NewReport {
    pub(crate) event_id: EventId,
    pub(crate) sha256: BlobHash,
    pub(crate) reporter: PublicKey,
    /// What for, such as `spam`.
    pub(crate) kind: String,
    pub(crate) content: String,
    pub(crate) received_ms: u64,
}

/// What became of storing a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Added {
    New,
    /// It was there and waits.
    Waiting,
    /// It was there, and somebody has decided.
    Done,
    /// As many wait as may.
    TooMany,
}

/// The same as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Report {
    /// Later ones have higher numbers.
    pub(crate) number: u64,
    pub(crate) report: NewReport,
    /// What became of it; nothing while it waits.
    pub(crate) outcome: Option<String>,
}

/// What an operator or a moderator has decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NewDecision {
    pub(crate) decided_ms: u64,
    /// A key in hex, or a service's name.
    pub(crate) decided_by: String,
    /// Such as `ban`.
    pub(crate) action: String,
    /// A hash or a key in hex.
    pub(crate) subject: String,
    pub(crate) reason: String,
}

/// The same as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Decision {
    /// Later ones have higher numbers.
    pub(crate) number: u64,
    pub(crate) decision: NewDecision,
}
