//! The least of a core between hooks and a store: it commits where it is asked to, as the writer thread would.
//!
//! Not here: threads, flows and fan-out, which only a whole relay has.

use super::sign;
use crate::clock::{Clock, FakeClock};
use crate::config::{Operation, Outbound};
use crate::event::{Event, PublicKey};
use crate::extension::*;
use crate::reason::Reason;
use crate::store::memory::MemoryStore;
use crate::store::{Outcome, Store, StoreError, Write};
use futures_util::future::{BoxFuture, FutureExt};
use nostr::event::EventBuilder;
use nostr::key::Keys;
use std::collections::HashSet;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use tempfile::TempDir;

/// Commits where it is asked to, as the writer thread would.
#[derive(Debug)]
pub struct BareCore {
    /// Where events live.
    pub store: Arc<MemoryStore>,
    handle: HostHandle,
    clock: Arc<FakeClock>,
    keys: Keys,
    writing: Mutex<()>,
    /// Where extensions put files.
    directory: TempDir,
    /// `[operation]`, for extensions that keep to modes.
    pub operation: Mutex<Operation>,
    /// `[outbound]`: nothing private is allowed unless a test says so.
    pub outbound: Mutex<Outbound>,
    /// Whom the operator has banned.
    pub banned: Mutex<HashSet<PublicKey>>,
}

impl BareCore {
    pub(super) fn new(store: Arc<MemoryStore>, handle: HostHandle, clock: Arc<FakeClock>) -> Self {
        BareCore {
            store,
            handle,
            clock,
            keys: Keys::generate(),
            writing: Mutex::default(),
            directory: TempDir::with_prefix("trellis-test-").expect("a temporary directory"),
            operation: Mutex::default(),
            outbound: Mutex::default(),
            banned: Mutex::default(),
        }
    }

    /// One batch with all hooks, and the bell for `stored` hooks.
    pub fn commit(&self, batch: &[Write]) -> Result<Vec<Outcome>, StoreError> {
        let _one_writer = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let policy = CommitHooks(self.handle.hooks().load());
        let outcomes = self.store.commit(batch, &policy, self.clock.now_s())?;
        self.handle.committed(self.store.last_row()?);
        Ok(outcomes)
    }

    /// One batch of events: for each `stored`, the reason of a refusal, or the outcome's name.
    pub fn put(&self, events: &[Arc<Event>]) -> Vec<String> {
        let writes: Vec<_> = events.iter().cloned().map(Write::Put).collect();
        let outcomes = self.commit(&writes).unwrap();
        let said = outcomes.into_iter().map(|outcome| match outcome {
            Outcome::Stored(_) => "stored".to_owned(),
            Outcome::Refused(reason) => reason.to_string(),
            other => format!("{other:?}"),
        });
        said.collect()
    }

    /// A row of an extension's key space.
    pub fn row_of(&self, extension: &str, key: &[u8]) -> Option<Vec<u8>> {
        self.store.kv_get(extension, key).unwrap()
    }
}

impl Core for BareCore {
    fn read(&self, job: ReadJob) {
        job(&*self.store);
    }

    fn submit(&self, writes: Vec<Write>) -> BoxFuture<'static, Result<Vec<Outcome>, StoreError>> {
        let outcomes = self.commit(&writes);
        async move { outcomes }.boxed()
    }

    fn publish(&self, event: Arc<Event>) -> BoxFuture<'static, Result<(), Reason>> {
        let viewer = Viewer::relay(*event.pubkey());
        let hooks = self.handle.hooks().load();
        let verdict = hooks.plan(event.kind()).admit(&event, &viewer);
        let outcome = match verdict {
            Admit::Reject(reason) => Err(reason),
            _ => match self.put(&[event]).remove(0) {
                said if said == "stored" => Ok(()),
                said => Err(Reason::error(said)),
            },
        };
        async move { outcome }.boxed()
    }

    fn operation(&self) -> Operation {
        let operation = self.operation.lock();
        operation.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn outbound(&self) -> Outbound {
        let outbound = self.outbound.lock();
        outbound.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn data_dir(&self) -> &Path {
        self.directory.path()
    }

    fn is_banned(&self, pubkey: &PublicKey) -> bool {
        let banned = self.banned.lock();
        banned
            .unwrap_or_else(PoisonError::into_inner)
            .contains(pubkey)
    }

    fn pubkey(&self) -> PublicKey {
        self.keys.public_key()
    }

    fn sign(&self, event: EventBuilder) -> Result<Event, Reason> {
        Ok((*sign(event, &self.keys)).clone())
    }
}
