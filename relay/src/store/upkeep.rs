//! What a check and a compaction tell of themselves.

use serde::{Deserialize, Serialize};
use std::ops::ControlFlow;

/// How far a long piece of work is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Headway {
    /// Events or entries that are behind it.
    pub done: u64,
    /// Of so many.
    pub total: u64,
}

/// Told now and then how far it is; a `Break` ends the work with [`super::StoreError::Stopped`].
pub type Watch<'w> = &'w mut dyn FnMut(Headway) -> ControlFlow<()>;

/// More problems are counted but not described.
const DESCRIBED: usize = 20;

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckReport {
    /// Events whose record was read.
    pub events: u64,
    /// Index entries that they have.
    pub entries: u64,
    /// How many things are wrong.
    pub problem_count: u64,
    /// The first of them, in words.
    pub problems: Vec<String>,
}

impl CheckReport {
    /// Whether nothing is wrong.
    pub fn is_sound(&self) -> bool {
        self.problem_count == 0
    }

    pub(super) fn note(&mut self, problem: impl FnOnce() -> String) {
        self.problem_count += 1;
        if self.problems.len() < DESCRIBED {
            self.problems.push(problem());
        }
    }
}

/// What a compaction did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CompactReport {
    /// Pairs of keys and values that were written anew.
    pub entries: u64,
    /// Size of the file before.
    pub before_bytes: u64,
    /// Size of the file after.
    pub after_bytes: u64,
}
