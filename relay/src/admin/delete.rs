//! Removes the events that a filter names, a few at a time.
//!
//! An event that an extension guards stays and is counted. What is removed leaves no tombstone: it may be published or
//! imported again. The log of decisions hears of it before the first removal.

use super::console::{Console, Note};
use super::job::{JobError, filter_of};
use super::target::Target;
use crate::decisions::{Decision, subject};
use crate::event::EventId;
use crate::filter::Filter;
use crate::store::{Budget, Cause, Order, Outcome, Scan, StoreError, Write};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::Duration;

/// Removals of one commit are at most these events, so that publishers do not wait long.
const PAGE: Budget = Budget {
    events: 256,
    entries: 10_000,
    bytes: usize::MAX,
    time: Duration::from_millis(5),
};

/// What to remove.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeleteJob {
    /// Which events (NIP-01); with `limit` the newest of them.
    pub filter: Value,
    /// Whether the filter may do without `ids`, `authors`, `kinds` and tags, and so name every event.
    pub all: bool,
    /// Only count.
    pub dry_run: bool,
    /// Why, for the log of decisions; may be empty, and is left out then, as relays of before know no reason.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

/// What became of the events that matched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeleteTotals {
    /// Stored events that the filter names.
    pub matched: u64,
    /// Of these, removed. 0 in a dry run.
    pub removed: u64,
    /// Of these, kept because an extension guards them.
    pub kept: u64,
}

impl DeleteJob {
    /// The filter, refused where it may name everything and nobody said so: times alone, and limits, easily do.
    pub(super) fn checked_filter(&self) -> Result<Filter, JobError> {
        let filter = filter_of(&self.filter)?;
        let names_some = filter.ids.is_some()
            || filter.authors.is_some()
            || filter.kinds.is_some()
            || !filter.tags.is_empty();
        match names_some || self.all {
            true => Ok(filter),
            false => Err(JobError::NamesEverything),
        }
    }
}

/// Removes what is stored now and matches; what comes in meanwhile stays.
pub fn delete(
    target: &dyn Target,
    job: &DeleteJob,
    console: &mut dyn Console,
) -> Result<DeleteTotals, JobError> {
    let filter = job.checked_filter()?;
    let mut scan = Scan {
        filter: &filter,
        order: Order::NewestFirst,
        resume: None,
        max_row: target.store().last_row()?,
        now: target.now_s(),
        budget: PAGE,
    };
    let about = subject::filter(&filter);
    let decision = Decision::new(target.now_s(), "command", "delete", &about, &job.reason);
    let mut noted = (!job.dry_run).then(|| decision.write());
    let mut totals = DeleteTotals::default();
    let mut left = filter.limit.unwrap_or(usize::MAX);
    while left > 0 {
        if console.is_cancelled() {
            return Err(JobError::Cancelled);
        }
        let page = target.store().positions_to_remove(&scan)?;
        let ids = page.positions.iter().map(|position| position.id);
        let ids: Vec<EventId> = ids.take(left).collect();
        left -= ids.len();
        totals.matched += ids.len() as u64;
        if !job.dry_run {
            remove(target, ids, &mut noted, &mut totals)?;
        }
        console.tell(Note::Headway {
            done: totals.matched,
            total: None,
        });
        match page.next {
            Some(_) => scan.resume = page.next,
            None => break,
        }
    }
    Ok(totals)
}

fn remove(
    target: &dyn Target,
    ids: Vec<EventId>,
    noted: &mut Option<Write>,
    totals: &mut DeleteTotals,
) -> Result<(), JobError> {
    if ids.is_empty() {
        return Ok(());
    }
    // By itself: a map that is full to its end may refuse one write of a commit and take the others.
    if let Some(noted) = noted.take()
        && let [Outcome::Refused(reason)] = &target.commit(vec![noted])?[..]
    {
        return Err(StoreError::Unavailable(reason.to_string()).into());
    }
    let removals = ids.iter().map(|id| Write::Remove(*id, Cause::Admin));
    let outcomes = target.commit(removals.collect())?;
    for (id, outcome) in ids.iter().zip(outcomes) {
        match outcome {
            Outcome::Done => totals.removed += 1,
            Outcome::Refused(reason) => {
                return Err(StoreError::Unavailable(reason.to_string()).into());
            }
            // Either guarded, or gone since it was found.
            _ => totals.kept += u64::from(target.store().contains(id)?),
        }
    }
    Ok(())
}
