//! Waiting for something to become true: polling with a deadline, the only place of the tests that sleeps.

use std::time::{Duration, Instant};

/// How long anything may take before a test gives up. Far above what is normal, so that a busy machine fails no test.
pub const DEADLINE: Duration = Duration::from_secs(40);

const POLL_EVERY: Duration = Duration::from_millis(10);

/// Asks again and again until there is an answer; panics at the deadline and says what it waited for.
pub async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(start.elapsed() < DEADLINE, "waited in vain for: {what}");
        tokio::time::sleep(POLL_EVERY).await;
    }
}

/// The same for a question that takes no time to ask.
pub async fn until_some<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    until(what, async || ask()).await
}

/// The same for a plain condition.
pub async fn until_true(what: &str, mut ask: impl FnMut() -> bool) {
    until_some(what, || ask().then_some(())).await;
}

/// Awaits with the deadline.
pub async fn within<F: Future>(what: &str, future: F) -> F::Output {
    match tokio::time::timeout(DEADLINE, future).await {
        Ok(output) => output,
        Err(_) => panic!("waited in vain for: {what}"),
    }
}
