//! Waiting for something to become so: polling with a deadline.

use std::time::{Duration, Instant};

/// How long anything may take before a test gives up. Far above what is normal, so that a busy machine fails no test.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// Polls until it is so; panics with `what` at the [`DEADLINE`].
///
/// ```
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// let mut asked = 0;
/// trellis_relay::testing::until("asked three times", async || {
///     asked += 1;
///     asked == 3
/// })
/// .await;
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
pub async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let started = Instant::now();
    while !is_so().await {
        assert!(started.elapsed() < DEADLINE, "waited in vain for: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Awaits with the deadline.
pub(super) async fn within<F: Future>(what: &str, future: F) -> F::Output {
    match tokio::time::timeout(DEADLINE, future).await {
        Ok(output) => output,
        Err(_) => panic!("waited in vain for {what}"),
    }
}
