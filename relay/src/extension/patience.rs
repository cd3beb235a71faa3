//! Waits for an author's code outside the flow of events: `build`, `register`, `reload`.
//!
//! Invariant: whoever is waited for is named in the log after some seconds. Real time is meant here, since operators wait
//! in it.

use super::panics::{self, Ended};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

/// How often the log says who is waited for.
const SAY_EVERY: Duration = Duration::from_secs(5);

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoAnswer {
    #[error("it panicked; the log says where")]
    Panicked,
    #[error("its threads were stopped")]
    CutOff,
    #[error("its {what} did not return within {limit_ms} ms")]
    TooLate { what: &'static str, limit_ms: u128 },
}

/// The result of a task on an extension's own threads. Past the limit the task is left to itself.
pub(super) async fn wait_for<R>(
    extension: &'static str,
    what: &'static str,
    limit: Option<Duration>,
    mut task: JoinHandle<R>,
) -> Result<R, NoAnswer> {
    let started = Instant::now();
    loop {
        let left = limit.map_or(Duration::MAX, |limit| {
            limit.saturating_sub(started.elapsed())
        });
        if let Ok(ended) = timeout(left.min(SAY_EVERY), &mut task).await {
            return panics::joined(ended).map_err(|ended| match ended {
                Ended::Panicked => NoAnswer::Panicked,
                Ended::CutOff => NoAnswer::CutOff,
            });
        }
        let waited = started.elapsed();
        if let Some(limit) = limit.filter(|limit| waited >= *limit) {
            task.abort();
            let limit_ms = limit.as_millis();
            return Err(NoAnswer::TooLate { what, limit_ms });
        }
        let waited_ms = waited.as_millis() as u64;
        tracing::warn!(
            extension,
            waited_ms,
            "waiting for the extension's `{what}` to return"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn e7_whoever_does_not_return_is_given_up_at_the_limit() {
        let limit = Some(Duration::from_millis(1));
        let endless = tokio::spawn(std::future::pending::<()>());
        let waited = wait_for("x", "build", limit, endless).await;
        let words = "its build did not return within 1 ms";
        assert_eq!(waited.map_err(|why| why.to_string()), Err(words.to_owned()));
    }

    #[tokio::test]
    async fn e7_whoever_returns_or_panics_is_not_waited_for() {
        let done = tokio::spawn(async { 7 });
        assert_eq!(wait_for("x", "build", None, done).await, Ok(7));
        let panics = tokio::spawn(async { panic!("as asked") });
        let waited: Result<(), _> = wait_for("x", "build", None, panics).await;
        assert_eq!(waited, Err(NoAnswer::Panicked));
    }
}
