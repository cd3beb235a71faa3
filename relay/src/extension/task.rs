//! An extension's task: told when to stop, started again when it fails.

use super::panics;
use super::running::Member;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::sync::watch;

/// Tells a task that it is time to end.
#[derive(Clone, Debug)]
pub struct StopToken {
    stop: watch::Receiver<bool>,
}

impl StopToken {
    pub(super) fn new(stop: watch::Receiver<bool>) -> Self {
        StopToken { stop }
    }

    /// Ends when the task should.
    pub async fn stopped(&self) {
        // An error means that nobody is left to say so: it is time, too.
        let _ = self.stop.clone().wait_for(|stop| *stop).await;
    }

    /// Whether the task should end.
    pub fn is_stopped(&self) -> bool {
        *self.stop.borrow() || self.stop.has_changed().is_err()
    }
}

/// How long to wait before a failed task is started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// After the first failure.
    pub min: Duration,
    /// It doubles up to this.
    pub max: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Backoff {
            min: Duration::from_millis(250),
            max: Duration::from_secs(60),
        }
    }
}

/// Runs an extension's task until it ends well or is told to stop.
pub(super) async fn supervise(member: Arc<Member>, stop: StopToken, backoff: Backoff) {
    let extension = member.owner.name;
    let mut wait = backoff.min;
    loop {
        let started = member.owner.clock.monotonic();
        let task = tokio::spawn(member.instance.start(stop.clone()));
        let error = match panics::joined(task.await) {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.0,
            Err(_) => "it panicked".to_owned(),
        };
        if stop.is_stopped() {
            return;
        }
        // One that ran for long has earned a fresh start.
        if member.owner.clock.monotonic().saturating_sub(started) > backoff.max {
            wait = backoff.min;
        }
        member.restarts.fetch_add(1, Relaxed);
        metrics::counter!("trellis_extension_restarts_total", "extension" => extension)
            .increment(1);
        let wait_ms = wait.as_millis() as u64;
        tracing::error!(
            extension,
            error,
            wait_ms,
            "the task ended; starting it again"
        );
        tokio::select! {
            () = stop.stopped() => return,
            () = tokio::time::sleep(wait) => wait = (wait * 2).min(backoff.max),
        }
    }
}
