//! An extension's task: told when to stop, started again when it fails.

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
