//! Counts the calls of hooks of one relay, apart from all others in the process, and the faults of `reload` and `shutdown`,
//! which the instance that they belong to cannot tell any more.
//!
//! Hooks take their counters when they are built, from the recorder of the thread that builds them; so a recorder of that
//! thread's own sees the hooks of its relay alone.

use metrics::{
    Counter, Gauge, Histogram, Key, KeyName, LocalRecorderGuard, Metadata, Recorder, SharedString,
    Unit, set_default_local_recorder,
};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

const CALLS: &str = "trellis_extension_hook_calls_total";
const FAULTS: &str = "trellis_extension_faults_total";

/// Calls, and faults on the relay's own thread.
#[derive(Debug, Default)]
pub(super) struct Calls {
    calls: Counts,
    faults: Counts,
}

/// By extension and hook.
type Counts = Mutex<BTreeMap<(String, String), Arc<AtomicU64>>>;

impl Calls {
    /// One that lives as long as the process, as a thread may outlive a test.
    pub(super) fn leaked() -> &'static Self {
        Box::leak(Box::default())
    }

    /// From here on, hooks that this thread builds are counted.
    pub(super) fn on_this_thread(&'static self) -> LocalRecorderGuard<'static> {
        set_default_local_recorder(self)
    }

    /// Calls of an extension's hooks so far, by hook.
    pub(super) fn of(&self, extension: &str) -> BTreeMap<String, u64> {
        of(&self.calls, extension)
    }

    /// Faults of `reload`, `shutdown` and what else the relay's own thread asks, so far.
    pub(super) fn faults_of(&self, extension: &str, what: &str) -> u64 {
        let faults = of(&self.faults, extension);
        faults.get(what).copied().unwrap_or_default()
    }
}

fn of(counts: &Counts, extension: &str) -> BTreeMap<String, u64> {
    let counts = counts.lock().unwrap_or_else(PoisonError::into_inner);
    let own = counts.iter().filter(|((owner, _), _)| owner == extension);
    own.map(|((_, hook), count)| (hook.clone(), count.load(Relaxed)))
        .collect()
}

impl Recorder for Calls {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        let counts = match key.name() {
            CALLS => &self.calls,
            FAULTS => &self.faults,
            _ => return Counter::noop(),
        };
        let label = |name| {
            let mut labels = key.labels();
            let found = labels.find(|label| label.key() == name);
            found.map_or_else(String::new, |label| label.value().to_owned())
        };
        let mut counts = counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry((label("extension"), label("hook")));
        Counter::from_arc(count.or_default().clone())
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}
