//! Who waits for the `stored` hooks of one extension to catch up, and how far those are.
//!
//! Invariant: a hook that gathers is called early for somebody who waits, and by that no more often than its [`BREATH`] lets
//! it, so that readers who ask all the time cost no transaction each. Rows are those of the commit sequence.

use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::watch;

/// What a hook that gathers gathers for at least, whoever waits.
pub(super) const BREATH: Duration = Duration::from_millis(50);

/// Of one extension.
#[derive(Debug)]
pub(super) struct Haste {
    /// The last row that somebody waits for.
    wanted: watch::Sender<u64>,
    /// The last row that each hook has dealt with, by the hook's place among them.
    done: watch::Sender<BTreeMap<usize, u64>>,
}

impl Haste {
    pub(super) fn new() -> Self {
        Haste {
            wanted: watch::Sender::new(0),
            done: watch::Sender::new(BTreeMap::new()),
        }
    }

    /// A hook begins behind this row, or has dealt with all up to it.
    pub(super) fn note(&self, place: usize, row: u64) {
        self.done.send_modify(|done| {
            done.insert(place, row);
        });
    }

    /// Returns as soon as somebody waits for a row beyond this one.
    pub(super) async fn wanted_beyond(&self, row: u64) {
        let mut wanted = self.wanted.subscribe();
        // It fails only without a sender, which is this one.
        let _ = wanted.wait_for(|wanted| *wanted > row).await;
    }

    /// Has the hooks called for what they let gather up to this row.
    pub(super) fn hurry(&self, row: u64) {
        self.wanted.send_if_modified(|wanted| {
            let is_more = row > *wanted;
            *wanted = (*wanted).max(row);
            is_more
        });
    }

    /// The same, and waits until each that is running has dealt with it.
    pub(super) async fn catch_up(&self, row: u64) {
        let mut done = self.done.subscribe();
        self.hurry(row);
        let is_done = |done: &BTreeMap<usize, u64>| done.values().all(|at| *at >= row);
        let _ = done.wait_for(is_done).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt as _;

    #[test]
    fn e4_who_waits_is_told_when_the_last_hook_is_done() {
        let haste = Haste::new();
        assert_eq!(haste.catch_up(7).now_or_never(), Some(()), "no hook");
        haste.note(0, 7);
        haste.note(1, 6);
        let mut waiting = Box::pin(haste.catch_up(7));
        assert_eq!(waiting.as_mut().now_or_never(), None);
        assert_eq!(haste.wanted_beyond(7).now_or_never(), None, "it is there");
        assert_eq!(haste.wanted_beyond(6).now_or_never(), Some(()));
        haste.note(1, 9);
        assert_eq!(waiting.as_mut().now_or_never(), Some(()));
        assert_eq!(haste.catch_up(3).now_or_never(), Some(()), "long done");
        assert_eq!(haste.wanted_beyond(6).now_or_never(), Some(()));
    }
}
