//! Writes events line by line, page after page.
//!
//! For those who own the store: who may see an event is not asked, so that what extensions hide comes out as well. What
//! has expired stays in.

use super::console::{Console, Note};
use super::job::{JobError, filter_of};
use super::target::Target;
use crate::store::{Budget, Order, Scan};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::Duration;

/// A read transaction is open for one page only, so that a slow reader pins no old pages.
const PAGE: Budget = Budget {
    events: 1_000,
    entries: 10_000,
    bytes: 4 << 20,
    time: Duration::from_millis(5),
};

/// What to export.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ExportJob {
    /// Which events (NIP-01), and with its `limit` how many of them; `null` for all.
    pub filter: Value,
    /// Oldest first rather than newest first.
    pub oldest_first: bool,
}

/// Exports what is stored now and gives the number of events. What comes in meanwhile stays out; what is removed
/// meanwhile may be missing.
pub fn export(
    target: &dyn Target,
    job: &ExportJob,
    console: &mut dyn Console,
) -> Result<u64, JobError> {
    let filter = filter_of(&job.filter)?;
    let limit = filter.limit.map_or(u64::MAX, |limit| limit as u64);
    let mut scan = Scan {
        filter: &filter,
        order: match job.oldest_first {
            true => Order::OldestFirst,
            false => Order::NewestFirst,
        },
        resume: None,
        max_row: target.store().last_row()?,
        now: target.now_s(),
        budget: PAGE,
    };
    let mut written = 0;
    while written < limit {
        if console.is_cancelled() {
            return Err(JobError::Cancelled);
        }
        let page = target.store().scan(&scan)?;
        for stored in page.events {
            if written == limit {
                break;
            }
            console
                .print(stored.event.json())
                .map_err(JobError::Write)?;
            written += 1;
        }
        console.tell(Note::Headway {
            done: written,
            total: None,
        });
        match page.next {
            Some(_) => scan.resume = page.next,
            None => break,
        }
    }
    Ok(written)
}
