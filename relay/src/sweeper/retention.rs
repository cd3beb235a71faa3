//! Applies the rules of retention (`[[retention]]`), one pass over all of them every `data.retention_interval`.
//!
//! Invariant: passes take no more than a twentieth of the time; where they would, the next one is put off. A change of
//! the rules begins a new pass at once.

use super::{CHUNK, SweepError, commit, list};
use crate::config::RetentionRule;
use crate::event::EventId;
use crate::relay::Relay;
use crate::retention::Walk;
use crate::store::{Cause, Store, Write};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// For each second of work so many go by.
const SPARSENESS: u32 = 20;

/// Where the passes stand.
#[derive(Debug, Default)]
pub(super) struct RetentionSweep {
    /// Those of the pass.
    rules: Vec<RetentionRule>,
    interval: Duration,
    pass: Option<Pass>,
    /// On the relay's monotonic clock.
    next_pass_at: Duration,
    /// The last row when a pass ended that removed nothing: until there are others, there is nothing to count.
    counted_to: Option<u64>,
}

#[derive(Debug)]
struct Pass {
    walks: VecDeque<Walk>,
    /// Found by the first of them and not yet removed: a commit for each few would cost more than the walk.
    found: Vec<EventId>,
    began_at: Duration,
    first_row: u64,
    worked: Duration,
}

impl RetentionSweep {
    /// One page; says whether the pass goes on.
    pub(super) async fn step(&mut self, relay: &Relay) -> Result<bool, SweepError> {
        let config = relay.config();
        let interval = config.data.retention_interval.duration();
        if config.retention != self.rules || interval != self.interval {
            *self = RetentionSweep {
                rules: config.retention.clone(),
                interval,
                ..RetentionSweep::default()
            };
        }
        let Some(mut pass) = self.pass_in_progress(relay).await? else {
            return Ok(false);
        };
        let started = Instant::now();
        let now = relay.clock.now_s();
        let walk = pass.walks.pop_front();
        if let Some(mut walk) = walk {
            let room = CHUNK - pass.found.len();
            let page = move |store: &dyn Store| {
                let found = walk.page(store, now, room)?;
                Ok((walk, found))
            };
            let (walk, found) = match list(relay, page).await {
                Ok(listed) => listed,
                Err(error) => {
                    self.rest(relay, Duration::ZERO);
                    return Err(error);
                }
            };
            pass.found.extend(found);
            if walk.is_done() || pass.found.len() >= CHUNK {
                let removals = pass.found.drain(..);
                let removals = removals.map(|id| Write::Remove(id, Cause::Retention));
                if let Err(error) = commit(relay, removals.collect()).await {
                    self.rest(relay, Duration::ZERO);
                    return Err(error);
                }
            }
            if !walk.is_done() {
                pass.walks.push_front(walk);
            }
        }
        pass.worked += started.elapsed();
        if pass.walks.is_empty() {
            self.end(relay, &pass).await?;
            return Ok(false);
        }
        self.pass = Some(pass);
        Ok(true)
    }

    /// The pass that is under way, or a new one where it is time and there is anything to do.
    async fn pass_in_progress(&mut self, relay: &Relay) -> Result<Option<Pass>, SweepError> {
        if let Some(pass) = self.pass.take() {
            return Ok(Some(pass));
        }
        let began_at = relay.clock.monotonic();
        if self.rules.is_empty() || began_at < self.next_pass_at {
            return Ok(None);
        }
        let first_row = list(relay, |store| store.last_row()).await?;
        let has_new_rows = self.counted_to != Some(first_row);
        // Events grow old without anybody's doing.
        let due = self.rules.iter();
        let due = due.filter(|rule| has_new_rows || rule.max_age.is_some());
        let walks: VecDeque<Walk> = due.map(Walk::new).collect();
        if walks.is_empty() {
            self.rest(relay, Duration::ZERO);
            return Ok(None);
        }
        Ok(Some(Pass {
            walks,
            found: Vec::new(),
            began_at,
            first_row,
            worked: Duration::ZERO,
        }))
    }

    async fn end(&mut self, relay: &Relay, pass: &Pass) -> Result<(), SweepError> {
        self.rest(relay, pass.worked);
        let last_row = list(relay, |store| store.last_row()).await?;
        self.counted_to = Some(last_row).filter(|row| *row == pass.first_row);
        tracing::debug!(
            began_at_s = pass.began_at.as_secs(),
            worked_ms = pass.worked.as_millis() as u64,
            "a pass of retention is over"
        );
        Ok(())
    }

    fn rest(&mut self, relay: &Relay, worked: Duration) {
        let rest = self.interval.max(worked * SPARSENESS);
        self.next_pass_at = relay.clock.monotonic() + rest;
    }
}
