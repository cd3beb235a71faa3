//! Reads events line by line, verifies and commits them in batches.
//!
//! Bad lines are named and skipped. An import that was interrupted is begun again from the start: what is stored already
//! is skipped before its signature is looked at.

use super::lines::{Line, Lines};
use crate::event::{Event, EventError, KindClass};
use crate::nips::nip62;
use crate::reason::{Prefix, Reason};
use crate::store::{CommitPolicy, Outcome, Store, StoreError, Write};
use std::io::{self, BufRead};
use std::sync::Arc;

/// How to import.
#[derive(Clone, Debug)]
pub struct ImportOptions {
    /// Whether ids and signatures are checked. Leave it out only for what a relay of yours has exported.
    pub verify: bool,
    /// The relay's public URL: requests to vanish (NIP-62) that name it bind, as those to all relays do; others are
    /// rejected.
    pub known_as: Option<String>,
    /// Events of one commit.
    pub batch_events: usize,
    /// Bytes of lines read before a commit.
    pub batch_bytes: usize,
    /// Longer lines are rejected.
    pub max_line_bytes: usize,
    /// Threads that parse and verify.
    pub threads: usize,
}

impl Default for ImportOptions {
    fn default() -> Self {
        ImportOptions {
            verify: true,
            known_as: None,
            batch_events: 2_048,
            batch_bytes: 8 << 20,
            max_line_bytes: 4 << 20,
            threads: std::thread::available_parallelism().map_or(1, usize::from),
        }
    }
}

/// What became of the lines so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ImportTotals {
    /// Lines read, blank ones too.
    pub lines: u64,
    /// Bytes read.
    pub bytes: u64,
    /// Events stored.
    pub stored: u64,
    /// Events that the store had.
    pub duplicates: u64,
    /// Events of which the store has a newer version.
    pub superseded: u64,
    /// Events that had been deleted (NIP-09) or had vanished (NIP-62).
    pub deleted: u64,
    /// Lines rejected, each with an [`ImportNote::Rejected`].
    pub rejected: u64,
}

/// What an import has to tell on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportNote<'a> {
    /// A batch is committed.
    Progress(ImportTotals),
    /// A line was skipped.
    Rejected {
        /// Counted from 1.
        line: u64,
        /// In words.
        reason: &'a str,
    },
}

/// Why an import stopped. What was told in [`ImportNote::Progress`] is committed.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The input broke.
    #[error("reading failed: {0}")]
    Read(#[from] io::Error),
    /// The store broke, or is full.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Imports all lines of a reader. `now` is in seconds since 1970: what has expired then is rejected.
pub fn import(
    store: &dyn Store,
    policy: &dyn CommitPolicy,
    reader: impl BufRead,
    now: u64,
    options: &ImportOptions,
    mut tell: impl FnMut(ImportNote<'_>),
) -> Result<ImportTotals, ImportError> {
    let mut lines = Lines::new(reader, options.max_line_bytes);
    let mut totals = ImportTotals::default();
    loop {
        let (batch, is_end) = read_batch(&mut lines, options, &mut totals)?;
        let verdicts = judge_all(store, batch, options);
        commit_verdicts(store, policy, verdicts, now, &mut totals, &mut tell)?;
        tell(ImportNote::Progress(totals));
        if is_end {
            return Ok(totals);
        }
    }
}

/// What one line holds.
enum Verdict {
    Fresh(Write),
    Duplicate,
    Bad(String),
    Failed(StoreError),
}

type NumberedLine = (u64, Line);

fn read_batch(
    lines: &mut Lines<impl BufRead>,
    options: &ImportOptions,
    totals: &mut ImportTotals,
) -> io::Result<(Vec<NumberedLine>, bool)> {
    let mut batch = Vec::new();
    let first_byte = lines.bytes();
    while batch.len() < options.batch_events.max(1)
        && lines.bytes() - first_byte < options.batch_bytes as u64
    {
        let Some((number, line)) = lines.next_line()? else {
            return Ok((batch, true));
        };
        totals.lines = number;
        totals.bytes = lines.bytes();
        if !is_blank(&line) {
            batch.push((number, line));
        }
    }
    Ok((batch, false))
}

fn is_blank(line: &Line) -> bool {
    matches!(line, Line::Whole(text) if text.trim_ascii().is_empty())
}

/// Signatures cost most of an import, so the batch is shared out to threads.
fn judge_all(
    store: &dyn Store,
    batch: Vec<NumberedLine>,
    options: &ImportOptions,
) -> Vec<(u64, Verdict)> {
    let share = batch.len().div_ceil(options.threads.max(1)).max(1);
    let judge_share = |share: &[NumberedLine]| -> Vec<(u64, Verdict)> {
        let verdicts = share
            .iter()
            .map(|(number, line)| (*number, judge(store, line, options)));
        verdicts.collect()
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = batch
            .chunks(share)
            .map(|share| (share, scope.spawn(move || judge_share(share))))
            .collect();
        threads
            .into_iter()
            .flat_map(|(share, thread)| match thread.join() {
                Ok(verdicts) => verdicts,
                // No line may panic a parser; if one does, it is rejected with its share.
                Err(_) => share
                    .iter()
                    .map(|(number, _)| (*number, Verdict::Bad("cannot be read".to_owned())))
                    .collect(),
            })
            .collect()
    })
}

fn judge(store: &dyn Store, line: &Line, options: &ImportOptions) -> Verdict {
    let Line::Whole(text) = line else {
        return Verdict::Bad(format!("longer than {} bytes", options.max_line_bytes));
    };
    let event = match Event::parse(text) {
        Ok(event) => event,
        Err(error) => return bad(&error),
    };
    if event.class() == KindClass::Ephemeral {
        return Verdict::Bad(format!(
            "kind {} is ephemeral, not to be stored",
            event.kind()
        ));
    }
    match store.contains(event.id()) {
        Ok(true) => return Verdict::Duplicate,
        Ok(false) => {}
        Err(error) => return Verdict::Failed(error),
    }
    if options.verify
        && let Err(error) = event.verify()
    {
        return bad(&error);
    }
    match nip62::write_for(Arc::new(event), options.known_as.as_deref()) {
        Ok(write) => Verdict::Fresh(write),
        Err(reason) => Verdict::Bad(reason.to_string()),
    }
}

fn bad(error: &EventError) -> Verdict {
    Verdict::Bad(error.to_string())
}

fn commit_verdicts(
    store: &dyn Store,
    policy: &dyn CommitPolicy,
    verdicts: Vec<(u64, Verdict)>,
    now: u64,
    totals: &mut ImportTotals,
    tell: &mut impl FnMut(ImportNote<'_>),
) -> Result<(), ImportError> {
    let mut numbers = Vec::with_capacity(verdicts.len());
    let mut writes = Vec::with_capacity(verdicts.len());
    let mut rejected = Vec::new();
    for (number, verdict) in verdicts {
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
    for (number, outcome) in numbers.into_iter().zip(store.commit(&writes, policy, now)?) {
        match outcome {
            Outcome::Stored(_) | Outcome::StoredThenRemoved => totals.stored += 1,
            Outcome::Duplicate => totals.duplicates += 1,
            Outcome::Superseded => totals.superseded += 1,
            Outcome::Deleted | Outcome::Vanished => totals.deleted += 1,
            Outcome::Refused(reason) => {
                stop_if_full(store, &reason)?;
                rejected.push((number, reason.to_string()));
            }
            Outcome::Done | Outcome::Kept => {}
        }
    }
    rejected.sort_unstable();
    totals.rejected += rejected.len() as u64;
    for (line, reason) in &rejected {
        let line = *line;
        tell(ImportNote::Rejected { line, reason });
    }
    Ok(())
}

/// No use in rejecting all lines that follow.
fn stop_if_full(store: &dyn Store, reason: &Reason) -> Result<(), StoreError> {
    if reason.prefix == Prefix::Error && store.stats()?.full {
        return Err(StoreError::Full(reason.text.to_string()));
    }
    Ok(())
}
