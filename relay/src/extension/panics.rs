//! Says where a panic was and whose, and never what it said: the message may hold anything.

use super::watchdog;
use std::sync::Once;

/// Replaces the process's panic hook, once.
pub(super) fn install() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        std::panic::set_hook(Box::new(|panic| {
            let place = panic.location().map(ToString::to_string);
            let place = place.unwrap_or_default();
            match watchdog::current_extension() {
                Some(extension) => tracing::error!(extension, place, "an extension panicked"),
                None => tracing::error!(place, "a panic"),
            }
        }));
    });
}
