//! What all threads of one relay share.
//!
//! Invariant: what is locked while an event is published is locked for moments: the list of workers, the counts of rates
//! where there are rules, and the recent ids for ephemeral events. Delivery locks nothing here.

mod for_extensions;

pub(crate) use for_extensions::ForExtensions;

use crate::access::{AccessPolicy, PolicyInForce};
use crate::access_changes::AccessChanges;
use crate::backup;
use crate::clock::Clock;
use crate::config::Config;
use crate::connections::Connections;
use crate::event::{Event, EventId};
use crate::extension::{Health, HostHandle, SharedHooks};
use crate::metrics::CoreMetrics;
use crate::moderation::Moderation;
use crate::moderator::Moderator;
use crate::nips::nip77::ItemBudget;
use crate::nips::nip98::ReplayGuard;
use crate::own_events::OwnEventsGate;
use crate::rate_limit::Limits;
use crate::readers::Readers;
use crate::store::Store;
use crate::worker::WorkerMessage;
use crate::writer::Writer;
use std::collections::{HashSet, VecDeque};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use std::time::Instant;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// One running relay.
pub struct Relay {
    /// The configuration in force, with what the operator has overruled; workers keep copies and are told of changes.
    pub config: RwLock<Arc<Config>>,
    /// What the operator decided while the relay runs.
    pub moderator: Moderator,
    /// Where events live.
    pub store: Arc<dyn Store>,
    /// Whether it is there for clients, and not for an operator's work alone.
    pub is_serving: AtomicBool,
    /// `[data] path` at the start.
    pub data_dir: PathBuf,
    /// The extensions' hooks in force.
    pub hooks: Arc<SharedHooks>,
    /// The way to the writer thread.
    pub writer: Writer,
    /// Threads for long scans.
    pub readers: Readers,
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
    /// Bytes of events between admission and the end of their fan-out (`data.in_flight_bytes`).
    pub in_flight: Arc<Semaphore>,
    in_flight_permits: usize,
    /// The running extensions.
    pub extensions: HostHandle,
    /// Open WebSocket connections, in all and by address.
    pub connections: Connections,
    /// The key with which the relay signs its own events; its public half is `self` in NIP-11.
    pub keys: nostr::key::Keys,
    /// Authorizations that the core's own pages have seen (NIP-98).
    pub nip98_seen: ReplayGuard,
    /// Who takes all own events along.
    pub own_events: OwnEventsGate,
    /// What all sets that are being reconciled hold (NIP-77).
    pub negentropy_items: ItemBudget,
    /// When the relay started.
    pub started: Instant,
    /// Its backup, where it has one.
    pub backup: OnceLock<Arc<backup::Handle>>,
    /// Set while the relay shuts down.
    pub stopping: AtomicBool,
    pub(crate) metrics: CoreMetrics,
    writer_may_stop: AtomicBool,
    workers: RwLock<Arc<Vec<Sender<WorkerMessage>>>>,
    /// What extensions said has changed of who may see what.
    pub access_changes: AccessChanges,
    recent_ephemerals: Mutex<RecentIds>,
    /// Who may read and write, for what is asked by other ways than a worker's, which has its own.
    access: PolicyInForce,
    /// The rules of `[rate_limiter]` with their counts, shared by all workers; locked only where there are rules.
    pub limits: Mutex<Limits>,
}

/// Messages that may wait for a worker before the writer waits and ephemeral events are dropped.
const WORKER_INBOX: usize = 4_096;

impl Relay {
    /// Puts the parts together; threads are started by [`crate::running`].
    #[allow(
        clippy::too_many_arguments,
        reason = "each part is built elsewhere and named once"
    )]
    pub fn new(
        config: Arc<Config>,
        moderation: Moderation,
        store: Arc<dyn Store>,
        extensions: HostHandle,
        writer: Writer,
        readers: Readers,
        clock: Arc<dyn Clock>,
        keys: nostr::key::Keys,
    ) -> Self {
        let moderator = Moderator::new(moderation, config.clone());
        let config = moderator.overrule(&config);
        let data_dir = config.data.path.clone();
        let in_flight_permits = (config.data.in_flight_bytes.as_usize() / PERMIT_BYTES).max(1);
        let limits = Mutex::new(Limits::from_config(&config));
        let nip98_seen = ReplayGuard::starting(clock.now_s());
        let own_events = OwnEventsGate::new(clock.clone());
        Relay {
            in_flight: Arc::new(Semaphore::new(in_flight_permits)),
            in_flight_permits,
            config: RwLock::new(config),
            is_serving: AtomicBool::new(false),
            data_dir,
            moderator,
            store,
            writer,
            readers,
            clock,
            hooks: extensions.hooks().clone(),
            extensions,
            connections: Connections::default(),
            keys,
            nip98_seen,
            own_events,
            negentropy_items: ItemBudget::default(),
            started: Instant::now(),
            backup: OnceLock::new(),
            stopping: AtomicBool::new(false),
            metrics: CoreMetrics::new(),
            writer_may_stop: AtomicBool::new(false),
            workers: RwLock::default(),
            access_changes: AccessChanges::default(),
            recent_ephemerals: Mutex::default(),
            access: PolicyInForce::default(),
            limits,
        }
    }

    /// The configuration in force.
    pub fn config(&self) -> Arc<Config> {
        self.config
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// What the operator decided while the relay runs.
    pub fn moderation(&self) -> Arc<Moderation> {
        self.moderator.current()
    }

    /// Who may read and write.
    pub fn access(&self) -> Arc<AccessPolicy> {
        self.access.get(&self.config(), &self.moderation())
    }

    /// Adds a worker: its index and its inbox.
    pub fn add_worker(&self) -> (usize, Receiver<WorkerMessage>) {
        let (sender, inbox) = channel(WORKER_INBOX);
        let mut workers = self.workers.write().unwrap_or_else(PoisonError::into_inner);
        let mut list = workers.to_vec();
        let index = match list.iter().position(Sender::is_closed) {
            Some(ended) => {
                list[ended] = sender;
                ended
            }
            None => {
                list.push(sender);
                list.len() - 1
            }
        };
        *workers = Arc::new(list);
        self.access_changes.add_worker(index);
        (index, inbox)
    }

    /// The inboxes of all workers, by index.
    pub fn workers(&self) -> Arc<Vec<Sender<WorkerMessage>>> {
        self.workers
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Puts a message into every inbox at once, so that a worker that looks into its own finds what is in force; where one
    /// is full, as soon as its worker breathes. Must be called within an actix runtime.
    pub fn tell_workers(&self, message: impl Fn() -> WorkerMessage) {
        for worker in self.workers().iter() {
            let Err(TrySendError::Full(message)) = worker.try_send(message()) else {
                continue;
            };
            let worker = worker.clone();
            actix_rt::spawn(async move {
                // A closed inbox is a worker that has ended.
                let _ = worker.send(message).await;
            });
        }
    }

    /// Sends an ephemeral event to every worker. Says false for one that was sent on a moment ago.
    ///
    /// Nothing is stored, so a worker whose inbox is full misses it: that is counted, and NIP-01 allows it.
    pub fn send_ephemeral(&self, event: &Arc<Event>, permit: OwnedSemaphorePermit) -> bool {
        let fresh = self
            .recent_ephemerals
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(*event.id());
        if fresh {
            let permit = Arc::new(permit);
            for worker in self.workers().iter() {
                if worker
                    .try_send(WorkerMessage::Ephemeral(event.clone(), permit.clone()))
                    .is_err()
                {
                    metrics::counter!("trellis_ephemeral_dropped_total").increment(1);
                }
            }
        }
        fresh
    }

    /// Whether no event is between its admission and the end of its fan-out.
    pub fn is_settled(&self) -> bool {
        self.in_flight.available_permits() == self.in_flight_permits
    }

    /// Bytes of events between their admission and the end of their fan-out, to the kilobyte.
    pub fn in_flight_bytes(&self) -> usize {
        let free = self.in_flight.available_permits();
        self.in_flight_permits.saturating_sub(free) * PERMIT_BYTES
    }

    /// Lets the writer end once its queue is empty.
    pub fn stop_writer(&self) {
        self.writer_may_stop.store(true, Ordering::Release);
    }

    /// The permits that an event needs of `in_flight`; never more than there are, so that the largest event gets through.
    pub(crate) fn permits_for(&self, event: &Event) -> u32 {
        let permits = event.json().len() / PERMIT_BYTES + 1;
        permits.min(self.in_flight_permits) as u32
    }

    /// Whether [`Relay::stop_writer`] was called.
    pub fn writer_may_stop(&self) -> bool {
        self.writer_may_stop.load(Ordering::Acquire)
    }

    /// The relay's own public key as hex.
    pub fn public_key(&self) -> String {
        self.keys.public_key().to_hex()
    }

    /// The extensions that are on.
    pub fn extension_names(&self) -> Vec<String> {
        let names = self.extensions.names().into_iter();
        names.map(str::to_owned).collect()
    }

    /// The health of each extension that is on, and whether none is down. May block for seconds: not for workers.
    pub fn extension_health(&self) -> (serde_json::Value, bool) {
        let mut all_up = true;
        let mut by_name = serde_json::Map::new();
        for extension in self.extensions.status() {
            let Some(health) = extension.health else {
                continue;
            };
            let (status, reason) = match health {
                Health::Ok => ("ok", None),
                Health::Degraded(reason) => ("degraded", Some(reason)),
                Health::Down(reason) => {
                    all_up = false;
                    ("down", Some(reason))
                }
            };
            let health = serde_json::json!({
                "status": status,
                "reason": reason,
                "faults": extension.faults,
                "restarts": extension.restarts,
                "skipped_hooks": extension.skipped,
            });
            by_name.insert(extension.name.to_owned(), health);
        }
        (by_name.into(), all_up)
    }

    /// Whether the relay shuts down.
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }
}

impl std::fmt::Debug for Relay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Relay").finish_non_exhaustive()
    }
}

/// The grain of the budget for events in flight.
const PERMIT_BYTES: usize = 1_024;

/// The last ids that went by, so that an ephemeral event sent twice is delivered once.
#[derive(Debug, Default)]
struct RecentIds {
    known: HashSet<EventId>,
    order: VecDeque<EventId>,
}

impl RecentIds {
    const KEPT: usize = 8_192;

    fn insert(&mut self, id: EventId) -> bool {
        if !self.known.insert(id) {
            return false;
        }
        self.order.push_back(id);
        if self.order.len() > Self::KEPT
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        true
    }
}
