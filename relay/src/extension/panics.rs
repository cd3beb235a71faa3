//! Says where an extension panicked, and never what it said: the message may hold anything.

use super::watchdog;
use std::sync::Once;

/// Goes before the process's panic hook, once. Panics of anyone else are left to that.
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
