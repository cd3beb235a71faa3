//! What operators' work is done on: a store that nobody else has open, or a running relay.
//!
//! Invariant: what the operator has banned (NIP-86) is stored by neither; the mode of the relay holds up clients, not the
//! operator's own work.

use crate::clock::Clock;
use crate::config::Config;
use crate::extension::Viewer;
use crate::moderation::Moderation;
use crate::orders;
use crate::reason::Reason;
use crate::relay::Relay;
use crate::relay_key;
use crate::store::{NoPolicy, Outcome, Store, StoreError, Stored, Write};
use crate::visibility::Visibility;
use crate::writer::{Origin, Submission};
use nostr::key::Keys;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, OnceLock};
use tokio::sync::oneshot;

/// A store that can be read and written. Calls block and belong on a thread that may.
pub trait Target: Send + Sync {
    /// For reading.
    fn store(&self) -> &Arc<dyn Store>;

    /// Commits writes in order and answers for each; events that the operator's lists exclude are refused. What is
    /// committed on a running relay reaches its subscribers, and its extensions' `commit` hooks and guards are asked; a
    /// stopped store has no extensions to ask.
    fn commit(&self, batch: Vec<Write>) -> Result<Vec<Outcome>, StoreError>;

    /// The configuration in force.
    fn config(&self) -> Arc<Config>;

    /// Seconds since 1970.
    fn now_s(&self) -> u64;

    /// Whether clients are served meanwhile, who must not wait for long.
    fn is_live(&self) -> bool;

    /// The relay's own key, where it can be had.
    fn keys(&self) -> Option<Keys>;

    /// Whether extensions may hide events of these kinds from strangers; `None` stands for all kinds.
    fn may_hide(&self, kinds: Option<&[u16]>) -> bool;

    /// The relay with its extensions, where they run.
    fn relay(&self) -> Option<&Relay> {
        None
    }

    /// Whether a stranger, who has authenticated as nobody, would be shown the event.
    fn shows_strangers(&self, stored: &Stored) -> bool;
}

/// A store that this process alone has open.
pub struct StoppedStore {
    store: Arc<dyn Store>,
    config: Arc<Config>,
    clock: Arc<dyn Clock>,
    /// Read when they are asked for the first time: nobody changes them meanwhile.
    lists: OnceLock<Moderation>,
}

impl StoppedStore {
    /// A store, the configuration that names it, and where time comes from.
    pub fn new(store: Arc<dyn Store>, config: Arc<Config>, clock: Arc<dyn Clock>) -> Self {
        StoppedStore {
            store,
            config,
            clock,
            lists: OnceLock::new(),
        }
    }

    fn refusal(&self, write: &Write) -> Result<Option<Reason>, StoreError> {
        let Write::Put(event) = write else {
            return Ok(None);
        };
        if self.lists.get().is_none() {
            // Nobody else sets it, and if so, to the same.
            let _ = self.lists.set(Moderation::load(&*self.store)?);
        }
        let lists = self.lists.get();
        Ok(lists.and_then(|lists| orders::check_lists(event, lists).err()))
    }
}

impl Target for StoppedStore {
    fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    fn commit(&self, batch: Vec<Write>) -> Result<Vec<Outcome>, StoreError> {
        let mut refusals = Vec::with_capacity(batch.len());
        let mut writes = Vec::with_capacity(batch.len());
        for write in batch {
            let refusal = self.refusal(&write)?;
            if refusal.is_none() {
                writes.push(write);
            }
            refusals.push(refusal);
        }
        let committed = self.store.commit(&writes, &NoPolicy, self.now_s())?;
        let mut committed = committed.into_iter();
        let outcomes = refusals.into_iter().filter_map(|refusal| match refusal {
            Some(reason) => Some(Outcome::Refused(reason)),
            None => committed.next(),
        });
        Ok(outcomes.collect())
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

    fn may_hide(&self, _kinds: Option<&[u16]>) -> bool {
        false
    }

    fn shows_strangers(&self, stored: &Stored) -> bool {
        let protected = &self.config.protection.read_protected_kinds;
        !protected.contains(stored.event.kind())
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
                origin: Origin::Operator(reply),
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

    fn relay(&self) -> Option<&Relay> {
        Some(&self.0)
    }

    fn may_hide(&self, kinds: Option<&[u16]>) -> bool {
        self.0.hooks.load().any_deliver_overlaps(kinds)
    }

    fn shows_strangers(&self, stored: &Stored) -> bool {
        let (hooks, config) = (self.0.hooks.load(), self.0.config());
        let stranger = Viewer::new(0, IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        Visibility {
            hooks: &hooks,
            protected: &config.protection.read_protected_kinds,
            now: self.now_s(),
        }
        .shows(&stored.event, stored.expires_at, &stranger)
    }
}
