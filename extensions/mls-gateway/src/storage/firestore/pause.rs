//! How long to wait before something is tried again that others were quicker at.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// Waits longer each time, and each time somebody else by another length.
#[derive(Debug, Default)]
pub(super) struct Pause {
    attempts: u32,
}

const SHORTEST_MS: u64 = 8;
const LONGEST_MS: u64 = 512;

impl Pause {
    pub(super) async fn take(&mut self) {
        let most_ms = (SHORTEST_MS << self.attempts.min(16)).min(LONGEST_MS);
        self.attempts += 1;
        let chance = RandomState::new().hash_one(self.attempts);
        tokio::time::sleep(Duration::from_millis(chance % most_ms)).await;
    }
}
