//! The wish that the agent ends, heard between steps.

use tokio::sync::watch;

/// Knows whether the agent was asked to stop; cheap to clone.
#[derive(Clone)]
pub(crate) struct Stop(watch::Receiver<bool>);

/// Asks. Dropping it asks as well.
pub(crate) struct Stopper(watch::Sender<bool>);

/// A wish that was not yet made.
pub(crate) fn wish() -> (Stopper, Stop) {
    let (sender, receiver) = watch::channel(false);
    (Stopper(sender), Stop(receiver))
}

impl Stopper {
    /// Asks all that listen.
    pub(crate) fn ask(&self) {
        self.0.send_replace(true);
    }
}

impl Stop {
    /// Whether it was asked.
    pub(crate) fn is_asked(&self) -> bool {
        *self.0.borrow() || self.0.has_changed().is_err()
    }

    /// Returns when it is asked.
    pub(crate) async fn asked(&self) {
        let mut receiver = self.0.clone();
        // An error is a stopper that was dropped.
        let _asked = receiver.wait_for(|asked| *asked).await;
    }
}
