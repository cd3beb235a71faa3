//! One connection without its transport: frames come in as text, what goes out stands in the outbox.
//!
//! Invariant: messages of a client take effect in the order in which they came. Where one has to wait (for an
//! extension, for room in the budget) the front reads no further until [`Session::on_text`]'s future is done.

mod lifetime;
mod query_slot;
mod reconciliation;
mod staleness;

use lifetime::Lifetime;
pub use query_slot::QuerySlot;
pub use reconciliation::{Reconciliation, SealedItems, SetAge};
pub use staleness::{Begun, Staleness};

use crate::config::{Config, Network};
use crate::connections::Place;
use crate::event::PublicKey;
use crate::extension::{SessionNote, Viewer};
use crate::flow;
use crate::flow::event::Admissions;
use crate::metrics::INVALID;
use crate::outbox::Outbox;
use crate::reason::Reason;
use crate::wire::{ClientMessage, RelayMessage, SubId};
use crate::worker::Worker;
use futures_util::future::LocalBoxFuture;
use std::cell::{Cell, Ref, RefCell, RefMut};
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use tokio::time::Instant;

/// Names a session among those of its worker, for ever.
pub type SessionId = u64;

/// What a message still waits for; the front awaits it before it hands over the next one.
pub type Wait = LocalBoxFuture<'static, ()>;

/// The state of one connection.
pub struct Session {
    /// Its name on its worker.
    pub id: SessionId,
    /// The worker on whose thread it lives.
    pub worker: Rc<Worker>,
    /// The `Host` that the client asked for, where it is surely ours, else empty: what AUTH must name where no public URL
    /// is configured.
    pub host: Box<str>,
    /// What the client must sign to authenticate (NIP-42).
    pub challenge: [u8; 16],
    viewer: RefCell<Arc<Viewer>>,
    outbox: RefCell<Outbox>,
    subs: RefCell<Vec<Sub>>,
    next_serial: Cell<u64>,
    running_queries: Cell<u32>,
    reconciliations: RefCell<Vec<reconciliation::Entry>>,
    /// EVENTs that an extension still thinks about.
    pub(crate) admissions: RefCell<Option<Box<Admissions>>>,
    /// What is to be looked at anew.
    pub staleness: Staleness,
    closing: Cell<Option<CloseCause>>,
    lifetime: Lifetime,
    /// EVENTs that passed the relay's own checks and have no OK yet.
    unanswered: Cell<u32>,
    last_heard: Cell<Instant>,
    blocked_since: Cell<Option<Instant>>,
    /// Bytes written since the last step that counted.
    written: Cell<usize>,
    is_cut: Cell<bool>,
    pinged: Cell<bool>,
    cut: RefCell<Option<Box<dyn FnOnce()>>>,
    _place: Place,
}

#[derive(Debug)]
struct Sub {
    id: SubId,
    key: u32,
    serial: u64,
    filter_bytes: usize,
}

/// What open subscriptions take.
#[derive(Clone, Copy, Debug, Default)]
pub struct OpenSubs {
    /// How many there are.
    pub count: usize,
    /// What their filters take of memory.
    pub filter_bytes: usize,
}

/// Why the relay ends a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseCause {
    /// The relay stops.
    Shutdown,
    /// Nothing came for `network.idle_timeout`.
    Idle,
    /// It has lived for `network.connection_lifetime`.
    Lifetime,
    /// The client does not read what it asked for.
    TooSlow,
    /// The client closed, or its socket is gone.
    Gone,
    /// A frame broke RFC 6455.
    Protocol,
    /// A message was longer than `limitation.max_message_length`.
    TooBig,
    /// The operator blocked the client's address.
    Blocked,
    /// The client sent more bytes than a rule of `[rate_limiter]` allows for a long time to come.
    RateLimited,
}

impl CloseCause {
    /// The close code of RFC 6455 and the text that goes with it; none where nobody reads it.
    pub fn code(self) -> Option<(u16, &'static str)> {
        match self {
            CloseCause::Shutdown => Some((1001, "the relay stops")),
            CloseCause::Idle => Some((1001, "nothing was heard for too long")),
            CloseCause::Lifetime => Some((1001, "connections end after a while here; come again")),
            CloseCause::Protocol => Some((1002, "the frame breaks RFC 6455")),
            CloseCause::TooBig => Some((1009, "the message is too long")),
            CloseCause::Blocked => Some((1008, "your address is blocked")),
            CloseCause::RateLimited => Some((1008, "too many bytes in too little time")),
            CloseCause::TooSlow | CloseCause::Gone => None,
        }
    }

    /// The label in metrics.
    pub const fn label(self) -> &'static str {
        match self {
            CloseCause::Shutdown => "shutdown",
            CloseCause::Idle => "idle",
            CloseCause::Lifetime => "lifetime",
            CloseCause::TooSlow => "too_slow",
            CloseCause::Gone => "gone",
            CloseCause::Protocol => "protocol",
            CloseCause::TooBig => "too_big",
            CloseCause::Blocked => "blocked",
            CloseCause::RateLimited => "rate_limited",
        }
    }
}

impl Session {
    pub(crate) fn new(
        id: SessionId,
        worker: Rc<Worker>,
        ip: IpAddr,
        host: &str,
        place: Place,
    ) -> Rc<Self> {
        let cap_bytes = worker.config().network.outbox_bytes.as_usize();
        let viewer = Viewer::new(number(&worker, id), ip);
        let session = Rc::new(Session {
            id,
            host: host.into(),
            challenge: rand::random(),
            viewer: RefCell::new(Arc::new(viewer)),
            outbox: RefCell::new(Outbox::new(cap_bytes, worker.spare.clone())),
            subs: RefCell::default(),
            next_serial: Cell::new(0),
            running_queries: Cell::new(0),
            reconciliations: RefCell::default(),
            admissions: RefCell::default(),
            staleness: Staleness::default(),
            closing: Cell::new(None),
            lifetime: Lifetime::begin(worker.relay.clock.monotonic()),
            unanswered: Cell::new(0),
            last_heard: Cell::new(Instant::now()),
            blocked_since: Cell::new(None),
            written: Cell::new(0),
            is_cut: Cell::new(false),
            pinged: Cell::new(false),
            cut: RefCell::default(),
            _place: place,
            worker,
        });
        session.worker.relay.metrics.connections.increment(1.0);
        tracing::debug!(session = session.number(), "a client connected");
        session.note(SessionNote::Connected);
        session
    }

    /// Takes one whole message. The future, if there is one, must be awaited before the next.
    pub fn on_text(self: &Rc<Self>, text: &[u8]) -> Option<Wait> {
        if flow::limits::end_where_spent(self) {
            return None;
        }
        let max_subid = self.worker.config().limitation.max_subid_length as usize;
        let message = ClientMessage::parse(text, max_subid);
        let verb = message.as_ref().map_or(INVALID, ClientMessage::verb);
        self.worker.relay.metrics.message(verb);
        let wait = match message {
            Ok(ClientMessage::Event(event)) => flow::event::publish(self, event),
            Ok(ClientMessage::Req(id, filters)) => flow::req::open(self, id, &filters),
            Ok(ClientMessage::Count(id, filters)) => flow::count::open(self, id, &filters),
            Ok(ClientMessage::Close(id)) => flow::close::close(self, &id),
            Ok(ClientMessage::Auth(event)) => flow::auth::authenticate(self, event),
            Ok(ClientMessage::NegOpen(id, filter, message)) => {
                flow::negentropy::open(self, id, filter, message)
            }
            Ok(ClientMessage::NegMsg(id, message)) => flow::negentropy::go_on(self, id, message),
            Ok(ClientMessage::NegClose(id)) => flow::negentropy::close(self, &id),
            Err(error) => {
                self.send(RelayMessage::Notice(&Reason::invalid(error.to_string())));
                None
            }
        };
        flow::limits::count_bytes(self, text.len(), wait)
    }

    /// What stands for the session in logs and to extensions: unlike [`Session::id`] no two workers share it.
    pub fn number(&self) -> u64 {
        number(&self.worker, self.id)
    }

    /// What the relay is called on this connection: its public URL where that is configured, else the `Host` that the
    /// client asked for where it is surely ours.
    pub fn relay_address<'a>(&'a self, config: &'a Config) -> Option<&'a str> {
        let host = Some(&*self.host).filter(|host| !host.is_empty());
        config.network.relay_url.as_deref().or(host)
    }

    /// Queues a message for the client.
    pub fn send(&self, message: RelayMessage<'_>) {
        let mut text = Vec::with_capacity(160);
        message.write(&mut text);
        self.outbox().push_text(&[&text]);
    }

    /// What waits to be sent.
    pub fn outbox(&self) -> RefMut<'_, Outbox> {
        self.outbox.borrow_mut()
    }

    /// Who the client is so far.
    pub fn viewer(&self) -> Arc<Viewer> {
        self.viewer.borrow().clone()
    }

    /// The same, lent: [`Session::add_pubkey`] panics meanwhile, so it is for a look from which nothing else is called but
    /// hooks that wait for nothing.
    pub fn borrow_viewer(&self) -> Ref<'_, Viewer> {
        Ref::map(self.viewer.borrow(), Arc::as_ref)
    }

    /// Adds a key that the client proved to hold.
    pub fn add_pubkey(&self, pubkey: PublicKey) {
        {
            let mut viewer = self.viewer.borrow_mut();
            *viewer = Arc::new(viewer.with_pubkey(pubkey));
        }
        tracing::debug!(session = self.number(), "a client authenticated");
        self.note(SessionNote::Authenticated);
    }

    fn note(&self, note: SessionNote) {
        self.worker.note(note, &self.viewer());
    }

    /// Remembers a subscription; its serial number tells it from a later one with the same id.
    pub fn add_sub(&self, id: SubId, key: u32, filter_bytes: usize) -> u64 {
        let serial = self.next_serial.get();
        self.next_serial.set(serial + 1);
        self.subs.borrow_mut().push(Sub {
            id,
            key,
            serial,
            filter_bytes,
        });
        serial
    }

    /// Forgets a subscription and says under which key the worker knows it.
    pub fn remove_sub(&self, id: &SubId) -> Option<u32> {
        let mut subs = self.subs.borrow_mut();
        let at = subs.iter().position(|sub| sub.id == *id)?;
        Some(subs.swap_remove(at).key)
    }

    /// Whether this very subscription is still open.
    pub fn has_sub(&self, id: &SubId, serial: u64) -> bool {
        self.closing.get().is_none()
            && self
                .subs
                .borrow()
                .iter()
                .any(|sub| sub.serial == serial && sub.id == *id)
    }

    /// What the open subscriptions other than `id` take.
    pub fn subs_besides(&self, id: &SubId) -> OpenSubs {
        let subs = self.subs.borrow();
        let others = subs.iter().filter(|sub| sub.id != *id);
        others.fold(OpenSubs::default(), |open, sub| OpenSubs {
            count: open.count + 1,
            filter_bytes: open.filter_bytes + sub.filter_bytes,
        })
    }

    /// Ids, keys and serial numbers of all subscriptions.
    pub fn sub_keys(&self) -> Vec<(SubId, u32, u64)> {
        let subs: Ref<'_, Vec<Sub>> = self.subs.borrow();
        let names = subs.iter().map(|sub| (sub.id.clone(), sub.key, sub.serial));
        names.collect()
    }

    pub(crate) fn take_subs(&self) -> Vec<(SubId, u32)> {
        let subs = self.subs.take();
        subs.into_iter().map(|sub| (sub.id, sub.key)).collect()
    }

    /// Ends the connection after what is queued was sent, where there is anybody to send it to.
    pub fn close(&self, cause: CloseCause) {
        if self.closing.get().is_some() {
            return;
        }
        if let Some((code, text)) = cause.code() {
            let mut payload = code.to_be_bytes().to_vec();
            payload.extend_from_slice(text.as_bytes());
            self.outbox().push_control(8, &payload);
        }
        self.closing.set(Some(cause));
        {
            let mut outbox = self.outbox();
            outbox.seal(); // RFC 6455: nothing follows a close frame
            outbox.wake_front();
            outbox.wake_room();
        }
        if cause == CloseCause::TooSlow {
            self.cut();
        }
    }

    /// Gives a way to end a connection whose front nobody asks for more bytes, and which therefore cannot end it
    /// itself. It is used once, when the client turns out to be too slow.
    pub fn cut_with(&self, cut: impl FnOnce() + 'static) {
        self.cut.replace(Some(Box::new(cut)));
    }

    fn cut(&self) {
        self.is_cut.set(true);
        self.outbox().wake_front();
        if let Some(cut) = self.cut.take() {
            cut();
        }
    }

    /// Whether further messages are taken from the client: neither while the relay stops nor once the connection has lived
    /// its time.
    pub fn is_reading(&self) -> bool {
        self.worker.is_reading() && !self.lifetime.is_over()
    }

    /// An EVENT has passed the relay's own checks: its OK follows.
    pub(crate) fn owe_answer(&self) {
        self.unanswered.set(self.unanswered.get() + 1);
    }

    /// That OK is sent.
    pub(crate) fn gave_answer(&self) {
        self.unanswered.set(self.unanswered.get().saturating_sub(1));
    }

    /// Why the connection is to end, if it is.
    pub fn closing(&self) -> Option<CloseCause> {
        if self.closing.get().is_none() && self.outbox.borrow().overflowed() {
            self.close(CloseCause::TooSlow);
        }
        self.closing.get()
    }

    /// The transport is gone: everything the session held is given back.
    pub fn end(self: &Rc<Self>) {
        let cause = self.closing.get().unwrap_or(CloseCause::Gone);
        self.closing.set(Some(cause));
        self.worker.forget(self);
        self.take_reconciliations(|_| true);
        self.outbox().wake_room();
        let (session, reason) = (self.number(), cause.label());
        tracing::debug!(session, reason, "a connection ended");
        self.note(SessionNote::Closed);
        self.worker.relay.metrics.connections.decrement(1.0);
        metrics::counter!("trellis_disconnections_total", "reason" => cause.label()).increment(1);
    }

    /// The front heard something, if only a pong.
    pub fn heard(&self) {
        self.last_heard.set(Instant::now());
        self.pinged.set(false);
    }

    /// The front wrote something although not all: a client that takes its share is slow, not stuck.
    pub fn wrote(&self, bytes: usize) {
        /// Less than this is a trickle that does not count.
        const STEP_BYTES: usize = 64 * 1024;
        let written = self.written.get() + bytes;
        if written < STEP_BYTES {
            self.written.set(written);
            return;
        }
        self.written.set(0);
        if self.blocked_since.get().is_some() {
            self.blocked_since.set(Some(Instant::now()));
            self.heard(); // pongs are not read while there is no room
        }
    }

    /// Whether the connection must end without its close frame, which the client does not take.
    pub fn is_cut(&self) -> bool {
        self.is_cut.get()
    }

    /// The front could (`false`) or could not (`true`) write what waits.
    pub fn set_blocked(&self, blocked: bool) {
        if blocked != self.blocked_since.get().is_some() {
            self.blocked_since.set(blocked.then(Instant::now));
        }
    }

    /// Once a second or more often: pings, and ends what is dead.
    pub(crate) fn tick(&self, network: &Network) {
        let now = Instant::now();
        let quiet = now.duration_since(self.last_heard.get());
        let blocked = self.blocked_since.get().map(|since| now - since);
        if blocked.is_some_and(|time| time >= network.write_timeout.duration()) {
            self.close(CloseCause::TooSlow);
            self.cut(); // should the close frame of another cause be what the client does not take
        } else if self.closing().is_some() {
            // The overflow of an outbox is noticed here where the front is stuck.
        } else if self.lifetime.ends(
            self.worker.relay.clock.monotonic(),
            network.connection_lifetime.duration(),
            self.unanswered.get() > 0,
        ) {
            self.close(CloseCause::Lifetime);
        } else if quiet >= network.idle_timeout.duration() {
            self.close(CloseCause::Idle);
        } else if quiet >= network.ping_interval.duration() && !self.pinged.get() {
            self.pinged.set(true);
            self.outbox().push_control(9, b"");
        }
    }
}

fn number(worker: &Worker, id: SessionId) -> u64 {
    ((worker.index as u64) << 48) | id
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}
