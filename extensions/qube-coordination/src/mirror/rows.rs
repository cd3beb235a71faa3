//! What of an event becomes a row.

use trellis_qube_protocol::{Ack, Signal, chain::Entry};

/// A directive.
pub(super) struct SignalRow {
    pub(super) signal: Signal,
    pub(super) json: String,
    /// Why the relay does not hand it out any more.
    pub(super) removed_as: Option<&'static str>,
}

/// A report.
pub(super) struct AckRow {
    pub(super) ack: Ack,
    pub(super) json: String,
}

/// An entry of the history.
pub(super) struct LogRow<'a> {
    pub(super) chain: &'static str,
    pub(super) entry: &'a Entry,
}

/// A number as the database has it; nothing real is beyond.
pub(super) fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// Text as the database takes it.
pub(super) fn plain(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}
