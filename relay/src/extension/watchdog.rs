//! Notices synchronous hooks that hold their thread: they cannot be interrupted, but they are named and skipped.
//!
//! The hot path writes one relaxed atomic on entering a hook and one on leaving; a single thread looks at them now and
//! then. Real time is meant here, so this does not ask the injected clock. A hook whose thread waits for a processor holds
//! nothing, for two seconds at most: on a machine with too much to do, that is others' fault.

mod thread_time;

use super::hook::{Fault, Hook};
use super::instances;
use std::cell::Cell;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, Once, PoisonError, Weak};
use std::time::{Duration, Instant};
use thread_time::{Glimpse, ThreadFile};

/// A synchronous hook is at fault that has held its thread for so long in one call.
const OVERRUN: Duration = Duration::from_millis(100);
/// What a look finds waiting has waited for so long. Looks are counted rather than time, because a process that gets no
/// processor for a while freezes the watchdog as well.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// After so many looks at the same call it is at fault, whatever is known of its thread: some systems tell of no processor time
/// at all, and what computes there is found by this alone.
const LOOKS_MAX: u32 = 100;

/// A thread that hooks run on.
struct Watch {
    /// The hook's number above, the low half of a count of calls below; 0 outside hooks.
    doing: AtomicU64,
    thread: ThreadFile,
}

thread_local! {
    static WATCH: Arc<Watch> = {
        let watch = Arc::new(Watch {
            doing: AtomicU64::default(),
            thread: ThreadFile::of_this_thread(),
        });
        lock(&WATCHED).threads.push(Arc::downgrade(&watch));
        watch
    };
    static CALLS: Cell<u32> = const { Cell::new(0) };
    /// Set on the threads of an extension's own runtime.
    static HOME: Cell<Option<&'static str>> = const { Cell::new(None) };
}

static NUMBERS: AtomicU32 = AtomicU32::new(1);
static WATCHED: LazyLock<Mutex<Watched>> = LazyLock::new(Mutex::default);

#[derive(Default)]
struct Watched {
    threads: Vec<Weak<Watch>>,
    hooks: HashMap<u32, Weak<Hook>>,
}

/// Marks this thread as inside a hook; what it returns goes to [`leave`].
#[inline]
pub(super) fn enter(number: u32) -> u64 {
    let call = CALLS.get().wrapping_add(1);
    CALLS.set(call);
    WATCH
        .try_with(|watch| {
            let before = watch.doing.load(Relaxed);
            let now = u64::from(number) << 32 | u64::from(call);
            watch.doing.store(now, Relaxed);
            before
        })
        .unwrap_or_default()
}

/// Restores what the thread was doing before [`enter`].
#[inline]
pub(super) fn leave(before: u64) {
    let _ = WATCH.try_with(|watch| watch.doing.store(before, Relaxed));
}

/// Runs something that the current hook is not to blame for.
pub(super) fn aside<R>(run: impl FnOnce() -> R) -> R {
    let number = WATCH.try_with(|watch| (watch.doing.swap(0, Relaxed) >> 32) as u32);
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
    let number = WATCH
        .try_with(|watch| (watch.doing.load(Relaxed) >> 32) as u32)
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

/// A call that looks have found.
struct Seen {
    doing: u64,
    since: Instant,
    looks: u32,
    last: Option<Glimpse>,
    held: Duration,
}

impl Seen {
    fn new(doing: u64) -> Self {
        Seen {
            doing,
            since: Instant::now(),
            looks: 0,
            last: None,
            held: Duration::ZERO,
        }
    }

    /// Notes that the call goes on. Whether it is at fault now, which is said once.
    fn goes_on(&mut self, glimpse: Option<Glimpse>) -> bool {
        let was_over = self.is_over();
        if self.looks > 0 {
            let had = self.last.zip(glimpse);
            let had = had.map(|(last, now)| now.had.saturating_sub(last.had));
            self.held += match (had, glimpse) {
                (Some(had), Some(now)) if now.is_runnable => had,
                (Some(had), _) => had.max(LOOK_EVERY),
                (None, _) => LOOK_EVERY,
            };
        }
        self.last = glimpse;
        self.looks += 1;
        self.is_over() && !was_over
    }

    fn is_over(&self) -> bool {
        self.held >= OVERRUN || self.looks >= LOOKS_MAX
    }

    /// For how long it has held its thread, as far as is known.
    fn held(&self) -> Duration {
        match self.held >= OVERRUN {
            true => self.held,
            false => self.since.elapsed(),
        }
    }
}

fn look_around() {
    let mut seen: HashMap<usize, Seen> = HashMap::new();
    loop {
        std::thread::sleep(LOOK_EVERY);
        instances::drop_unused();
        let mut going_on = HashMap::new();
        for (watch, doing) in inside_hooks() {
            let thread = Arc::as_ptr(&watch).addr();
            let call = seen.remove(&thread).filter(|call| call.doing == doing);
            let mut call = call.unwrap_or_else(|| Seen::new(doing));
            let glimpse = watch.thread.look();
            // What a thread has had since the call ended is not the call's.
            if watch.doing.load(Relaxed) != doing {
                continue;
            }
            if call.goes_on(glimpse) {
                let hook = lock(&WATCHED).hooks.get(&((doing >> 32) as u32)).cloned();
                if let Some(hook) = hook.and_then(|hook| hook.upgrade()) {
                    hook.fault(Fault::Overran(call.held()));
                }
            }
            going_on.insert(thread, call);
        }
        seen = going_on;
    }
}

/// The threads that are inside a hook, and what they do there.
fn inside_hooks() -> Vec<(Arc<Watch>, u64)> {
    let mut watched = lock(&WATCHED);
    watched.threads.retain(|thread| thread.strong_count() > 0);
    let threads = watched.threads.iter().filter_map(Weak::upgrade);
    let doing = threads.map(|watch| {
        let doing = watch.doing.load(Relaxed);
        (watch, doing)
    });
    doing.filter(|(_, doing)| *doing != 0).collect()
}

fn lock(watched: &Mutex<Watched>) -> MutexGuard<'_, Watched> {
    watched.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// At which look a call is at fault whose thread is found like this, having had so many milliseconds.
    fn fault_at(found: impl Fn(u32) -> Option<Glimpse>) -> Vec<u32> {
        let mut call = Seen::new(7);
        (1..=200)
            .filter(|look| call.goes_on(found(*look)))
            .collect()
    }

    fn runnable(had_ms: u32) -> Option<Glimpse> {
        Some(Glimpse {
            is_runnable: true,
            had: Duration::from_millis(u64::from(had_ms)),
        })
    }

    #[test]
    fn e6_what_waits_for_a_processor_holds_no_thread() {
        assert_eq!(fault_at(|look| runnable(20 * look)), [6], "it computes");
        let shared = fault_at(|look| runnable(5 * look));
        assert_eq!(shared, [21], "with others that compute");
        assert_eq!(fault_at(|_| runnable(3)), [LOOKS_MAX], "it gets nothing");
        let asleep = |_| {
            runnable(3).map(|it| Glimpse {
                is_runnable: false,
                ..it
            })
        };
        assert_eq!(fault_at(asleep), [6], "it sleeps");
        assert_eq!(fault_at(|_| None), [6], "nobody knows");
    }
}
