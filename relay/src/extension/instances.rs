//! Instances of extensions, each until nobody uses it any more.
//!
//! Workers let go of an old table of hooks whenever they come across a new one, and the last to do so would run the
//! author's `Drop`, which may panic or hang. So one reference to every instance is kept here, and the last one is dropped
//! on a thread of its own.

use super::compiled::Instance;
use super::{hook, panics, watchdog};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

static KEPT: Mutex<Vec<Kept>> = Mutex::new(Vec::new());

struct Kept {
    extension: &'static str,
    instance: Arc<dyn Instance>,
}

/// Keeps a new instance for as long as it is used.
pub(super) fn keep(extension: &'static str, instance: &Arc<dyn Instance>) {
    let instance = instance.clone();
    lock().push(Kept {
        extension,
        instance,
    });
}

/// Drops the instances that nobody uses any more; asked now and then.
pub(super) fn drop_unused() {
    let unused: Vec<_> = lock()
        .extract_if(.., |kept| {
            Arc::strong_count(&kept.instance) == 1 && !kept.instance.is_used()
        })
        .collect();
    for Kept {
        extension,
        instance,
    } in unused
    {
        let dropping = move || {
            watchdog::at_home(extension);
            if panics::contain(|| drop(instance)).is_err() {
                hook::count_fault(extension, "drop");
            }
        };
        let thread = std::thread::Builder::new().name(extension.into());
        // Without a thread it was dropped here, by `spawn`.
        if let Ok(Err(error)) = panics::contain_as(extension, || thread.spawn(dropping)) {
            tracing::error!(extension, %error, "no thread for the end of an instance");
        }
    }
}

fn lock() -> MutexGuard<'static, Vec<Kept>> {
    KEPT.lock().unwrap_or_else(PoisonError::into_inner)
}
