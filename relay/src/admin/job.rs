//! What an operator can ask for, as it is written on the way to a running relay, and what comes of it.

use super::backup::{BackupJob, Written, write_backup};
use super::command::{self, CommandJob, Ran};
use super::console::{Console, Note};
use super::decisions::{self, DecisionsJob};
use super::delete::{DeleteJob, DeleteTotals, delete};
use super::export::{ExportJob, export};
use super::import::{ImportJob, ImportOptions, ImportTotals, import};
use super::sync::{Direction, SyncError, SyncJob, SyncTotals, sync};
use super::target::Target;
use crate::filter::{Filter, FilterError, FilterLimits};
use crate::store::{CheckReport, CompactReport, Headway, StoreError};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::io::{self, BufRead};
use std::ops::ControlFlow;

/// One piece of work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "job", rename_all = "snake_case")]
pub enum Job {
    /// Store the events of the input, one a line.
    Import(ImportJob),
    /// Print stored events.
    Export(ExportJob),
    /// Remove what a filter names.
    Delete(DeleteJob),
    /// Verify the indexes.
    Check(CheckJob),
    /// Write the database anew, without gaps.
    Compact,
    /// Exchange events with another relay.
    Sync(SyncJob),
    /// Run a command that an extension brings.
    Command(CommandJob),
    /// Print the log of decisions.
    Decisions(DecisionsJob),
    /// Bring what is committed to the backup now.
    Backup(BackupJob),
}

/// How to check.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckJob {
    /// Whether each id is compared with the hash of its event.
    pub verify_ids: bool,
}

/// What came of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Done {
    /// What became of the lines.
    Imported(ImportTotals),
    /// How many events were printed.
    Exported(u64),
    /// What became of the events that matched.
    Deleted(DeleteTotals),
    /// What was found, damage too.
    Checked(CheckReport),
    /// What was gained.
    Compacted(CompactReport),
    /// What was exchanged.
    Synced(SyncTotals),
    /// What a command of an extension said.
    Ran(Ran),
    /// How many decisions there are.
    Told(u64),
    /// What the backup has now.
    BackedUp(Written),
}

/// Why a job ended early.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// The filter does not parse.
    #[error("the filter is wrong")]
    Filter(#[from] FilterError),
    /// Matching is by the store, which knows nothing of words: all events would match.
    #[error("the filter cannot search (NIP-50); leave the key \"search\" out")]
    Search,
    /// Nobody deletes everything by mistake.
    #[error(
        "the filter names no ids, authors, kinds or tags, so it may mean every event; add --all if that is what you want"
    )]
    NamesEverything,
    /// The operator, or the end of the relay.
    #[error("interrupted")]
    Cancelled,
    /// The input broke.
    #[error("reading failed")]
    Read(#[source] io::Error),
    /// The output broke; a closed pipe shows as [`io::ErrorKind::BrokenPipe`].
    #[error("writing failed")]
    Write(#[source] io::Error),
    /// The store broke, or is full.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The other relay did not do its part.
    #[error(transparent)]
    Sync(#[from] SyncError),
    /// The backup could not be written now.
    #[error("the backup: {0}")]
    Backup(String),
}

impl JobError {
    /// The error and what it comes from, in one line.
    pub fn in_full(&self) -> String {
        let sources =
            std::iter::successors(std::error::Error::source(self), |error| error.source());
        sources.fold(self.to_string(), |line, error| format!("{line}: {error}"))
    }
}

impl Job {
    /// Finds what is wrong with the job itself, before anything is opened.
    pub fn validate(&self) -> Result<(), JobError> {
        match self {
            Job::Export(job) => filter_of(&job.filter).map(drop),
            Job::Delete(job) => job.checked_filter().map(drop),
            Job::Sync(job) => job.checked_filter().map(drop),
            Job::Import(_)
            | Job::Check(_)
            | Job::Compact
            | Job::Command(_)
            | Job::Decisions(_)
            | Job::Backup(_) => Ok(()),
        }
    }

    /// Does the work on this thread, which may block.
    pub fn run(
        &self,
        target: &dyn Target,
        input: &mut dyn BufRead,
        console: &mut dyn Console,
    ) -> Result<Done, JobError> {
        Ok(match self {
            Job::Import(job) => {
                let options = ImportOptions::new(job, target);
                Done::Imported(import(target, input, &options, console)?)
            }
            Job::Export(job) => Done::Exported(export(target, job, console)?),
            Job::Delete(job) => Done::Deleted(delete(target, job, console)?),
            Job::Check(job) => {
                warn(
                    target,
                    console,
                    "the database grows while the check reads it",
                );
                let store = target.store();
                Done::Checked(store.inspect(job.verify_ids, &mut |at| look(console, at))?)
            }
            Job::Compact => {
                warn(
                    target,
                    console,
                    "publishers wait for their OK until the copy is written",
                );
                Done::Compacted(target.store().compact(&mut |at| look(console, at))?)
            }
            Job::Sync(job) => Done::Synced(sync(target, job, console)?),
            Job::Command(job) => Done::Ran(command::run(target, job, console)?),
            Job::Decisions(job) => Done::Told(decisions::print(target, *job, console)?),
            Job::Backup(job) => Done::BackedUp(write_backup(target, *job)?),
        })
    }

    /// The word for logs.
    pub fn name(&self) -> &'static str {
        match self {
            Job::Import(_) => "import",
            Job::Export(_) => "export",
            Job::Delete(_) => "delete",
            Job::Check(_) => "check",
            Job::Compact => "compact",
            Job::Sync(_) => "sync",
            Job::Command(_) => "command",
            Job::Decisions(_) => "decisions",
            Job::Backup(_) => "backup",
        }
    }

    /// Whether the input is read.
    pub fn takes_input(&self) -> bool {
        matches!(self, Job::Import(_))
    }

    /// Whether events come, go or are shown to others, so that extensions have a say.
    pub fn concerns_extensions(&self) -> bool {
        match self {
            Job::Import(_) => true,
            Job::Delete(job) => !job.dry_run,
            Job::Sync(_) | Job::Command(_) => true,
            Job::Export(_) | Job::Check(_) | Job::Compact | Job::Decisions(_) | Job::Backup(_) => {
                false
            }
        }
    }

    /// Whether others are shown events, which nobody may decide for the extensions.
    pub fn shows_events(&self) -> bool {
        matches!(self, Job::Sync(job) if job.direction != Direction::Down)
    }
}

/// The filter that a job's JSON writes; `null` is the filter of everything.
pub(super) fn filter_of(json: &Value) -> Result<Filter, JobError> {
    if json.is_null() {
        return Ok(Filter::default());
    }
    let filter = Filter::parse(&json.to_string(), &FilterLimits { values: usize::MAX })?;
    match filter.search {
        Some(_) => Err(JobError::Search),
        None => Ok(filter),
    }
}

fn warn(target: &dyn Target, console: &mut dyn Console, words: &str) {
    if target.is_live() {
        console.tell(Note::Warning(words.to_owned()));
    }
}

fn look(console: &mut dyn Console, at: Headway) -> ControlFlow<()> {
    console.tell(Note::Headway {
        done: at.done,
        total: Some(at.total),
    });
    match console.is_cancelled() {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    }
}
