//! Notices synchronous hooks that hold their thread: they cannot be interrupted, but they are named and skipped.
//!
//! The hot path writes one relaxed atomic on entering a hook and one on leaving; a single thread looks at them now and
//! then. Real time is meant here, so this does not ask the injected clock.

use super::hook::{Fault, Hook};
use super::instances;
use std::cell::Cell;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, Once, PoisonError, Weak};
use std::time::{Duration, Instant};

/// A synchronous hook that is seen in the same call by so many looks in a row is at fault: about 100 ms. Looks are counted
/// rather than time, because a process that gets no processor for a while freezes the watchdog as well.
const OVERRUN_LOOKS: u32 = 6;
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What a thread is doing: the hook's number above, the low half of a count of calls below; 0 outside hooks.
type Doing = AtomicU64;

thread_local! {
    static DOING: Arc<Doing> = {
        let doing = Arc::new(Doing::default());
        lock(&WATCHED).threads.push(Arc::downgrade(&doing));
        doing
    };
    static CALLS: Cell<u32> = const { Cell::new(0) };
    /// Set on the threads of an extension's own runtime.
    static HOME: Cell<Option<&'static str>> = const { Cell::new(None) };
}

static NUMBERS: AtomicU32 = AtomicU32::new(1);
static WATCHED: LazyLock<Mutex<Watched>> = LazyLock::new(Mutex::default);

#[derive(Default)]
struct Watched {
    threads: Vec<Weak<Doing>>,
    hooks: HashMap<u32, Weak<Hook>>,
}

/// Marks this thread as inside a hook; what it returns goes to [`leave`].
#[inline]
pub(super) fn enter(number: u32) -> u64 {
    let call = CALLS.get().wrapping_add(1);
    CALLS.set(call);
    DOING
        .try_with(|doing| {
            let before = doing.load(Relaxed);
            doing.store(u64::from(number) << 32 | u64::from(call), Relaxed);
            before
        })
        .unwrap_or_default()
}

/// Restores what the thread was doing before [`enter`].
#[inline]
pub(super) fn leave(before: u64) {
    let _ = DOING.try_with(|doing| doing.store(before, Relaxed));
}

/// Runs something that the current hook is not to blame for.
pub(super) fn aside<R>(run: impl FnOnce() -> R) -> R {
    let number = DOING.try_with(|doing| (doing.swap(0, Relaxed) >> 32) as u32);
    let result = run();
    if let Ok(number @ 1..) = number {
        enter(number);
    }
    result
}

/// A number for a new hook; never 0.
pub(super) fn next_number() -> u32 {
    NUMBERS.fetch_add(1, Relaxed)
}

pub(super) fn watch(number: u32, hook: Weak<Hook>) {
    lock(&WATCHED).hooks.insert(number, hook);
}

pub(super) fn forget(number: u32) {
    lock(&WATCHED).hooks.remove(&number);
}

/// Runs an extension's code on a thread that is nobody's.
pub(super) fn as_home<R>(extension: &'static str, run: impl FnOnce() -> R) -> R {
    /// Gives the thread back, after a panic as well.
    struct Back(Option<&'static str>);
    impl Drop for Back {
        fn drop(&mut self) {
            HOME.set(self.0);
        }
    }
    let _back = Back(HOME.replace(Some(extension)));
    run()
}

/// Says that this thread belongs to an extension, for good.
pub(super) fn at_home(extension: &'static str) {
    HOME.set(Some(extension));
}

/// The extension whose code this thread runs, as far as anyone can tell.
pub(super) fn current_extension() -> Option<&'static str> {
    let number = DOING
        .try_with(|doing| (doing.load(Relaxed) >> 32) as u32)
        .unwrap_or_default();
    let hook = lock(&WATCHED).hooks.get(&number).and_then(Weak::upgrade);
    hook.map(|hook| hook.owner.name).or(HOME.get())
}

/// Starts the thread, once in the process.
pub(super) fn start() {
    static STARTED: Once = Once::new();
    STARTED.call_once(|| {
        let thread = std::thread::Builder::new().name("trellis-watchdog".into());
        if let Err(error) = thread.spawn(look_around) {
            tracing::error!(%error, "no watchdog: hooks that overrun will not be noticed");
        }
    });
}

/// A call that a look has found.
struct Seen {
    doing: u64,
    since: Instant,
    looks: u32,
}

fn look_around() {
    let mut seen: HashMap<usize, Seen> = HashMap::new();
    loop {
        std::thread::sleep(LOOK_EVERY);
        instances::drop_unused();
        let mut overrun = Vec::new();
        let mut watched = lock(&WATCHED);
        watched.threads.retain(|thread| thread.strong_count() > 0);
        seen.retain(|_, call| call.doing != 0);
        for thread in &watched.threads {
            let doing = thread.upgrade().map_or(0, |doing| doing.load(Relaxed));
            let new = || Seen {
                doing,
                since: Instant::now(),
                looks: 0,
            };
            let call = seen.entry(thread.as_ptr().addr()).or_insert_with(new);
            if call.doing != doing {
                *call = new();
            }
            call.looks += 1;
            if doing != 0 && call.looks == OVERRUN_LOOKS {
                let hook = watched.hooks.get(&((doing >> 32) as u32));
                overrun.extend(hook.and_then(Weak::upgrade).map(|hook| (hook, call.since)));
            }
        }
        drop(watched);
        for (hook, since) in overrun {
            hook.fault(Fault::Overran(since.elapsed()));
        }
    }
}

fn lock(watched: &Mutex<Watched>) -> MutexGuard<'_, Watched> {
    watched.lock().unwrap_or_else(PoisonError::into_inner)
}
