//! How the server stands: what it holds, how full it is, and whether storage and index answer. Looked at every so often, and
//! told from memory.
//!
//! Invariant: whoever asks how the server is costs nothing, however often.

use crate::BlossomPolicy;
use crate::index::Totals;
use crate::watch;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use trellis_relay::extension::prelude::*;

/// Between two looks.
const PAUSE: Duration = Duration::from_secs(15);
/// The operators' guide warns from here on.
const WARNING_PERCENT: u8 = 70;
/// And calls this critical.
const CRITICAL_PERCENT: u8 = 90;

/// What the last look found.
#[derive(Debug, Default)]
pub(crate) struct Standing {
    seen: Mutex<Seen>,
}

#[derive(Clone, Debug, Default)]
struct Seen {
    totals: Totals,
    /// 0, 70 or 90.
    mark_percent: u8,
    /// What does not answer.
    trouble: Option<&'static str>,
}

impl Standing {
    /// What is stored.
    pub(crate) fn totals(&self) -> Totals {
        self.seen().totals
    }

    /// How it is.
    pub(crate) fn health(&self) -> Health {
        let seen = self.seen().clone();
        match (seen.trouble, seen.mark_percent) {
            (Some(what), _) => Health::Down(format!("{what} does not answer")),
            (None, 0) => Health::Ok,
            (None, percent) => {
                Health::Degraded(format!("more than {percent} % of the storage is used"))
            }
        }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Looks every so often. Never ends.
pub(crate) async fn keep_looking(me: &BlossomPolicy) {
    loop {
        look(me).await;
        tokio::time::sleep(PAUSE).await;
    }
}

/// Looks once.
pub(crate) async fn look(me: &BlossomPolicy) {
    let index = me.holdings.index();
    let (totals, reports) = (index.totals().await, index.reports_waiting().await);
    let trouble = match (&totals, me.holdings.storage().check().await) {
        (Err(error), _) => {
            tracing::error!("the index cannot be read: {error}");
            Some("the index")
        }
        (Ok(_), Err(error)) => {
            tracing::error!("the storage does not answer: {error}");
            Some("the storage")
        }
        (Ok(_), Ok(())) => None,
    };
    if let Ok(reports) = reports {
        watch::reports_waiting(reports);
    }
    let totals = totals.unwrap_or_else(|_| me.standing.totals());
    let limit_bytes = limit_bytes(me, totals.bytes).await;
    let mark_percent = mark(totals.bytes, limit_bytes);
    watch::stored(totals.blobs, totals.bytes, limit_bytes, mark_percent);
    watch::list_hashes(me.block_lists.hashes());
    let before = std::mem::replace(
        &mut *me.standing.seen(),
        Seen {
            totals,
            mark_percent,
            trouble,
        },
    );
    match mark_percent {
        CRITICAL_PERCENT if before.mark_percent < CRITICAL_PERCENT => {
            tracing::error!("more than {CRITICAL_PERCENT} % of the storage for blobs is used");
        }
        WARNING_PERCENT if before.mark_percent < WARNING_PERCENT => {
            tracing::warn!("more than {WARNING_PERCENT} % of the storage for blobs is used");
        }
        _ => {}
    }
}

/// How much may be stored: what the operator says, or what is there and what the disk has room for.
async fn limit_bytes(me: &BlossomPolicy, stored_bytes: u64) -> Option<u64> {
    let limits = *me.holdings.quota().limits();
    let room = me.holdings.storage().room().await;
    let on_disk = room.map(|room| {
        let free_bytes = room.free_bytes.saturating_sub(limits.free_bytes);
        stored_bytes.saturating_add(free_bytes)
    });
    match (limits.total_bytes, on_disk) {
        (Some(total), Some(on_disk)) => Some(total.min(on_disk)),
        (total, on_disk) => total.or(on_disk),
    }
}

/// Which mark is passed.
fn mark(stored_bytes: u64, limit_bytes: Option<u64>) -> u8 {
    let Some(limit_bytes) = limit_bytes else {
        return 0;
    };
    let is_past = |percent: u8| {
        u128::from(stored_bytes) * 100 > u128::from(limit_bytes) * u128::from(percent)
    };
    match (is_past(CRITICAL_PERCENT), is_past(WARNING_PERCENT)) {
        (true, _) => CRITICAL_PERCENT,
        (false, true) => WARNING_PERCENT,
        (false, false) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b15_the_marks_are_those_of_the_guide() {
        assert_eq!(mark(70, Some(100)), 0);
        assert_eq!(mark(71, Some(100)), 70);
        assert_eq!(mark(90, Some(100)), 70);
        assert_eq!(mark(91, Some(100)), 90);
        assert_eq!(mark(u64::MAX, Some(u64::MAX)), 90);
        assert_eq!(mark(7, None), 0);
    }
}
