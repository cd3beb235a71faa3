//! Counts the calls of hooks of one relay, apart from all others in the process.
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

/// Calls by extension and hook.
#[derive(Debug, Default)]
pub(super) struct Calls(Mutex<BTreeMap<(String, String), Arc<AtomicU64>>>);

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
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let own = counts.iter().filter(|((owner, _), _)| owner == extension);
        own.map(|((_, hook), count)| (hook.clone(), count.load(Relaxed)))
            .collect()
    }
}

impl Recorder for Calls {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        if key.name() != CALLS {
            return Counter::noop();
        }
        let label = |name| {
            let mut labels = key.labels();
            let found = labels.find(|label| label.key() == name);
            found.map_or_else(String::new, |label| label.value().to_owned())
        };
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
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
