//! The ways in which an extension says that it could not do something.
//!
//! They take any error with `?` and any text with `.into()`; therefore they are no `std::error::Error` themselves.

use std::error::Error;
use std::fmt;

macro_rules! failure {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name(pub String);

        impl<E: Into<Box<dyn Error + Send + Sync>>> From<E> for $name {
            fn from(error: E) -> Self {
                $name(error.into().to_string())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

failure! {
    /// A hook could not answer. It counts as a fault of the extension; what happens to the event is decided by its
    /// `on_fault`. The text goes to the log, not to clients: keep secrets and contents of events out of it.
    HookError
}

failure! {
    /// An instance could not be built. Name the key, what was found and what is allowed.
    BuildError
}

failure! {
    /// A task ended before its time; the text goes to the log, and the task is started again.
    TaskError
}

failure! {
    /// The files of an extension could not be copied for a backup. It counts as a fault of the extension; the text goes to
    /// the log and to operators.
    BackupError
}
