//! One HTTP worker thread: its sessions, their live subscriptions and its inbox.
//!
//! Invariant: everything here belongs to one thread, so delivery takes no lock. A batch is fanned out exactly once, and
//! `boundary` is the last row that was: a new subscription gets later rows live and earlier ones from the store.

mod delivery;
mod loops;
mod subscriptions;

pub use subscriptions::LiveSub;

use loops::{STEP_BYTES, listen, tick};

use crate::access::AccessPolicy;
use crate::access_changes::AccessChange;
use crate::config::Config;
use crate::event::Event;
use crate::extension::{Hooks, Local, SessionNote, Viewer};
use crate::fanout::{Fanout, FilterKey};
use crate::flow;
use crate::flow::event::Candidate;
use crate::moderation::Moderation;
use crate::outbox::Spare;
use crate::relay::Relay;
use crate::session::{CloseCause, Session, SessionId};
use crate::writer::{Ack, Batch};
use slab::Slab;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::mpsc::{Receiver, Sender};

/// What other threads tell a worker.
#[derive(Debug)]
pub enum WorkerMessage {
    /// A batch is durable: the new events, for every worker.
    Committed(Arc<Batch>),
    /// What became of the events of this worker's sessions; follows their batch.
    Answered(Vec<Ack>),
    /// An event of a session was admitted by extensions that have changed since, and some of those in force take time.
    AskAgain {
        /// The session on the receiving worker.
        session: SessionId,
        /// The event.
        event: Arc<Event>,
        /// Who published it.
        viewer: Arc<Viewer>,
        /// Its share of the budget for events in flight.
        permit: OwnedSemaphorePermit,
    },
    /// An event that is not stored, and its share of the budget for events in flight.
    Ephemeral(Arc<Event>, Arc<OwnedSemaphorePermit>),
    /// A new configuration is in force.
    Config(Arc<Config>),
    /// The operator decided something; the second part is dropped when it is in force.
    Moderation(Arc<Moderation>, Sender<()>),
    /// The extensions' tables changed: narrowing must be asked again.
    HooksChanged,
    /// There is something in [`crate::access_changes`], which is looked at before any message.
    AccessChanged,
    /// Take no more from clients: the relay stops once what was taken is answered.
    StopReading,
    /// Close every session: the relay stops.
    Close,
}

/// The state of one worker thread.
pub struct Worker {
    /// Its place among the workers.
    pub index: usize,
    /// What all threads share.
    pub relay: Arc<Relay>,
    config: RefCell<Arc<Config>>,
    access: RefCell<Rc<AccessPolicy>>,
    moderation: RefCell<Arc<Moderation>>,
    hooks: RefCell<Local>,
    /// The table whose `session` hooks know the sessions of this worker.
    session_hooks: RefCell<Arc<Hooks>>,
    sessions: RefCell<HashMap<SessionId, Rc<Session>>>,
    next_session: Cell<SessionId>,
    subs: RefCell<Slab<LiveSub>>,
    fanout: RefCell<Fanout>,
    inbox: RefCell<Receiver<WorkerMessage>>,
    boundary: Cell<u64>,
    /// The last version of `access_changes` that was looked at.
    access_version: Cell<u64>,
    /// The batch that is being fanned out, and the place of the next event.
    fanning: RefCell<Option<(Arc<Batch>, usize)>>,
    reading: Cell<bool>,
    /// What the gauge of bytes in outboxes holds of this worker.
    outbox_bytes: Cell<usize>,
    /// What its outboxes hand on to each other.
    pub(crate) spare: Rc<Spare>,
    /// Lent to each delivery, so that none allocates.
    candidates: RefCell<Vec<FilterKey>>,
}

thread_local! {
    static OF_THIS_THREAD: RefCell<Option<Rc<Worker>>> = const { RefCell::new(None) };
}

impl Worker {
    /// The worker of this thread; the first call for a relay makes it. Must be called within an actix runtime.
    pub fn of_this_thread(relay: &Arc<Relay>) -> Rc<Worker> {
        match OF_THIS_THREAD.with_borrow(Clone::clone) {
            Some(worker) if Arc::ptr_eq(&worker.relay, relay) => worker,
            _ => {
                let worker = Worker::start(relay.clone());
                OF_THIS_THREAD.set(Some(worker.clone()));
                worker
            }
        }
    }

    /// Joins the relay's workers and starts to read the inbox. Must be called on the worker's own thread.
    pub fn start(relay: Arc<Relay>) -> Rc<Worker> {
        let (index, inbox) = relay.add_worker();
        // Asked after joining: a batch is either in the inbox or at or below this row.
        let boundary = relay.store.last_row().unwrap_or_else(|error| {
            tracing::error!(%error, "the last row could not be read");
            0
        });
        let (config, moderation) = (relay.config(), relay.moderation());
        let access = AccessPolicy::new(&config, moderation.clone());
        let worker = Rc::new(Worker {
            index,
            access: RefCell::new(Rc::new(access)),
            moderation: RefCell::new(moderation),
            config: RefCell::new(config),
            hooks: RefCell::new(Local::new(relay.hooks.clone())),
            session_hooks: RefCell::new(relay.hooks.load()),
            relay,
            sessions: RefCell::default(),
            next_session: Cell::new(1),
            subs: RefCell::default(),
            fanout: RefCell::default(),
            inbox: RefCell::new(inbox),
            boundary: Cell::new(boundary),
            access_version: Cell::new(0),
            fanning: RefCell::default(),
            reading: Cell::new(true),
            outbox_bytes: Cell::new(0),
            spare: Rc::default(),
            candidates: RefCell::default(),
        });
        actix_rt::spawn(listen(Rc::downgrade(&worker)));
        actix_rt::spawn(tick(Rc::downgrade(&worker)));
        worker
    }

    /// The configuration in force on this worker.
    pub fn config(&self) -> Arc<Config> {
        self.config.borrow().clone()
    }

    /// What the operator decided while the relay runs.
    pub fn moderation(&self) -> Arc<Moderation> {
        self.moderation.borrow().clone()
    }

    /// Who may read and write.
    pub fn access(&self) -> Rc<AccessPolicy> {
        self.access.borrow().clone()
    }

    /// The hooks in force now.
    pub fn hooks(&self) -> Arc<Hooks> {
        self.hooks.borrow_mut().hooks().clone()
    }

    /// Tells the `session` hooks of a session. An extension hears of each from its beginning: see [`Hooks::introduce`].
    pub fn note(&self, note: SessionNote, viewer: &Viewer) {
        let hooks = self.session_hooks.borrow().clone();
        hooks.session(note, viewer);
    }

    /// Tells extensions that are new of the sessions that are there.
    fn introduce_sessions(&self) {
        let old = self.session_hooks.replace(self.hooks());
        let new = self.session_hooks.borrow().clone();
        for session in self.all_sessions() {
            new.introduce(&old, &session.viewer());
        }
    }

    /// Whether clients are still listened to.
    pub fn is_reading(&self) -> bool {
        self.reading.get()
    }

    /// Opens a session and greets its client.
    pub fn open(
        self: &Rc<Self>,
        ip: IpAddr,
        host: &str,
        place: crate::connections::Place,
    ) -> Rc<Session> {
        let id = self.next_session.get();
        self.next_session.set(id + 1);
        let session = Session::new(id, self.clone(), ip, host, place);
        self.sessions.borrow_mut().insert(id, session.clone());
        flow::auth::greet(&session);
        session
    }

    /// Forgets a session and its subscriptions.
    pub fn forget(&self, session: &Session) {
        for (_, key) in session.take_subs() {
            self.unsubscribe(key);
        }
        self.sessions.borrow_mut().remove(&session.id);
    }

    /// Handles what waits in the inbox: what any client was told OK for is fanned out, and `boundary` includes it.
    fn catch_up(&self) {
        loop {
            while self.fan_out() {}
            let Ok(message) = self.inbox.borrow_mut().try_recv() else {
                return;
            };
            self.handle(message);
        }
    }

    /// Puts the operator's decisions in force, for what is open, too.
    fn moderate(&self, moderation: Arc<Moderation>) {
        let policy = Rc::new(AccessPolicy::new(&self.config(), moderation.clone()));
        let old = self.access.replace(policy.clone());
        *self.moderation.borrow_mut() = moderation.clone();
        for session in self.all_sessions() {
            let viewer = session.viewer();
            let may = |policy: &AccessPolicy| policy.may_req(viewer.ip(), viewer.pubkeys());
            if moderation.blocked_addresses.contains(viewer.ip()) {
                session.close(CloseCause::Blocked);
            } else if may(&old) != may(&policy) {
                flow::negentropy::close_all(&session);
                if let Some(narrowed) = flow::narrowing::narrow_again(&session) {
                    actix_rt::spawn(narrowed);
                }
            }
        }
    }

    /// Looks anew at what is open on sessions of those whom an extension has given or taken something. Asked before each
    /// message, since the one that tells of it finds no place where the inbox is full.
    fn take_access_changes(&self) {
        let version = self.relay.access_changes.version();
        if self.access_version.replace(version) == version {
            return;
        }
        let changes = self.relay.access_changes.take(self.index);
        for session in self.all_sessions() {
            let viewer = session.viewer();
            let own = changes.iter().filter(|change| change.concerns(&viewer));
            let own: Vec<_> = own.map(AccessChange::of).collect();
            if !own.is_empty() {
                flow::narrowing::access_changed(&session, &own);
            }
        }
    }

    fn narrow_all_again(&self) {
        for session in self.all_sessions() {
            flow::negentropy::close_all(&session);
            if let Some(narrowed) = flow::narrowing::narrow_again(&session) {
                actix_rt::spawn(narrowed);
            }
        }
    }

    /// Tells the gauge how much waits in this worker's outboxes.
    fn gauge_outboxes(&self, bytes: usize) {
        let before = self.outbox_bytes.replace(bytes);
        let gauge = &self.relay.metrics.outbox_bytes;
        gauge.increment(bytes as f64 - before as f64);
    }

    fn session(&self, id: SessionId) -> Option<Rc<Session>> {
        self.sessions.borrow().get(&id).cloned()
    }

    fn all_sessions(&self) -> Vec<Rc<Session>> {
        self.sessions_where(|_| true)
    }

    fn sessions_where(&self, wants: impl Fn(SessionId) -> bool) -> Vec<Rc<Session>> {
        let sessions = self.sessions.borrow();
        let wanted = sessions.iter().filter(|(id, _)| wants(**id));
        wanted.map(|(_, session)| session.clone()).collect()
    }

    fn handle(&self, message: WorkerMessage) {
        self.take_access_changes();
        match message {
            WorkerMessage::AccessChanged => {}
            WorkerMessage::Answered(acks) => {
                for ack in acks {
                    if let Some(session) = self.session(ack.session) {
                        flow::event::answer(&session, &ack.id, &ack.outcome);
                    }
                }
            }
            WorkerMessage::Committed(batch) => {
                self.fanning.replace(Some((batch, 0)));
            }
            WorkerMessage::AskAgain {
                session,
                event,
                viewer,
                permit,
            } => {
                // Nobody was told OK, so an event whose client is gone may go, too.
                if let Some(session) = self.session(session) {
                    let candidate = Candidate {
                        event,
                        viewer,
                        generation: 0,
                        permit,
                    };
                    flow::event::admit_again(&session, candidate);
                }
            }
            WorkerMessage::Ephemeral(event, _permit) => {
                let expires_at = event.expiration();
                self.deliver(&event, None, expires_at);
            }
            WorkerMessage::Config(config) => {
                let old = self.config.replace(config.clone());
                if !concerns_readers(&old, &config) {
                    return;
                }
                *self.access.borrow_mut() = Rc::new(AccessPolicy::new(&config, self.moderation()));
                // The lists of who may read hold for what is open, too.
                self.narrow_all_again();
            }
            WorkerMessage::Moderation(moderation, _in_force) => self.moderate(moderation),
            WorkerMessage::HooksChanged => {
                self.introduce_sessions();
                self.narrow_all_again();
                crate::extension::http::look_again();
            }
            WorkerMessage::StopReading => self.reading.set(false),
            WorkerMessage::Close => {
                for session in self.all_sessions() {
                    session.close(CloseCause::Shutdown);
                }
            }
        }
    }

    /// Delivers a part of the batch that is being fanned out, and says whether more of it is left. Between parts the
    /// fronts write: a batch may be larger than an outbox, and a client that reads must not be taken for a slow one.
    fn fan_out(&self) -> bool {
        let Some((batch, mut next)) = self.fanning.take() else {
            return false;
        };
        let events = batch.events.len();
        let _span = tracing::debug_span!("fanout", worker = self.index, events, next).entered();
        let mut bytes = 0;
        while let Some(stored) = batch.events.get(next)
            && bytes < STEP_BYTES
        {
            self.deliver(&stored.event, Some(stored.row), stored.expires_at);
            self.boundary.set(self.boundary.get().max(stored.row));
            bytes += stored.event.json().len();
            next += 1;
        }
        let more = next < batch.events.len();
        if more {
            self.fanning.replace(Some((batch, next)));
        } else {
            self.boundary.set(self.boundary.get().max(batch.last_row));
        }
        more
    }
}

/// Whether a change of the configuration is of more than what is said of the relay and when it is maintained.
fn concerns_readers(old: &Config, new: &Config) -> bool {
    let renamed = Config {
        information: new.information.clone(),
        operation: new.operation.clone(),
        ..old.clone()
    };
    renamed != *new
}

impl std::fmt::Debug for Worker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Worker")
            .field("index", &self.index)
            .finish_non_exhaustive()
    }
}
