//! One registered hook with its author's types erased, and what the core keeps beside it.
//!
//! Invariant: an author's code is called through the methods of [`Hook`] alone: a panic, an error or an overrun ends there,
//! is counted and logged, and opens the hook's breaker when it repeats. Routes have none.

mod call;
mod run;

pub(super) use call::{AdmitLater, Answer, Call};
pub(super) use run::AbortOnDrop;

use super::answer::Checked;
use super::breaker::Breaker;
use super::host::Host;
use super::loops::Depths;
use super::panics;
pub(super) use super::panics::Panicked;
use super::watchdog;
use crate::clock::Clock;
use crate::kinds::Kinds;
use metrics::{Counter, Histogram};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

/// When hooks of one event run: phases in this order, then by the extension's `priority`, then by its name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Before everything: bans, maintenance.
    Guard,
    /// Who is it, and may they come in.
    Auth,
    /// Is the event what its kind demands.
    Validate,
    /// Is it too much.
    Limit,
    /// What the operator wants: the default.
    #[default]
    Policy,
}

impl Phase {
    /// In lower case, as `trellis config explain` prints it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Phase::Guard => "guard",
            Phase::Auth => "auth",
            Phase::Validate => "validate",
            Phase::Limit => "limit",
            Phase::Policy => "policy",
        }
    }
}

/// What happens to the event, the request or the connection when a hook fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnFault {
    /// It is refused with `error:`.
    #[default]
    Closed,
    /// It passes as if the hook were not there.
    Open,
}

/// Where a `stored` hook begins when it has no cursor yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartAt {
    /// With the first event that comes.
    Now,
    /// With the oldest event of the store.
    Beginning,
}

/// How a `stored` hook follows what is committed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Following {
    pub(super) start_at: StartAt,
    /// How long changes may wait for others; zero for a hook in a hurry.
    pub(super) gather: Duration,
}

/// What `register` leaves behind; it becomes a [`Hook`] when its extension runs.
pub(super) struct Registration {
    pub(super) phase: Phase,
    pub(super) label: Option<Arc<str>>,
    /// A fault refuses, whatever the extension's `on_fault` says.
    pub(super) never_open: bool,
    pub(super) kinds: Kinds,
    pub(super) call: Call,
}

/// The extension that hooks belong to.
pub(super) struct Owner {
    pub(super) name: &'static str,
    /// For what the core does in its name.
    pub(super) host: Host,
    pub(super) on_fault: OnFault,
    pub(super) priority: i64,
    /// From config, over what the author registered.
    pub(super) timeout: Option<Duration>,
    /// The extension's own threads.
    pub(super) runtime: Handle,
    /// One for each async hook that may run at a time.
    pub(super) permits: Arc<Semaphore>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) depths: Arc<Depths>,
    /// By what was at fault.
    pub(super) faults: Mutex<BTreeMap<&'static str, u64>>,
}

impl Owner {
    /// For async hooks whose author named no timeout.
    pub(super) fn patience(&self) -> Duration {
        self.timeout.unwrap_or(Duration::from_secs(10))
    }

    /// Counts a fault that has no breaker: of what the core calls beside the hooks.
    pub(super) fn count_fault(&self, what: &'static str) {
        let mut faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        *faults.entry(what).or_default() += 1;
        drop(faults);
        count_fault(self.name, what);
    }

    /// So far, by what was at fault.
    pub(super) fn faults(&self) -> BTreeMap<&'static str, u64> {
        let faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        faults.clone()
    }
}

/// Counts a fault where operators look; `what` is the hook, or what else was called.
pub(super) fn count_fault(extension: &'static str, what: &'static str) {
    metrics::counter!("trellis_extension_faults_total", "extension" => extension, "hook" => what)
        .increment(1);
}

/// Why a hook gave no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    #[error("it panicked")]
    Panicked,
    #[error("it failed: {0}")]
    Failed(String),
    #[error("it gave no answer within {} ms", .0.as_millis())]
    TimedOut(Duration),
    #[error("it held its thread for {} ms", .0.as_millis())]
    Overran(Duration),
    #[error("its breaker is open")]
    Skipped,
    #[error("its extension was stopped")]
    CutOff,
    /// No fault of the hook's: refused, whatever `on_fault` says.
    #[error("too many calls of its extension were under way")]
    Busy,
}

pub(super) struct Hook {
    pub(super) owner: Arc<Owner>,
    pub(super) phase: Phase,
    /// Tells it from others of its extension, for people.
    pub(super) label: Option<Arc<str>>,
    never_open: bool,
    pub(super) kinds: Kinds,
    pub(super) call: Call,
    pub(super) breaker: Breaker,
    /// A `stored` hook has failed and goes no further before it has succeeded with the same page.
    pub(super) is_stuck: AtomicBool,
    /// Under which the watchdog knows it.
    number: u32,
    calls: Counter,
    seconds: Histogram,
    /// Calls until the next one that is timed.
    untimed: AtomicU32,
}

/// Of synchronous calls, which take nanoseconds, one in so many is timed.
const TIMED_EVERY: u32 = 16;

impl Hook {
    pub(super) fn new(
        owner: Arc<Owner>,
        registration: Registration,
        breaker: Breaker,
    ) -> Arc<Self> {
        let (extension, name) = (owner.name, registration.call.name());
        let labels = [("extension", extension), ("hook", name)];
        let hook = Arc::new(Hook {
            calls: metrics::counter!("trellis_extension_hook_calls_total", &labels),
            seconds: metrics::histogram!("trellis_extension_hook_seconds", &labels),
            untimed: AtomicU32::new(0),
            owner,
            phase: registration.phase,
            label: registration.label,
            never_open: registration.never_open,
            kinds: registration.kinds,
            call: registration.call,
            breaker,
            is_stuck: AtomicBool::new(false),
            number: watchdog::next_number(),
        });
        watchdog::watch(hook.number, Arc::downgrade(&hook));
        hook
    }

    /// Calls an author's synchronous code.
    #[inline]
    pub(super) fn guard<R: Checked>(&self, call: impl FnOnce() -> Answer<R>) -> Result<R, Fault> {
        if self.is_skipped() {
            return Err(Fault::Skipped);
        }
        match self.contain(call) {
            Ok(answer) => self.take(answer),
            Err(Panicked) => Err(self.fault(Fault::Panicked)),
        }
    }

    /// What an author's code returned, made fit to leave the relay.
    #[inline]
    fn take<R: Checked>(&self, answer: Answer<R>) -> Result<R, Fault> {
        match answer.and_then(R::checked) {
            Ok(answer) => {
                self.good();
                Ok(answer)
            }
            Err(error) => Err(self.fault(Fault::Failed(error.0))),
        }
    }

    /// Runs an author's code on a worker's thread, and stops a panic; counts the call, and no fault.
    #[inline]
    pub(super) fn contain<R>(&self, call: impl FnOnce() -> R) -> Result<R, Panicked> {
        self.calls.increment(1);
        // Not counted in one step: which call is timed may be left to chance, and that step would make threads wait.
        let untimed = self.untimed.load(Relaxed);
        self.untimed.store(untimed.wrapping_add(1), Relaxed);
        let is_timed = untimed.is_multiple_of(TIMED_EVERY);
        let started = is_timed.then(Instant::now);
        let outcome = self.contain_uncounted(call);
        if let Some(started) = started {
            self.seconds.record(started.elapsed().as_secs_f64());
        }
        outcome
    }

    /// The same under the watchdog's eyes alone.
    #[inline]
    fn contain_uncounted<R>(&self, call: impl FnOnce() -> R) -> Result<R, Panicked> {
        let before = watchdog::enter(self.number);
        let outcome = panics::contain(call);
        watchdog::leave(before);
        outcome
    }

    /// Asks an author's predicate whether the hook has to be called. Whatever keeps it from answering means yes: what
    /// becomes of the event is then the hook's own matter. A good answer does not speak for the hook, so its breaker
    /// hears of faults alone.
    #[inline]
    pub(super) fn is_needed(&self, needs: impl FnOnce() -> bool) -> bool {
        if self.is_skipped() {
            return true;
        }
        match self.contain_uncounted(needs) {
            Ok(is_needed) => is_needed,
            Err(Panicked) => {
                self.fault(Fault::Panicked);
                true
            }
        }
    }

    /// Asks a test that the hook has put on a filter. Whatever keeps it from answering means no; as above, the breaker
    /// hears of faults alone.
    pub(super) fn passes(&self, test: impl FnOnce() -> bool) -> bool {
        if self.is_skipped() {
            return false;
        }
        match self.contain_uncounted(test) {
            Ok(passes) => passes,
            Err(Panicked) => {
                self.fault(Fault::Panicked);
                false
            }
        }
    }

    #[inline]
    fn good(&self) {
        if self.breaker.is_troubled() {
            self.breaker.good(self.owner.clock.monotonic());
        }
    }

    /// Nobody's fault, or a flood would open the door of those who fail open, and shut that of the others.
    #[cold]
    fn busy(&self) -> Fault {
        let labels = [("extension", self.owner.name), ("hook", self.call.name())];
        metrics::counter!("trellis_extension_busy_total", &labels).increment(1);
        Fault::Busy
    }

    /// Counts and logs a fault.
    #[cold]
    pub(super) fn fault(&self, fault: Fault) -> Fault {
        let (extension, hook) = (self.owner.name, self.call.name());
        let label = self.label.as_deref();
        self.owner.count_fault(hook);
        let now = self.owner.clock.monotonic();
        let opened = match (&self.call, &fault) {
            // A mount has many routes and no breaker: one that fails leaves the others in force.
            (Call::Http(_), _) => None,
            (_, Fault::Overran(_)) => self.breaker.trip(now),
            _ => self.breaker.bad(now),
        };
        match opened {
            None => tracing::warn!(extension, hook, label, "a hook is at fault: {fault}"),
            Some(wait) => tracing::error!(
                extension,
                hook,
                label,
                skipped_ms = wait.as_millis() as u64,
                "a hook is at fault: {fault}; it is skipped for a while"
            ),
        }
        fault
    }

    /// Whether the breaker is open.
    #[inline]
    pub(super) fn is_skipped(&self) -> bool {
        self.breaker.is_troubled() && self.breaker.is_open(self.owner.clock.monotonic())
    }

    /// Whether a fault of this hook lets things pass.
    pub(super) fn fails_open(&self) -> bool {
        self.owner.on_fault == OnFault::Open && !self.never_open
    }
}

impl Drop for Hook {
    fn drop(&mut self) {
        watchdog::forget(self.number);
        // What an author's closure holds may panic when it goes, and whoever is here is not to blame.
        let call = std::mem::replace(&mut self.call, Call::inert());
        if panics::contain_as(self.owner.name, || drop(call)).is_err() {
            self.owner.count_fault("drop");
        }
    }
}
