//! Reads events line by line, verifies them in batches, and has each committed (`commit`) while the next is verified.
//!
//! Bad lines are named and skipped. An import that was interrupted is begun again from the start, where what is stored
//! already is skipped before its signature is looked at, or from a line that was told.

mod commit;

use super::console::{Console, Note};
use super::job::JobError;
use super::lines::{Line, Lines};
use super::target::Target;
use crate::event::{Event, EventError, KindClass};
use crate::nips::nip62;
use crate::store::{Store, StoreError, Write};
use commit::{Committed, Judged};
use serde::{Deserialize, Serialize};
use std::io::{self, BufRead};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender};

/// What to import.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ImportJob {
    /// Whether ids and signatures are checked. Leave it out only for what a relay of yours has exported.
    pub verify: bool,
    /// Lines before this one, counted from 1, are skipped unread.
    pub from_line: u64,
    /// URLs at which clients knew the relay that the lines come from, beside `network.relay_url`: requests to vanish
    /// (NIP-62) that name one of them bind.
    pub known_as: Vec<String>,
}

impl Default for ImportJob {
    fn default() -> Self {
        ImportJob {
            verify: true,
            from_line: 1,
            known_as: Vec::new(),
        }
    }
}

/// How to import.
#[derive(Clone, Debug)]
pub struct ImportOptions {
    /// What to import.
    pub job: ImportJob,
    /// The relay's public URL: requests to vanish (NIP-62) that name it bind, as those to all relays and to
    /// [`ImportJob::known_as`] do; others are rejected.
    pub relay_url: Option<String>,
    /// Events of one commit.
    pub batch_events: usize,
    /// Bytes of lines read before a commit.
    pub batch_bytes: usize,
    /// Longer lines are rejected.
    pub max_line_bytes: usize,
    /// Threads that parse and verify.
    pub threads: usize,
}

impl ImportOptions {
    /// As fast as it goes on a stopped store. On a running relay in small steps on one core, because its publishers wait
    /// for each batch that is before theirs.
    pub fn new(job: &ImportJob, target: &dyn Target) -> Self {
        let is_live = target.is_live();
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        ImportOptions {
            job: job.clone(),
            relay_url: target.config().network.relay_url.clone(),
            batch_events: if is_live { 256 } else { 2_048 },
            batch_bytes: if is_live { 1 << 20 } else { 8 << 20 },
            max_line_bytes: 4 << 20,
            threads: if is_live { 1 } else { cores },
        }
    }
}

/// What became of the lines so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportTotals {
    /// Lines read, blank and skipped ones too.
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
    /// Lines rejected, each with a [`Note::Rejected`].
    pub rejected: u64,
}

/// Imports all lines of a reader. What was told in [`Note::Imported`] is committed, whatever happens next.
pub fn import(
    target: &dyn Target,
    reader: impl BufRead,
    options: &ImportOptions,
    console: &mut dyn Console,
) -> Result<ImportTotals, JobError> {
    std::thread::scope(|scope| {
        let (committer, reports) = commit::start(scope, target);
        let mut progress = Progress {
            console,
            reports,
            totals: ImportTotals::default(),
        };
        let read = read_all(
            &**target.store(),
            reader,
            options,
            &committer,
            &mut progress,
        );
        drop(committer);
        // Whatever ended the reading, what was read before is committed and told.
        while let Ok(report) = progress.reports.recv() {
            progress.tell(report?);
        }
        read.map(|()| progress.totals)
    })
}

/// Reads and judges a batch while the one before is committed, so at most two are in memory.
fn read_all(
    store: &dyn Store,
    reader: impl BufRead,
    options: &ImportOptions,
    committer: &SyncSender<Judged>,
    progress: &mut Progress<'_>,
) -> Result<(), JobError> {
    let mut lines = Lines::new(reader, options.max_line_bytes);
    loop {
        let read = read_batch(&mut lines, options, progress.console);
        let (batch, is_end) = read.map_err(JobError::Read)?;
        let judged = Judged {
            verdicts: judge_all(store, batch.lines, options),
            last_line: batch.last_line,
            bytes: lines.bytes(),
        };
        // Nobody takes it after a failure, of which there is a report.
        if committer.send(judged).is_err() {
            return Ok(());
        }
        while let Ok(report) = progress.reports.try_recv() {
            progress.tell(report?);
        }
        // An input that was cut off ends as any other does.
        if progress.console.is_cancelled() {
            return Err(JobError::Cancelled);
        }
        if is_end {
            return Ok(());
        }
    }
}

/// What the operator has heard of so far.
struct Progress<'c> {
    console: &'c mut dyn Console,
    reports: Receiver<Result<Committed, JobError>>,
    totals: ImportTotals,
}

impl Progress<'_> {
    fn tell(&mut self, committed: Committed) {
        for (line, mut reason) in committed.rejected {
            reason.truncate(reason.floor_char_boundary(REASON_BYTES));
            self.console.tell(Note::Rejected { line, reason });
        }
        self.totals = committed.totals;
        self.console.tell(Note::Imported(self.totals));
    }
}

/// A reason may quote what is wrong, and a file may be wrong in every line.
const REASON_BYTES: usize = 300;

/// What one line holds.
enum Verdict {
    Fresh(Write),
    Duplicate,
    Bad(String),
    Failed(StoreError),
}

type NumberedLine = (u64, Line);

#[derive(Default)]
struct LineBatch {
    lines: Vec<NumberedLine>,
    /// Counted from 1, blank and skipped ones too.
    last_line: u64,
}

fn read_batch(
    lines: &mut Lines<impl BufRead>,
    options: &ImportOptions,
    console: &dyn Console,
) -> io::Result<(LineBatch, bool)> {
    let mut batch = LineBatch::default();
    let first_byte = lines.bytes();
    while batch.lines.len() < options.batch_events.max(1)
        && lines.bytes() - first_byte < options.batch_bytes as u64
        && !console.is_cancelled()
    {
        let (number, line) = match lines.next_line() {
            Ok(Some(numbered)) => numbered,
            Ok(None) => return Ok((batch, true)),
            // An input that was called off may end within a line, which is not read then.
            Err(_) if console.is_cancelled() => break,
            Err(error) => return Err(error),
        };
        batch.last_line = number;
        if number >= options.job.from_line && !is_blank(&line) {
            batch.lines.push((number, line));
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
    if options.job.verify
        && let Err(error) = event.verify()
    {
        return bad(&error);
    }
    let names = options.relay_url.iter().chain(&options.job.known_as);
    match nip62::write_for(Arc::new(event), names.map(String::as_str)) {
        Ok(write) => Verdict::Fresh(write),
        // What vanished would come back with the lines that follow.
        Err(reason) => Verdict::Bad(format!(
            "{}; if it names an address of the relay that these lines come from, import with --known-as URL",
            reason.text
        )),
    }
}

fn bad(error: &EventError) -> Verdict {
    Verdict::Bad(error.to_string())
}
