//! Asks an instance for its files, without trusting it.
//!
//! Invariant: of one instance at most one call is under way; one that hangs keeps the next from being made, and harms
//! nobody else. What went wrong is counted, logged, told to whoever asked, and shown by `/health` until it went well.

use super::super::compiled::Instance;
use super::super::hook::{AbortOnDrop, Hook, Owner};
use super::super::panics::{self, Ended};
use super::{BackupBlob, BackupError, BackupFiles, StoredCursors, checking};
use crate::reason::presentable;
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

/// The backups of one instance.
pub(in super::super) struct Backups {
    one_at_a_time: Arc<Semaphore>,
    /// Of the files, and of the blobs.
    problems: [Mutex<Option<String>>; 2],
}

/// Places among the problems.
const FILES: usize = 0;
const BLOBS: usize = 1;

impl Default for Backups {
    fn default() -> Self {
        Backups {
            one_at_a_time: Arc::new(Semaphore::new(1)),
            problems: Default::default(),
        }
    }
}

impl Backups {
    /// What the last backup failed of, if it did.
    pub(in super::super) fn problem(&self) -> Option<String> {
        self.problems.iter().find_map(|problem| {
            let problem = problem.lock().unwrap_or_else(PoisonError::into_inner);
            problem.clone()
        })
    }

    /// The extension's files, copied to a directory below `into` that is made for it.
    pub(in super::super) async fn files(
        &self,
        owner: &Owner,
        instance: &Arc<dyn Instance>,
        hooks: &[Arc<Hook>],
        into: &Path,
        limit: Duration,
    ) -> Result<BackupFiles, BackupError> {
        let into = into.join(owner.name);
        let asked = async {
            DirBuilder::new().mode(0o700).create(&into)?;
            let core = owner.host.core();
            let cursors = StoredCursors::read(core, hooks).await?;
            let (instance, data_dir) = (instance.clone(), core.data_dir().to_owned());
            let work = async move {
                let files = instance.back_up(into.clone()).await?;
                Ok(checking::files(files, &into, &data_dir)?)
            };
            let files = self.contain(owner, "back_up", limit, work).await?;
            Ok(BackupFiles { files, cursors })
        };
        let outcome = asked.await;
        self.note(owner, FILES, &outcome);
        outcome
    }

    /// The extension's blobs after one, at most `max`.
    pub(in super::super) async fn blobs(
        &self,
        owner: &Owner,
        instance: &Arc<dyn Instance>,
        (after, max): (Option<[u8; 32]>, usize),
        limit: Duration,
    ) -> Result<Vec<BackupBlob>, BackupError> {
        let (instance, data_dir) = (instance.clone(), owner.host.data_dir().to_owned());
        let work = async move {
            let blobs = instance.back_up_blobs(after, max).await?;
            Ok(checking::blobs(blobs, after, max, &data_dir)?)
        };
        let outcome = self.contain(owner, "back_up_blobs", limit, work).await;
        self.note(owner, BLOBS, &outcome);
        outcome
    }

    /// Runs an author's code on the extension's own threads.
    async fn contain<R: Send + 'static>(
        &self,
        owner: &Owner,
        what: &'static str,
        limit: Duration,
        work: impl Future<Output = Result<R, BackupError>> + Send + 'static,
    ) -> Result<R, BackupError> {
        let until = Instant::now() + limit;
        let permit = self.one_at_a_time.clone().acquire_owned();
        let Ok(Ok(permit)) = timeout_at(until, permit).await else {
            // Which was counted when it began.
            return Err("the call before has not ended".into());
        };
        let mut task = AbortOnDrop(owner.runtime.spawn(async move {
            // The task holds it, not the waiter: one that blocks its thread goes on holding it.
            let _permit = permit;
            work.await
        }));
        let outcome = match timeout_at(until, &mut task.0).await.map(panics::joined) {
            Ok(Ok(answer)) => answer,
            // Which is no fault.
            Ok(Err(Ended::CutOff)) => return Err("it was stopped".into()),
            Ok(Err(Ended::Panicked)) => Err("it panicked; the log says where".into()),
            Err(_) => {
                let limit_ms = limit.as_millis();
                Err(format!("it gave no answer within {limit_ms} ms").into())
            }
        };
        outcome.map_err(|error| {
            owner.count_fault(what);
            BackupError(presentable(error.0.into()).into_owned())
        })
    }

    fn note<R>(&self, owner: &Owner, of: usize, outcome: &Result<R, BackupError>) {
        let problem = outcome.as_ref().err().map(|error| error.0.clone());
        if let Some(problem) = &problem {
            tracing::warn!(
                extension = owner.name,
                problem,
                "the extension's files are not in this backup"
            );
        }
        let mut noted = self.problems[of]
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *noted = problem;
    }
}
