//! Commits judged batches on a thread of its own, in the order of their lines.
//!
//! Invariant: a report comes after its batch is committed, and after a failure nothing is committed any more.

use super::super::job::JobError;
use super::super::target::Target;
use super::{ImportTotals, Verdict};
use crate::reason::{Prefix, Reason};
use crate::store::{Outcome, Store, StoreError};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread::Scope;

/// A batch of which is known what each line holds.
pub(super) struct Judged {
    pub(super) verdicts: Vec<(u64, Verdict)>,
    /// The number of its last line; 0 for a batch without lines.
    pub(super) last_line: u64,
    /// Bytes read up to its end.
    pub(super) bytes: u64,
}

/// What became of a batch.
pub(super) struct Committed {
    /// With all batches before.
    pub(super) totals: ImportTotals,
    /// Lines of the batch, ascending, and why.
    pub(super) rejected: Vec<(u64, String)>,
}

/// The way to the thread, which takes a batch when it has none, and what it reports. It ends when the way is closed, or
/// after a failure.
pub(super) fn start<'scope>(
    scope: &'scope Scope<'scope, '_>,
    target: &'scope dyn Target,
) -> (SyncSender<Judged>, Receiver<Result<Committed, JobError>>) {
    let (committer, batches) = mpsc::sync_channel(0);
    let (reporter, reports) = mpsc::channel();
    scope.spawn(move || {
        let mut totals = ImportTotals::default();
        for batch in batches {
            let committed = commit(target, batch, &mut totals);
            let is_over = committed.is_err();
            if reporter.send(committed).is_err() || is_over {
                return;
            }
        }
    });
    (committer, reports)
}

fn commit(
    target: &dyn Target,
    batch: Judged,
    totals: &mut ImportTotals,
) -> Result<Committed, JobError> {
    totals.lines = totals.lines.max(batch.last_line);
    totals.bytes = batch.bytes;
    let mut numbers = Vec::with_capacity(batch.verdicts.len());
    let mut writes = Vec::with_capacity(batch.verdicts.len());
    let mut rejected = Vec::new();
    for (number, verdict) in batch.verdicts {
        match verdict {
            Verdict::Fresh(write) => {
                numbers.push(number);
                writes.push(write);
            }
            Verdict::Duplicate => totals.duplicates += 1,
            Verdict::Bad(reason) => rejected.push((number, reason)),
            Verdict::Failed(error) => return Err(error.into()),
        }
    }
    let outcomes = match writes.is_empty() {
        true => Vec::new(),
        false => target.commit(writes)?,
    };
    for (number, outcome) in numbers.into_iter().zip(outcomes) {
        match outcome {
            Outcome::Stored(_) | Outcome::StoredThenRemoved => totals.stored += 1,
            Outcome::Duplicate => totals.duplicates += 1,
            Outcome::Superseded => totals.superseded += 1,
            Outcome::Deleted | Outcome::Vanished => totals.deleted += 1,
            Outcome::Refused(reason) => {
                stop_if_full(&**target.store(), &reason)?;
                rejected.push((number, reason.to_string()));
            }
            Outcome::Done | Outcome::Kept => {}
        }
    }
    rejected.sort_unstable();
    totals.rejected += rejected.len() as u64;
    Ok(Committed {
        totals: *totals,
        rejected,
    })
}

/// No use in rejecting all lines that follow.
fn stop_if_full(store: &dyn Store, reason: &Reason) -> Result<(), StoreError> {
    if reason.prefix == Prefix::Error && store.stats()?.full {
        return Err(StoreError::Full(reason.text.to_string()));
    }
    Ok(())
}
