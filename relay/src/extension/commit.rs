//! Commit hooks: they read through the store's open transaction and write into an overlay.
//!
//! Invariant: a veto, an error or a panic drops the overlay, so the transaction never holds a byte of a refused event and
//! needs no nested transaction. Nothing here blocks or knows the host: a store may run the same hooks again.

use super::hooks::Hooks;
use super::watchdog;
use crate::event::Event;
use crate::reason::Reason;
use crate::store::{Cause, CommitPolicy, KvWrites, MAX_KEY_BYTES, StoreError, TxnRead};
use std::cell::Cell;
use std::sync::Arc;

/// A commit hook may write so many rows for one event. All of a batch are held in memory until it is committed.
pub const COMMIT_ROWS_MAX: usize = 4_096;
/// A commit hook may write so many bytes for one event, keys and values together; a value of [`super::Host::kv_put`] may
/// be as long.
pub const COMMIT_BYTES_MAX: usize = 1 << 20;

/// The transaction as one commit hook sees it: what its event removes, and its extension's own rows.
pub struct CommitTx<'t> {
    extension: &'static str,
    removes: &'t [Arc<Event>],
    txn: &'t dyn TxnRead,
    /// Of earlier hooks of the same event.
    earlier: &'t KvWrites,
    own: KvWrites,
    own_bytes: usize,
    /// A write was refused because of a bound: without it the others must not be committed.
    is_overfull: bool,
    store_failed: Cell<bool>,
}

impl<'t> CommitTx<'t> {
    pub(super) fn new(
        extension: &'static str,
        removes: &'t [Arc<Event>],
        txn: &'t dyn TxnRead,
        earlier: &'t KvWrites,
    ) -> Self {
        CommitTx {
            extension,
            removes,
            txn,
            earlier,
            own: KvWrites::new(),
            own_bytes: 0,
            is_overfull: false,
            store_failed: Cell::new(false),
        }
    }

    /// A row of the extension's key space: this event's own writes first, then earlier events of the batch, then what is
    /// committed. Pass an error on with `?`: a store that failed refuses the event, and does not count as the hook's fault.
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, CommitError> {
        let full = self.full(key)?;
        if let Some(value) = self.own.get(&full).or_else(|| self.earlier.get(&full)) {
            return Ok(value.clone());
        }
        // A slow disk is not the hook's fault.
        let read = watchdog::aside(|| self.txn.kv_get(self.extension, key));
        read.map_err(|error| {
            self.store_failed.set(true);
            CommitError::Store(error)
        })
    }

    /// Writes a row with the event, or not at all: at most [`COMMIT_ROWS_MAX`] rows and [`COMMIT_BYTES_MAX`] bytes for one
    /// event. Beyond that it fails, and the hook is at fault whatever it answers.
    pub fn put(&mut self, key: &[u8], value: impl Into<Vec<u8>>) -> Result<(), CommitError> {
        self.write(key, Some(value.into()))
    }

    /// Deletes a row with the event, or not at all. Counts as a row that is written.
    pub fn delete(&mut self, key: &[u8]) -> Result<(), CommitError> {
        self.write(key, None)
    }

    fn write(&mut self, key: &[u8], value: Option<Vec<u8>>) -> Result<(), CommitError> {
        let full = self.full(key)?;
        let length = |value: &Option<Vec<u8>>| key.len() + value.as_ref().map_or(0, Vec::len);
        let before = self.own.get(&full).map(length);
        let rows = self.own.len() + usize::from(before.is_none());
        let bytes = self.own_bytes - before.unwrap_or_default() + length(&value);
        let problem = match (rows > COMMIT_ROWS_MAX, bytes > COMMIT_BYTES_MAX) {
            (true, _) => CommitError::TooManyRows,
            (_, true) => CommitError::TooManyBytes(bytes),
            _ => {
                self.own_bytes = bytes;
                self.own.insert(full, value);
                return Ok(());
            }
        };
        self.is_overfull = true;
        Err(problem)
    }

    /// The relay's time in seconds since 1970. It stands still for the whole batch and is the same when a store runs the
    /// batch again, so an answer may depend on it.
    pub fn now_s(&self) -> u64 {
        self.txn.now_s()
    }

    /// What this event replaces or deletes.
    pub fn removes(&self) -> &[Arc<Event>] {
        self.removes
    }

    pub(super) fn store_failed(&self) -> bool {
        self.store_failed.get()
    }

    /// Whether a write was refused because of a bound.
    pub(super) fn is_overfull(&self) -> bool {
        self.is_overfull
    }

    pub(super) fn into_writes(self) -> KvWrites {
        self.own
    }

    fn full(&self, key: &[u8]) -> Result<(String, Vec<u8>), CommitError> {
        match key.len() > MAX_KEY_BYTES {
            true => Err(CommitError::KeyTooLong(key.len())),
            false => Ok((self.extension.to_owned(), key.to_vec())),
        }
    }
}

impl std::fmt::Debug for CommitTx<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CommitTx({})", self.extension)
    }
}

/// Why a row could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// The key is too long.
    #[error("a key of {0} bytes is longer than {MAX_KEY_BYTES}")]
    KeyTooLong(usize),
    /// The hook writes too many rows for one event.
    #[error("more than {COMMIT_ROWS_MAX} rows for one event")]
    TooManyRows,
    /// The hook writes too much for one event.
    #[error("{0} bytes of rows for one event are more than {COMMIT_BYTES_MAX}")]
    TooManyBytes(usize),
    /// The store could not read it now.
    #[error("the store could not read a row")]
    Store(#[source] StoreError),
}

/// The extensions' say in a commit, for [`crate::store::Store::commit`].
#[derive(Clone, Debug)]
pub struct CommitHooks(pub Arc<Hooks>);

impl CommitPolicy for CommitHooks {
    fn wants_commit(&self, kind: u16) -> bool {
        self.0.plan(kind).wants_commit()
    }

    fn on_commit(
        &self,
        event: &Event,
        removes: &[Arc<Event>],
        txn: &dyn TxnRead,
    ) -> Result<KvWrites, Reason> {
        self.0.plan(event.kind()).commit(event, removes, txn)
    }

    fn on_vanish(&self, request: &Event, txn: &dyn TxnRead) -> KvWrites {
        self.0.plan(request.kind()).commit_anyway(request, txn)
    }

    fn guards_removal(&self, kind: u16) -> bool {
        self.0.plan(kind).guards_removal()
    }

    fn may_remove(&self, event: &Event, cause: Cause) -> bool {
        self.0.plan(event.kind()).may_remove(event, cause)
    }
}
