//! How the server stands: what it holds, how full it is, and whether storage and index answer. Looked at every so often, and
//! told from memory.
//!
//! Invariant: whoever asks how the server is costs next to nothing, however often: it counts at most a hundredth of the time.

use crate::BlossomPolicy;
use crate::index::Totals;
use crate::watch;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use trellis_relay::extension::prelude::*;

/// Between two looks, at least.
const PAUSE: Duration = Duration::from_secs(15);
/// For those who ask what is stored.
const PAUSE_FOR_ASKERS: Duration = Duration::from_secs(1);
/// A storage that takes longer to say that it is there does not answer. The start waits for it as well.
const PATIENCE: Duration = Duration::from_secs(10);
/// Counting many blobs takes long, and is to take a hundredth of the time at most. How long a storage takes to answer says
/// nothing of what asking it costs here.
const PAUSE_FACTOR: u32 = 100;
/// The operators' guide warns from here on.
const WARNING_PERCENT: u8 = 70;
/// And calls this critical.
const CRITICAL_PERCENT: u8 = 90;

/// What the last look found.
#[derive(Debug, Default)]
pub(crate) struct Standing {
    seen: Mutex<Seen>,
    /// Of whoever looks because somebody asks.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Clone, Debug, Default)]
struct Seen {
    totals: Totals,
    when: Option<Instant>,
    /// To count it all.
    took: Duration,
    /// 0, 70 or 90.
    mark_percent: u8,
    /// It cannot be read.
    is_index_away: bool,
    /// It does not answer.
    is_storage_away: bool,
}

impl Standing {
    /// How it is.
    pub(crate) fn health(&self) -> Health {
        let seen = self.seen().clone();
        let down = |what| Health::Down(format!("{what} does not answer"));
        match seen.mark_percent {
            _ if seen.is_index_away => down("the index"),
            _ if seen.is_storage_away => down("the storage"),
            0 => Health::Ok,
            percent => Health::Degraded(format!("more than {percent} % of the storage is used")),
        }
    }

    /// Whether what was seen is so old that it may be looked at again for somebody who asks.
    fn is_old(&self) -> bool {
        let seen = self.seen();
        seen.when.is_none_or(|when| {
            let pause = seen.took.saturating_mul(PAUSE_FACTOR);
            when.elapsed() > pause.max(PAUSE_FOR_ASKERS)
        })
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Looks every so often. Never ends.
pub(crate) async fn keep_looking(me: &BlossomPolicy) {
    loop {
        look(me).await;
        let pause = me.standing.seen().took.saturating_mul(PAUSE_FACTOR);
        tokio::time::sleep(pause.max(PAUSE)).await;
    }
}

/// What is stored, as it was a moment ago. The storage is not asked: it may take its time.
pub(crate) async fn totals(me: &BlossomPolicy) -> Totals {
    // One counts for all; whoever comes meanwhile is told what was seen before.
    if me.standing.is_old()
        && let Ok(_turn) = me.standing.turn.try_lock()
    {
        count(me).await;
    }
    me.standing.seen().totals
}

/// Looks once.
pub(crate) async fn look(me: &BlossomPolicy) {
    let checked = tokio::time::timeout(PATIENCE, me.holdings.storage().check()).await;
    let is_away = match checked {
        Ok(Ok(())) => false,
        Ok(Err(error)) => {
            tracing::error!("the storage does not answer: {error}");
            true
        }
        Err(_) => {
            tracing::error!("the storage does not answer within {PATIENCE:?}");
            true
        }
    };
    me.standing.seen().is_storage_away = is_away;
    count(me).await;
}

/// Counts what is stored.
async fn count(me: &BlossomPolicy) {
    let index = me.holdings.index();
    let begun = Instant::now();
    let (totals, reports) = (index.totals().await, index.reports_waiting().await);
    let took = begun.elapsed();
    let is_index_away = totals
        .as_ref()
        .inspect_err(|error| tracing::error!("the index cannot be read: {error}"))
        .is_err();
    if let Ok(reports) = reports {
        watch::reports_waiting(reports);
    }
    let totals = totals.unwrap_or_else(|_| me.standing.seen().totals);
    let limit_bytes = limit_bytes(me, totals.bytes).await;
    let mark_percent = mark(totals.bytes, limit_bytes);
    watch::stored(totals.blobs, totals.bytes, limit_bytes, mark_percent);
    watch::list_hashes(me.block_lists.hashes());
    let before = {
        let mut seen = me.standing.seen();
        let before = seen.mark_percent;
        *seen = Seen {
            totals,
            when: Some(Instant::now()),
            took,
            mark_percent,
            is_index_away,
            ..*seen
        };
        before
    };
    match mark_percent {
        CRITICAL_PERCENT if before < CRITICAL_PERCENT => {
            tracing::error!("more than {CRITICAL_PERCENT} % of the storage for blobs is used");
        }
        WARNING_PERCENT if before < WARNING_PERCENT => {
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
    fn b11_what_is_stored_is_counted_anew_for_askers_a_hundredth_of_the_time() {
        let is_old = |ago_s: Option<u64>, took_ms: u64| {
            let standing = Standing::default();
            let when = ago_s.map(|ago_s| Instant::now().checked_sub(Duration::from_secs(ago_s)));
            standing.seen().when = when.map(|when| when.expect("a clock that has run so long"));
            standing.seen().took = Duration::from_millis(took_ms);
            standing.is_old()
        };
        assert!(is_old(None, 0), "never counted");
        assert!(is_old(Some(2), 1));
        assert!(!is_old(Some(0), 1), "just counted");
        assert!(!is_old(Some(2), 600), "counting takes long");
    }

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
