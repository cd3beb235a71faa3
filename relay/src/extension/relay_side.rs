//! What extensions need of the core, which knows them and which they never see.
//!
//! Invariant: nothing here blocks its caller, who may be a hook on any thread.

use super::access_news::AccessNews;
use super::viewer::Viewer;
use crate::config::{Network, Operation, Outbound, Pow};
use crate::event::{Event, PublicKey};
use crate::reason::Reason;
use crate::store::{Outcome, Store, StoreError, Write};
use futures_util::future::BoxFuture;
use nostr::event::EventBuilder;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use tokio::sync::oneshot;

/// The core's side, which the relay implements and extensions never see.
pub trait Core: Send + Sync + 'static {
    /// Runs a short job on a thread that may read the store. A job that is dropped unrun counts as "not available".
    fn read(&self, job: ReadJob);

    /// Hands writes to the writer: the outcomes once they are durable, or why nothing was committed.
    fn submit(&self, writes: Vec<Write>) -> BoxFuture<'static, Result<Vec<Outcome>, StoreError>>;

    /// Stores events that are verified and not ephemeral, as the operator's import does: whatever the mode, but for what
    /// the operator's lists exclude.
    fn restore(
        &self,
        events: Vec<Arc<Event>>,
    ) -> BoxFuture<'static, Result<Vec<Outcome>, StoreError>> {
        self.submit(super::host::writes_of(events))
    }

    /// Sends a signed event through the whole pipeline, as [`super::Viewer::relay`]. `Ok` means durable.
    fn publish(&self, event: Arc<Event>) -> BoxFuture<'static, Result<(), Reason>>;

    /// The relay's own public key (NIP-11 `self`).
    fn pubkey(&self) -> PublicKey;

    /// Signs with the relay's key, which stays where it is. `created_at` is set.
    fn sign(&self, event: EventBuilder) -> Result<Event, Reason>;

    /// Wraps an event for one person (NIP-59), sealed with the relay's key, which stays where it is. `created_at` is set.
    fn gift_wrap(&self, _recipient: &PublicKey, _event: EventBuilder) -> Result<Event, Reason> {
        Err(Reason::internal())
    }

    /// `[operation]` as it is in force.
    fn operation(&self) -> Operation;

    /// `[network]` as it is in force.
    fn network(&self) -> Network {
        Network::default()
    }

    /// `[pow]` as it is in force.
    fn pow(&self) -> Pow {
        Pow::default()
    }

    /// `[outbound]` as it is in force.
    fn outbound(&self) -> Outbound;

    /// Whether anybody may be connected.
    fn is_serving(&self) -> bool {
        false
    }

    /// Where the relay keeps its files.
    fn data_dir(&self) -> &Path;

    /// Whether the operator has banned this key.
    fn is_banned(&self, pubkey: &PublicKey) -> bool;

    /// Whether `[auth]` and the operator's lists let this key read from this address.
    fn may_read(&self, _ip: IpAddr, _pubkey: &PublicKey) -> Result<(), Reason> {
        Ok(())
    }

    /// Whether an event may go out to this viewer. What is not known is hidden.
    fn shows(&self, _event: &Event, _viewer: &Viewer) -> bool {
        false
    }

    /// Whether they let this key publish from this address what it signs.
    fn may_publish(&self, _ip: IpAddr, _pubkey: &PublicKey) -> Result<(), Reason> {
        Ok(())
    }

    /// What some viewers may see has changed, whether or not anybody of them is there.
    fn access_changed(&self, _news: AccessNews) {}

    /// Other hooks are in force: whoever is connected has to be introduced to them. Must not block.
    fn hooks_changed(&self) {}
}

/// A job for a thread that may read the store.
pub type ReadJob = Box<dyn FnOnce(&dyn Store) + Send>;

impl dyn Core {
    /// Reads the store elsewhere and waits for the answer.
    pub(super) async fn ask<R: Send + 'static>(
        &self,
        job: impl FnOnce(&dyn Store) -> Result<R, StoreError> + Send + 'static,
    ) -> Result<R, StoreError> {
        let (answer, answered) = oneshot::channel();
        self.read(Box::new(move |store| {
            // Nobody may be waiting any more.
            let _ = answer.send(job(store));
        }));
        let gone = |_| StoreError::Unavailable("the relay is stopping".to_owned());
        answered.await.map_err(gone)?
    }
}
