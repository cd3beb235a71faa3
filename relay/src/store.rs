//! Where events live: one trait, the in-memory reference and LMDB.
//!
//! Calls block and are made from threads that may: the writer thread commits, workers read a first cheap page, the reader
//! pool reads the rest. Nothing borrowed from the store leaves a call, so that a store across a network fits as well.
//!
//! Invariant: what [`Store::commit`] has returned is durable, and rows rise with the order of commits and are never
//! reused, not after a restart either.

use crate::event::{Event, EventId, PublicKey};
use crate::kinds::Kinds;
use crate::reason::Reason;
use std::sync::Arc;

mod backup;
pub mod chain;
mod error;
pub mod lmdb;
pub mod memory;
mod policy;
mod refusal;
mod scan;
mod upkeep;

pub use backup::{EntriesOf, Entry, EntryPage, EntryPlace, PutBack};
pub use error::StoreError;
pub use policy::{CommitPolicy, KvWrites, NoPolicy, TxnRead};
pub use scan::{
    Budget, CountPage, Found, FoundPage, Lent, LentPage, Order, Page, Position, PositionPage, Scan,
};
pub use upkeep::{CheckReport, CompactReport, Headway, Watch};

/// A store of events and of the extensions' rows.
///
/// Replacement, deletion (NIP-09), tombstones and the order of results (`created_at` descending, then `id` ascending)
/// are the store's work; who may see an event is not.
pub trait Store: Send + Sync + 'static {
    /// Commits a batch in one transaction, durably, and answers for every write in order.
    ///
    /// Later writes of a batch see earlier ones. A refused write leaves no trace and harms no neighbour. An `Err` means
    /// that nothing of the batch was committed. Called by one thread at a time.
    fn commit(
        &self,
        batch: &[Write],
        policy: &dyn CommitPolicy,
        now: u64,
    ) -> Result<Vec<Outcome>, StoreError>;

    /// Whether the event is stored and not hidden by a request to vanish. Cheap: asked for every EVENT before its hash is
    /// computed.
    fn contains(&self, id: &EventId) -> Result<bool, StoreError>;

    /// One page of what a filter asks for.
    fn scan(&self, scan: &Scan<'_>) -> Result<Page, StoreError>;

    /// As [`Store::scan`], for whoever sends what is found and lets go of it: one event that is kept may keep the memory
    /// of its whole page.
    fn lend(&self, scan: &Scan<'_>) -> Result<LentPage, StoreError> {
        Ok(self.scan(scan)?.into())
    }

    /// Counts what one filter asks for, page by page; same rules as [`Store::scan`] but reads no bodies.
    fn count(&self, scan: &Scan<'_>) -> Result<CountPage, StoreError> {
        self.count_authors(scan, &mut |_| {})
    }

    /// As [`Store::count`], and calls back with the author of every event it counts, as often as it counts one.
    fn count_authors(
        &self,
        scan: &Scan<'_>,
        each: &mut dyn FnMut(&PublicKey),
    ) -> Result<CountPage, StoreError>;

    /// Times and ids of what one filter asks for, page by page, for negentropy (NIP-77); reads no bodies.
    fn positions(&self, scan: &Scan<'_>) -> Result<PositionPage, StoreError>;

    /// As [`Store::scan`], but of the kinds in `whole` alone are bodies read, tags compared to the letter and bytes counted;
    /// for everything else headers are enough, as for [`Store::positions`].
    fn find(&self, scan: &Scan<'_>, whole: &Kinds) -> Result<FoundPage, StoreError>;

    /// As [`Store::positions`], for whoever removes what is found: where that may take a tag's hash for the tag, this reads
    /// the event, lest another one goes by chance.
    fn positions_to_remove(&self, scan: &Scan<'_>) -> Result<PositionPage, StoreError>;

    /// Ids of events whose expiration (NIP-40) is at or before `now`, the longest expired first.
    fn expired(&self, now: u64, max: usize) -> Result<Vec<EventId>, StoreError>;

    /// Requests to vanish (NIP-62) whose events are not all removed yet: at most `max`, in no particular order.
    fn vanishings(&self, max: usize) -> Result<Vec<Vanishing>, StoreError>;

    /// What a request to vanish hides and is still to be removed, the oldest first: one page of at most `max`.
    fn vanishing_positions(
        &self,
        vanishing: &Vanishing,
        resume: Option<Position>,
        max: usize,
    ) -> Result<PositionPage, StoreError>;

    /// Authors of stored events whose keys come after `after`, in the order of keys: at most `max`. Of authors whose keys
    /// begin with the same eight bytes a store may tell one only.
    fn authors(&self, after: Option<&PublicKey>, max: usize) -> Result<Vec<PublicKey>, StoreError>;

    /// The row of the last commit; 0 for an empty store.
    fn last_row(&self) -> Result<u64, StoreError>;

    /// What happened after a row, in commit order: at most `max` changes, and the row to ask from next.
    fn changes(&self, after: u64, max: usize) -> Result<Changes, StoreError>;

    /// A value of an extension's own key space.
    fn kv_get(&self, extension: &str, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;

    /// Rows of an extension's key space whose key begins with `prefix` and is greater than `after`, in key order.
    fn kv_scan(
        &self,
        extension: &str,
        prefix: &[u8],
        after: Option<&[u8]>,
        max: usize,
    ) -> Result<Vec<KvRow>, StoreError>;

    /// As [`Store::changes`], with the entries that are asked for as they stand in the same state of the store.
    fn changes_with(
        &self,
        after: u64,
        max: usize,
        of: &[EntriesOf],
    ) -> Result<(Changes, Vec<Entry>), StoreError>;

    /// Everything that stands beside events, page by page; each page is of a state of its own.
    fn entries(&self, after: Option<&EntryPlace>, max: usize) -> Result<EntryPage, StoreError>;

    /// Puts back what was read of a store, in one transaction and durably: rows, tombstones and removals as they were, and
    /// nobody is asked. Rows of events must rise from batch to batch and be above those that are here, and so must those of
    /// removals.
    fn put_back(&self, batch: &[PutBack]) -> Result<(), StoreError>;

    /// Sizes for `/health`, metrics and logs.
    fn stats(&self) -> Result<StoreStats, StoreError>;

    /// Verifies every index both ways and, where asked to, that each id is the hash of its event. May read from one
    /// state of the store for as long as it takes. Not while a compaction runs.
    fn inspect(&self, verify_ids: bool, watch: Watch<'_>) -> Result<CheckReport, StoreError>;

    /// Writes everything anew without the gaps that removals left. Reading goes on, commits wait. Not while a check
    /// runs.
    fn compact(&self, watch: Watch<'_>) -> Result<CompactReport, StoreError>;
}

/// One thing to do within a batch.
#[derive(Clone, Debug)]
pub enum Write {
    /// Store a verified event that is not ephemeral.
    Put(Arc<Event>),
    /// Store a request to vanish (NIP-62, kind 62) that is addressed to this relay, whatever commit hooks say of it. From
    /// its commit on, what it covers is hidden from every reader and refused: see [`Vanishing`].
    Vanish(Arc<Event>),
    /// Note that nothing is left to be removed for a request to vanish; what guards of removal kept is shown again.
    EndVanishing(Vanishing),
    /// Remove an event by id, for a cause other than replacement and NIP-09.
    Remove(EventId, Cause),
    /// Set or (with `None`) delete a row of an extension's key space.
    Kv {
        /// The extension's name.
        extension: String,
        /// At most [`MAX_KEY_BYTES`].
        key: Vec<u8>,
        /// `None` deletes.
        value: Option<Vec<u8>>,
    },
    /// Add a row behind the last one of a key space that only grows: see [`chain`].
    Append {
        /// The key space; nothing else may be written there.
        space: String,
        /// What the row is to say.
        entry: Vec<u8>,
        /// Whether a full store takes it too: what the operator decides, and nothing that others can bring about.
        even_if_full: bool,
    },
}

impl Write {
    /// The event to be stored, where there is one.
    pub fn event(&self) -> Option<&Arc<Event>> {
        match self {
            Write::Put(event) | Write::Vanish(event) => Some(event),
            _ => None,
        }
    }
}

/// Who vanished and until when (NIP-62). It covers the author's events, deletions too, and gift wraps (kind 1059) that
/// `p`-tag the author, where `created_at` is at or before `until`; the request itself stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Vanishing {
    /// Whose events go.
    pub pubkey: PublicKey,
    /// The `created_at` of the request; seconds since 1970.
    pub until: u64,
}

/// The longest key of an extension's row: LMDB's 511 bytes less our prefix, rounded down.
pub const MAX_KEY_BYTES: usize = 500;

/// Key and value of an extension's row.
pub type KvRow = (Vec<u8>, Vec<u8>);

/// The answer to one [`Write`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The event is stored.
    Stored(Stored),
    /// The event was stored, and a later write of the same batch removed or hid it: answered like [`Outcome::Stored`],
    /// but there is nothing left to send to subscribers.
    StoredThenRemoved,
    /// The event was stored before (also: earlier in this batch).
    Duplicate,
    /// A newer version under the same address is stored (NIP-01).
    Superseded,
    /// Its author, or the recipient of a gift wrap, deleted it (NIP-09).
    Deleted,
    /// Its author, or the recipient of a gift wrap, has vanished since (NIP-62).
    Vanished,
    /// A commit hook or a guard of removal refused it, it has expired (NIP-40), or the store is full.
    Refused(Reason),
    /// A `Remove`, `EndVanishing`, `Kv` or `Append` is done.
    Done,
    /// A `Remove` found nothing, or a guard keeps the event; an `EndVanishing` is out of date.
    Kept,
}

/// A stored event with what the store knows of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The commit sequence.
    pub row: u64,
    /// When it expires; `None` where the event names no expiration or a guard keeps it beyond.
    pub expires_at: Option<u64>,
    /// The event itself.
    pub event: Arc<Event>,
}

/// Why an event is about to be removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    /// NIP-09, by its author.
    Deletion,
    /// NIP-40.
    Expiry,
    /// NIP-62.
    Vanish,
    /// A newer version of a replaceable or addressable event.
    Replacement,
    /// The operator's rules of retention.
    Retention,
    /// The operator, by hand.
    Admin,
}

impl Cause {
    /// All of them. Databases hold places in this list, so it grows at its end alone.
    pub(crate) const ALL: [Cause; 6] = [
        Cause::Deletion,
        Cause::Expiry,
        Cause::Vanish,
        Cause::Replacement,
        Cause::Retention,
        Cause::Admin,
    ];

    /// The label in metrics.
    pub const fn label(self) -> &'static str {
        match self {
            Cause::Deletion => "deletion",
            Cause::Expiry => "expiry",
            Cause::Vanish => "vanish",
            Cause::Replacement => "replacement",
            Cause::Retention => "retention",
            Cause::Admin => "admin",
        }
    }
}

/// Some of what happened, in commit order.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// An event that was gone before its reader came appears only as removed.
    pub changes: Vec<Change>,
    /// Ask from here next.
    pub next: u64,
}

/// One thing that happened in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// An event was stored and still is.
    Stored(Stored),
    /// An event was removed.
    Removed {
        /// The commit sequence of the removal.
        row: u64,
        /// The event that is gone.
        id: EventId,
        /// Its kind.
        kind: u16,
        /// Its author.
        pubkey: PublicKey,
        /// Why.
        cause: Cause,
    },
    /// The log was cut: changes from and up to these rows are not known any more.
    Gap {
        /// The first row that is missing.
        from: u64,
        /// The last row that is missing.
        to: u64,
    },
}

/// Sizes of a store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoreStats {
    /// Events stored now.
    pub events: u64,
    /// Bytes in use on disk; 0 for a store without one.
    pub used_bytes: u64,
    /// Bytes it may grow to; 0 where nothing bounds it.
    pub quota_bytes: u64,
    /// Whether writes are refused because the quota or the disk is full.
    pub full: bool,
}
