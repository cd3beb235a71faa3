//! What extensions may say of a write, and may write with it, while a store's transaction is open.

use super::{Cause, StoreError};
use crate::event::Event;
use crate::reason::Reason;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a store asks of the extensions while its transaction is open. Every answer must be repeatable: a store may run
/// a batch again, halved after a full map, say.
pub trait CommitPolicy {
    /// Whether [`CommitPolicy::on_commit`] wants events of this kind at all.
    fn wants_commit(&self, kind: u16) -> bool;

    /// May refuse the event or add rows to its transaction.
    fn on_commit(
        &self,
        event: &Event,
        removes: &[Arc<Event>],
        txn: &dyn TxnRead,
    ) -> Result<KvWrites, Reason>;

    /// As [`CommitPolicy::on_commit`] for a request to vanish that binds this relay (NIP-62), which is stored whatever is
    /// said of it: the rows of those who accept it.
    fn on_vanish(&self, request: &Event, txn: &dyn TxnRead) -> KvWrites {
        self.on_commit(request, &[], txn).unwrap_or_default()
    }

    /// Whether [`CommitPolicy::may_remove`] wants events of this kind at all.
    fn guards_removal(&self, kind: u16) -> bool;

    /// Whether the event may go. For replacement a "no" refuses the new event; for expiry it is asked at insert.
    fn may_remove(&self, event: &Event, cause: Cause) -> bool;
}

/// No extension has a say.
#[derive(Clone, Copy, Debug)]
pub struct NoPolicy;

impl CommitPolicy for NoPolicy {
    fn wants_commit(&self, _kind: u16) -> bool {
        false
    }
    fn on_commit(
        &self,
        _event: &Event,
        _removes: &[Arc<Event>],
        _txn: &dyn TxnRead,
    ) -> Result<KvWrites, Reason> {
        Ok(KvWrites::default())
    }
    fn guards_removal(&self, _kind: u16) -> bool {
        false
    }
    fn may_remove(&self, _event: &Event, _cause: Cause) -> bool {
        true
    }
}

/// Reads of an open write transaction; sees earlier writes of the batch.
pub trait TxnRead {
    /// The time of the batch in seconds since 1970: the `now` of [`super::Store::commit`], however often it is tried.
    fn now_s(&self) -> u64;

    /// A value of an extension's key space.
    fn kv_get(&self, extension: &str, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;
}

/// Rows to write with an event: (extension, key) to value, `None` deletes.
pub type KvWrites = BTreeMap<(String, Vec<u8>), Option<Vec<u8>>>;
