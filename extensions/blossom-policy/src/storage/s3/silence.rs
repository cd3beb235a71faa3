//! Whether the store has gone silent, so that not everybody waits for it in turn.
//!
//! Invariant: whoever waited for a place or a turn while somebody else heard nothing from the store is not kept waiting by it once
//! more. Whoever comes later asks the store: one answer ends the silence.

use crate::storage::StorageError;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// So long a silence that was noticed counts for those who were about to ask.
const A_MOMENT: Duration = Duration::from_secs(1);

/// When the store was last found silent, unless it has answered since.
#[derive(Debug, Default)]
pub(super) struct Silence {
    noticed: Mutex<Option<Instant>>,
}

impl Silence {
    /// Takes down whether this was an answer.
    pub(super) fn note<T>(&self, result: &Result<T, StorageError>) {
        let noticed = match result {
            Err(StorageError::NoAnswer { .. }) => Some(Instant::now()),
            _ => None,
        };
        *self.noticed.lock().unwrap_or_else(PoisonError::into_inner) = noticed;
    }

    /// Fails where the store was found silent after `since`, or a moment before.
    pub(super) fn check(
        &self,
        operation: &'static str,
        since: Instant,
    ) -> Result<(), StorageError> {
        let noticed = *self.noticed.lock().unwrap_or_else(PoisonError::into_inner);
        match noticed.is_some_and(|noticed| noticed + A_MOMENT > since) {
            true => Err(StorageError::NoAnswer {
                operation,
                what: "nor did it a moment ago".to_owned(),
            }),
            false => Ok(()),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn b16_a_silence_counts_for_those_who_wait_until_there_is_an_answer() {
        let silence = Silence::default();
        let before = Instant::now();
        silence.check("put", before).unwrap();
        let unheard = StorageError::NoAnswer {
            operation: "put",
            what: String::new(),
        };
        silence.note::<()>(&Err(unheard));
        for since in [before, Instant::now()] {
            assert!(matches!(
                silence.check("put", since),
                Err(StorageError::NoAnswer { .. })
            ));
        }
        // Whoever comes later asks.
        silence.check("put", Instant::now() + A_MOMENT).unwrap();
        // What it says does not matter.
        silence.note::<()>(&Err(StorageError::Missing));
        silence.check("put", before).unwrap();
    }
}
