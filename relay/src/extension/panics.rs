//! Where the panics of extensions end: what they said is never logged, and what they threw harms nobody.
//!
//! Invariant: a payload is dropped by [`discard`] alone, since its own `Drop` is an author's code as well.

use super::watchdog;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;
use tokio::task::JoinError;

/// An author's code panicked; the panic hook has logged where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Panicked;

/// Why a task has no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    Panicked,
    /// Its extension was stopped under it.
    CutOff,
}

/// Runs an author's code and stops its panic.
#[inline]
pub(super) fn contain<R>(run: impl FnOnce() -> R) -> Result<R, Panicked> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|payload| {
        discard(payload);
        Panicked
    })
}

/// As [`contain`], on a thread that is nobody's: a panic in it is logged as this extension's.
pub(super) fn contain_as<R>(
    extension: &'static str,
    run: impl FnOnce() -> R,
) -> Result<R, Panicked> {
    contain(|| watchdog::as_home(extension, run))
}

/// The result of a task, or why there is none.
pub(super) fn joined<R>(ended: Result<R, JoinError>) -> Result<R, Ended> {
    ended.map_err(|error| match error.try_into_panic() {
        Ok(payload) => {
            discard(payload);
            Ended::Panicked
        }
        Err(_) => Ended::CutOff,
    })
}

/// Drops what a panic threw. What its `Drop` throws in turn is leaked, or this might never end.
#[cold]
fn discard(payload: Box<dyn Any + Send>) {
    if let Err(thrown) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(thrown);
    }
}

/// Goes before the process's panic hook, once: says where an extension panicked, and never what it said, since that may
/// hold anything. Panics of anyone else are left to the hook that was there.
pub(super) fn install() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let Some(extension) = watchdog::current_extension() else {
                return before(panic);
            };
            let place = panic.location().map(ToString::to_string);
            tracing::error!(extension, place, "an extension panicked");
        }));
    });
}
