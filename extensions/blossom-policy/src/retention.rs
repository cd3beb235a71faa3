//! Blobs that have been kept for as long as the operator keeps them are removed.
//!
//! Invariant: none goes before the time that its `Sunset` tells; a claim that is made anew begins that time anew. What is
//! quarantined stays, so that nobody stores it anew before an operator has decided.
//!
//! Reports that were done with are forgotten after a while, whatever is kept.

use crate::BlossomPolicy;
use crate::holdings::HoldingsError;
use crate::index::IndexError;
use crate::watch;
use std::time::Duration;

/// Between two looks.
const PAUSE: Duration = Duration::from_secs(60);
/// Reports are kept for so long after somebody has decided about them. A moderator's is believed for less, so that none does
/// its work twice.
pub(crate) const REPORTS_KEPT_MS: u64 = 90 * 86_400_000;
/// So many are removed before others have their turn.
const PAGE: usize = 100;

/// Removes what is over, every so often. Never ends.
pub(crate) async fn keep_removing(me: &BlossomPolicy) {
    loop {
        if let Err(error) = remove_expired(me).await {
            tracing::warn!("blobs that are over could not be removed: {error}");
        }
        if let Err(error) = forget_reports(me).await {
            tracing::warn!("reports that are over could not be forgotten: {error}");
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Removes what is over by now; how many that were.
pub(crate) async fn remove_expired(me: &BlossomPolicy) -> Result<u64, HoldingsError> {
    let mut removed = 0;
    loop {
        let Some(days) = me.config().retention.days else {
            return Ok(removed);
        };
        let kept_ms = u64::from(days) * 86_400_000;
        let before_ms = me.host.clock().now_ms().saturating_sub(kept_ms);
        let expired = me.holdings.index().expired(before_ms, PAGE).await?;
        for blob in &expired {
            // Whoever has claimed it meanwhile keeps it.
            let gone = me.holdings.remove_expired(blob.sha256, before_ms);
            if gone.await?.is_some() {
                watch::removed("retention");
                removed += 1;
            }
        }
        if expired.len() < PAGE {
            if removed > 0 {
                tracing::info!(removed, "blobs were removed, whose time was over");
            }
            return Ok(removed);
        }
        tokio::task::yield_now().await;
    }
}

/// Forgets reports about which somebody has decided, once they are old; how many that were.
pub(crate) async fn forget_reports(me: &BlossomPolicy) -> Result<u64, IndexError> {
    let now_ms = me.host.clock().now_ms();
    let before_ms = now_ms.saturating_sub(REPORTS_KEPT_MS);
    me.holdings.index().forget_reports(before_ms).await
}
