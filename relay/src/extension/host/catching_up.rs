//! Reading what `stored` hooks write, without missing what they have not come to.

use super::{Haste, Host};
use std::sync::Arc;
use std::time::Duration;

impl Host {
    /// Has this extension's `stored` hooks called for what they let gather, and waits until they are done with all that is
    /// committed when it is called: before an answer from what they keep, in which a client looks for what it has just
    /// published. It waits no longer than `patience`; false if they are not done by then, or if the store cannot be read.
    ///
    /// Not to be called by a `stored` hook, which would wait for itself.
    ///
    /// ```
    /// use std::time::Duration;
    /// use trellis_relay::extension::prelude::*;
    /// async fn count(host: &Host) -> u64 {
    ///     if !host.catch_up(Duration::from_secs(1)).await {
    ///         eprintln!("the count may be an old one");
    ///     }
    ///     // ... what the `stored` hook has counted ...
    ///     0
    /// }
    /// ```
    pub async fn catch_up(&self, patience: Duration) -> bool {
        let caught_up = async {
            let last_row = self.inner.core.ask(|store| store.last_row()).await;
            match last_row {
                Ok(row) => self.inner.haste.catch_up(row).await,
                Err(_) => return false,
            }
            true
        };
        let caught_up = tokio::time::timeout(patience, caught_up).await;
        caught_up.unwrap_or(false)
    }

    pub(in super::super) fn haste(&self) -> &Arc<Haste> {
        &self.inner.haste
    }
}
