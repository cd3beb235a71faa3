//! Whom a job serves: where exported events go, who hears of progress, who may call it off.

use super::import::ImportTotals;
use serde::{Deserialize, Serialize};
use std::io;

/// The operator's side of a job.
pub trait Console {
    /// Takes one event of an export, without a line feed.
    fn print(&mut self, event_json: &[u8]) -> io::Result<()>;

    /// Takes note. What cannot be told is lost.
    fn tell(&mut self, note: Note);

    /// Whether the job is to end early. Cheap: asked for every line.
    fn is_cancelled(&self) -> bool;
}

/// What a job has to tell on its way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Note {
    /// A batch of an import is committed.
    Imported(ImportTotals),
    /// A line of an import was skipped.
    Rejected {
        /// Counted from 1.
        line: u64,
        /// In words, a few hundred characters at most.
        reason: String,
    },
    /// So much is done.
    Headway {
        /// Events or entries.
        done: u64,
        /// Of so many, where that is known.
        total: Option<u64>,
    },
    /// Something to know beforehand.
    Warning(String),
}
