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

/// The transaction as one commit hook sees it: what its event removes, and its extension's own rows.
pub struct CommitTx<'t> {
    extension: &'static str,
    removes: &'t [Arc<Event>],
    txn: &'t dyn TxnRead,
    /// Of earlier hooks of the same event.
    earlier: &'t KvWrites,
    own: KvWrites,
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

    /// Writes a row with the event, or not at all.
    pub fn put(&mut self, key: &[u8], value: impl Into<Vec<u8>>) -> Result<(), CommitError> {
        self.own.insert(self.full(key)?, Some(value.into()));
        Ok(())
    }

    /// Deletes a row with the event, or not at all.
    pub fn delete(&mut self, key: &[u8]) -> Result<(), CommitError> {
        self.own.insert(self.full(key)?, None);
        Ok(())
    }

    /// What this event replaces or deletes.
    pub fn removes(&self) -> &[Arc<Event>] {
        self.removes
    }

    pub(super) fn store_failed(&self) -> bool {
        self.store_failed.get()
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
