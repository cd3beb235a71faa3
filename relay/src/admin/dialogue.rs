//! The lines that the command line and a running relay exchange over the socket.
//!
//! The command line writes one line with an [`Order`] as JSON, then the input as it stands; closing its half ends the
//! input, or calls off a job that takes none. The relay writes one JSON object a line: any number of
//! `{"note":..}` and `{"event":..}`, at last `{"done":..}` or `{"error":".."}`.

use super::console::Note;
use super::database::Database;
use super::job::{Done, Job};
use serde::{Deserialize, Serialize};
use std::io::{self, Write};

/// Longest line with a job: a filter may list many ids.
pub(super) const MAX_JOB_BYTES: u64 = 16 << 20;

/// A job as the command line writes it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Order {
    /// On which it is to be done, and on no other.
    pub(super) database: Database,
    #[serde(flatten)]
    pub(super) job: Job,
}

/// What the relay says, but for events.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Reply {
    Note(Note),
    Done(Done),
    /// The job ended early.
    Error(String),
}

const EVENT_BEGIN: &[u8] = br#"{"event":"#;
const EVENT_END: &[u8] = b"}\n";

/// Writes an event without looking into it.
pub(super) fn write_event(to: &mut impl Write, json: &[u8]) -> io::Result<()> {
    to.write_all(EVENT_BEGIN)?;
    to.write_all(json)?;
    to.write_all(EVENT_END)
}

/// The event in a line, if it holds one.
pub(super) fn read_event(line: &[u8]) -> Option<&[u8]> {
    line.strip_prefix(EVENT_BEGIN)?.strip_suffix(EVENT_END)
}

/// Writes anything else.
pub(super) fn write_line(to: &mut impl Write, what: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *to, what)?;
    to.write_all(b"\n")?;
    to.flush()
}
