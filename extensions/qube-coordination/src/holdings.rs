//! All directives and reports in memory, and what follows from them.
//!
//! Invariant: a copy of what is stored, filled before any hook is in force and kept by the commits. What it shows is a
//! function of it, the configuration and the time. How large it can become is the ledger's to bound.

mod following;
mod loading;

pub(crate) use following::{register, resolved_key};

use std::collections::HashSet;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicU32, AtomicU64};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use tokio::sync::watch;
use trellis_qube_protocol::{
    Ack, EventId, FleetState, IdentityRefusal, Ledger, Network, Signal, VoteScope,
};
use trellis_relay::clock::Clock;

/// So many are taken in before somebody else may look.
const AT_A_TIME: usize = 8;
/// So often a writer lets others go first, each time for as long as the system thinks right, before it takes its own turn.
const COURTESY_MAX: u32 = 1_000;

/// What the relay holds of the fleet.
pub(crate) struct Holdings {
    clock: Arc<dyn Clock>,
    networks: Vec<Network>,
    scope: VoteScope,
    ledger: RwLock<Ledger>,
    /// Who writes, and who computes a state, take turns: a writer that waited for a long reader would have every admission wait
    /// behind it, on threads that serve clients.
    turn: Mutex<()>,
    /// Who wants to look right now: the lock itself would let a writer with many things to take in be the next again and again.
    waiting: AtomicU32,
    shown: Mutex<Arc<FleetState>>,
    revision: watch::Sender<u64>,
    /// How far the log was read: what is stored and replaced at once is found there alone.
    log_seq: AtomicU64,
    /// How far the log of what was adopted was read: another instance may have written there.
    adopted_seq: AtomicU64,
    /// Directives that the operator has removed, whatever log they are in.
    removed: Mutex<HashSet<EventId>>,
    /// When everything was read from nothing. Unix seconds.
    read_anew_at_s: AtomicU64,
}

impl Holdings {
    /// Nothing yet.
    pub(crate) fn new(networks: Vec<Network>, scope: VoteScope, clock: Arc<dyn Clock>) -> Self {
        let ledger = Ledger::new(networks.clone(), scope);
        let shown = Mutex::new(Arc::new(ledger.state(clock.now_s())));
        Holdings {
            read_anew_at_s: AtomicU64::new(clock.now_s()),
            clock,
            networks,
            scope,
            ledger: RwLock::new(ledger),
            turn: Mutex::new(()),
            waiting: AtomicU32::new(0),
            shown,
            revision: watch::Sender::new(0),
            log_seq: AtomicU64::new(0),
            adopted_seq: AtomicU64::new(0),
            removed: Mutex::default(),
        }
    }

    /// The fleet as it is now. Made anew by who changes something, and here only once time alone has.
    pub(crate) fn state(&self) -> Arc<FleetState> {
        let now_s = self.clock.now_s();
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        if shown.next_change_at.is_some_and(|at_s| at_s <= now_s) {
            *shown = self.compute(now_s);
        }
        shown.clone()
    }

    /// Tells of changes; the number is the revision, which grows with each. What time alone changes is told within a second.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.revision.subscribe()
    }

    /// The ledger itself, for what the state does not show. Not to be held across an await.
    pub(crate) fn ledger(&self) -> RwLockReadGuard<'_, Ledger> {
        self.waiting.fetch_add(1, Relaxed);
        let ledger = self.ledger.read().unwrap_or_else(PoisonError::into_inner);
        self.waiting.fetch_sub(1, Relaxed);
        ledger
    }

    /// Whether a report's key may speak for its node, by what is known now.
    pub(crate) fn may_report(&self, ack: &Ack) -> Result<(), IdentityRefusal> {
        self.ledger().may_report(ack)
    }

    /// The directive that a report belongs to, by what is known now.
    pub(crate) fn resolve(&self, ack: &Ack) -> Option<EventId> {
        self.ledger().resolve(ack)
    }

    /// Whether a directive is known already.
    pub(crate) fn knows(&self, id: &EventId) -> bool {
        self.ledger().signal(id).is_some()
    }

    /// Whether the operator has removed a directive.
    pub(crate) fn is_removed(&self, id: &EventId) -> bool {
        self.removed().contains(id)
    }

    fn set_removed(&self, id: EventId, is_removed: bool) {
        match is_removed {
            true => self.removed().insert(id),
            false => self.removed().remove(&id),
        };
    }

    fn removed(&self) -> MutexGuard<'_, HashSet<EventId>> {
        self.removed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in what is known of the fleet besides; whether any of it is new.
    pub(crate) fn learn(&self, mut signals: Vec<Signal>, acks: Vec<Ack>) -> bool {
        let mut is_new = false;
        signals.retain(|signal| !self.is_removed(&signal.id));
        // Directives first: a report may belong to one of them.
        let mut signals = signals.into_iter().peekable();
        while signals.peek().is_some() {
            let _turn = self.turn();
            let mut ledger = self.write();
            for signal in signals.by_ref().take(AT_A_TIME) {
                is_new |= ledger.insert_signal(signal);
            }
        }
        let mut acks = acks.into_iter().peekable();
        while acks.peek().is_some() {
            let _turn = self.turn();
            let mut ledger = self.write();
            for ack in acks.by_ref().take(AT_A_TIME) {
                is_new |= ledger.insert_ack(ack);
            }
        }
        if is_new {
            self.show_anew();
        }
        is_new
    }

    /// Takes another ledger's place, which was read anew.
    fn replace(&self, ledger: Ledger) {
        let turn = self.turn();
        *self.write() = ledger;
        drop(turn);
        self.read_anew_at_s.store(self.clock.now_s(), Relaxed);
        self.show_anew();
    }

    /// When everything was read from nothing last: what was hidden then is missing until it is read again. Unix seconds.
    pub(crate) fn read_anew_at_s(&self) -> u64 {
        self.read_anew_at_s.load(Relaxed)
    }

    fn show_anew(&self) {
        let state = self.compute(self.clock.now_s());
        *self.shown.lock().unwrap_or_else(PoisonError::into_inner) = state;
        self.revision.send_modify(|revision| *revision += 1);
    }

    /// The fleet as what is known now has it for another moment. Unix seconds.
    pub(crate) fn state_at(&self, at_s: u64) -> Arc<FleetState> {
        self.compute(at_s)
    }

    fn compute(&self, now_s: u64) -> Arc<FleetState> {
        let _turn = self.turn();
        Arc::new(self.ledger().state(now_s))
    }

    fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Ledger> {
        for _ in 0..COURTESY_MAX {
            if self.waiting.load(Relaxed) == 0 {
                break;
            }
            std::thread::yield_now();
        }
        self.ledger.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells of what time alone has changed, and whether it has; to be called every second or so.
    pub(crate) fn look_at_time(&self) -> bool {
        let is_due = {
            let shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
            let due_s = shown.next_change_at;
            due_s.is_some_and(|at_s| at_s <= self.clock.now_s())
        };
        if is_due {
            self.show_anew();
        }
        is_due
    }
}
