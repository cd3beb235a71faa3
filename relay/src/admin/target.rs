//! What operators' work is done on: a store that nobody else has open, or a running relay.

use crate::clock::Clock;
use crate::config::Config;
use crate::relay::Relay;
use crate::relay_key;
use crate::store::{NoPolicy, Outcome, Store, StoreError, Write};
use crate::writer::{Origin, Submission};
use nostr::key::Keys;
use std::sync::Arc;
use tokio::sync::oneshot;

/// A store that can be read and written. Calls block and belong on a thread that may.
pub trait Target: Send + Sync {
    /// For reading.
    fn store(&self) -> &Arc<dyn Store>;

    /// Commits writes in order and answers for each. What is committed on a running relay reaches its subscribers, and
    /// its extensions' `commit` hooks and guards are asked; a stopped store has no extensions to ask.
    fn commit(&self, batch: Vec<Write>) -> Result<Vec<Outcome>, StoreError>;

    /// The configuration in force.
    fn config(&self) -> Arc<Config>;

    /// Seconds since 1970.
    fn now_s(&self) -> u64;

    /// Whether clients are served meanwhile, who must not wait for long.
    fn is_live(&self) -> bool;

    /// The relay's own key, where it can be had.
    fn keys(&self) -> Option<Keys>;
}

/// A store that this process alone has open.
pub struct StoppedStore {
    /// The store.
    pub store: Arc<dyn Store>,
    /// The configuration that names it.
    pub config: Arc<Config>,
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
}

impl Target for StoppedStore {
    fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    fn commit(&self, batch: Vec<Write>) -> Result<Vec<Outcome>, StoreError> {
        self.store.commit(&batch, &NoPolicy, self.now_s())
    }

    fn config(&self) -> Arc<Config> {
        self.config.clone()
    }

    fn now_s(&self) -> u64 {
        self.clock.now_s()
    }

    fn is_live(&self) -> bool {
        false
    }

    fn keys(&self) -> Option<Keys> {
        relay_key::load_or_make(&self.config.data.path).ok()
    }
}

impl std::fmt::Debug for StoppedStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoppedStore").finish_non_exhaustive()
    }
}

/// A running relay: writes go through its writer thread. Must not be used on a thread of an async runtime.
#[derive(Debug)]
pub struct LiveRelay(pub Arc<Relay>);

impl Target for LiveRelay {
    fn store(&self) -> &Arc<dyn Store> {
        &self.0.store
    }

    fn commit(&self, batch: Vec<Write>) -> Result<Vec<Outcome>, StoreError> {
        let gone = || StoreError::Unavailable("the relay is stopping".to_owned());
        let mut answers = Vec::with_capacity(batch.len());
        // So that the writer takes the batch as a whole.
        let approach = self.0.writer.approach();
        for write in batch {
            let (reply, answer) = oneshot::channel();
            let submission = Submission {
                write,
                origin: Origin::Internal(Some(reply)),
                permit: None,
            };
            self.0.writer.submit(submission).map_err(|_| gone())?;
            answers.push(answer);
        }
        drop(approach);
        answers
            .into_iter()
            .map(|answer| answer.blocking_recv().map_err(|_| gone()))
            .collect()
    }

    fn config(&self) -> Arc<Config> {
        self.0.config()
    }

    fn now_s(&self) -> u64 {
        self.0.clock.now_s()
    }

    fn is_live(&self) -> bool {
        // One that does not listen has no workers.
        !self.0.workers().is_empty()
    }

    fn keys(&self) -> Option<Keys> {
        Some(self.0.keys.clone())
    }
}
