//! Carrying out one action, step by step, so that it can go on after a crash at any point.
//!
//! Invariant: each step is written down before and after. A step that the journal says is done is not done again; one
//! that had only begun is, and is written so that doing it again has no second effect. The operator's commands are run
//! by `run-once`, which sees to that by itself.

mod reboot;
mod upgrade;

use crate::blocking::blocking;
use crate::clock::Clock;
use crate::config::{Network, Probe};
use crate::download::{DownloadError, Downloader};
use crate::journal::{Journal, Mark, Step};
use crate::placement::Placement;
use crate::question;
use crate::run_once::Seen;
use crate::runner::{self, Order};
use crate::stop::Stop;
use crate::task::Task;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};
use trellis_qube_protocol::{Action, Digest};
use url::Url;

/// How long after a failed fetch it is tried again, at first and at most.
pub(crate) const FETCH_AGAIN: (Duration, Duration) =
    (Duration::from_secs(1), Duration::from_secs(60));

/// How long one try may take in any case.
const ONE_FETCH: Duration = Duration::from_secs(60);

/// How the names of files begin that were fetched before their time.
const EARLY: &str = "genesis-";

/// What carrying out takes.
pub(crate) struct Tools<'a> {
    pub(crate) network: &'a Network,
    /// The network's folder.
    pub(crate) folder: &'a Path,
    pub(crate) downloader: &'a Downloader,
    /// Until when a fetch that has failed is tried again.
    pub(crate) fetch_until: Instant,
    pub(crate) clock: &'a Clock,
    pub(crate) stop: &'a Stop,
}

/// Why an action does not go on.
#[derive(Debug)]
pub(crate) enum Halt {
    /// It has failed; why, for the report.
    Failed(String),
    /// Nobody knows whether it has; nothing more is done. Why, for the report.
    Unknown(String),
    /// The file did not come this time; another try may go better. Why, for the log.
    Again(String),
    /// The agent was asked to stop; it goes on after the next start.
    Stopped,
    /// The agent cannot keep its own books.
    Disk(io::Error),
}

impl From<io::Error> for Halt {
    fn from(error: io::Error) -> Halt {
        Halt::Disk(error)
    }
}

/// An action that is being carried out.
pub(crate) struct Run<'a> {
    tools: &'a Tools<'a>,
    task: &'a Task,
    journal: &'a mut Journal,
}

/// A file that an action replaces, and the command that makes the node take it.
struct Change<'a> {
    placement: Placement,
    urls: Source<'a>,
    max_bytes: u64,
    command: &'a [String],
    within: Duration,
    probe: Option<&'a Probe>,
    environment: Vec<(&'static str, String)>,
}

/// Where the new file comes from.
struct Source<'a> {
    url: Url,
    expected: Option<Digest>,
    /// A copy that was fetched and checked before its time.
    early: Option<&'a Path>,
}

/// Tries once to fetch what a task takes, and does nothing else of it. Why it failed for good is in the journal as well.
pub(crate) async fn fetch(
    tools: &Tools<'_>,
    task: &Task,
    journal: &mut Journal,
) -> Result<(), Halt> {
    let mut run = Run {
        tools,
        task,
        journal,
    };
    let early = early_copy(tools.folder, task);
    let change = change(tools.network, task, &early).map_err(Halt::Failed)?;
    run.fetched(&change).await.map(drop)
}

/// Carries out a task, or goes on with it: how it ended, or why it does not go on.
pub(crate) async fn carry_out(
    tools: &Tools<'_>,
    task: &Task,
    journal: &mut Journal,
) -> Result<Result<(), String>, Halt> {
    let mut run = Run {
        tools,
        task,
        journal,
    };
    let early = early_copy(tools.folder, task);
    let change = match change(tools.network, task, &early) {
        Ok(change) => change,
        Err(problem) => return Ok(Err(problem)),
    };
    match run.replace(&change).await {
        Ok(()) => Ok(Ok(())),
        Err(Halt::Failed(error) | Halt::Unknown(error)) => {
            change.placement.tidy();
            Ok(Err(error))
        }
        Err(halt) => Err(halt),
    }
}

/// Removes what was fetched for a task that is not carried out.
pub(crate) fn forget_fetched(network: &Network, task: &Task) {
    if let Ok(change) = change(network, task, Path::new("")) {
        change.placement.tidy();
    }
}

/// What a task replaces by what.
fn change<'a>(network: &'a Network, task: &Task, early: &'a Path) -> Result<Change<'a>, String> {
    match &task.directive.action {
        Action::Upgrade => upgrade::change(network, task),
        Action::Reboot { genesis_url, .. } => reboot::change(network, task, genesis_url, early),
    }
}

/// Where a genesis is that was fetched before its time.
fn early_copy(folder: &Path, task: &Task) -> PathBuf {
    folder.join(format!("{EARLY}{}", task.key.short()))
}

/// Removes what was fetched before its time; what is still to come is fetched again.
pub(crate) fn forget_early(folder: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(EARLY) {
            crate::durable::remove(&entry.path())?;
        }
    }
    Ok(())
}

/// Fetches the genesis of a reboot before its time, unless it is there.
pub(crate) async fn fetch_early(tools: &Tools<'_>, task: &Task) -> Result<(), DownloadError> {
    let early = early_copy(tools.folder, task);
    let (Action::Reboot { genesis_url, .. }, false) = (&task.directive.action, early.exists())
    else {
        return Ok(());
    };
    let Some(reboot) = &tools.network.reboot else {
        return Ok(());
    };
    let max_bytes = reboot.max_bytes.0;
    let expected = task.genesis_hash.as_ref();
    let beside = early.with_extension("part");
    let downloader = tools.downloader;
    let fetched = downloader
        .fetch(genesis_url, &beside, max_bytes, expected)
        .await;
    fetched?;
    let disk = |source| DownloadError::Disk {
        file: early.clone(),
        source,
    };
    crate::durable::rename(&beside, &early).map_err(disk)
}

impl Run<'_> {
    /// The whole of it; a failure after the swap is rolled back before it is told.
    async fn replace(&mut self, change: &Change<'_>) -> Result<(), Halt> {
        let placement = &change.placement;
        let hash = self.fetched(change).await?;
        let files = placement.clone();
        let keep = self.step(Step::Keep, "cannot keep the old file", move || files.keep());
        let kept: Option<Digest> = keep.await?;
        let files = placement.clone();
        let swap = move || files.swap(&hash);
        let swapped = self.step(Step::Swap, "cannot put the file in its place", swap);
        let swapped = swapped.await;
        if let Err(Halt::Failed(error)) = &swapped {
            // It may have its place all the same: what failed may have come after that.
            return match self.restore(placement, kept).await {
                Ok(()) => Err(Halt::Failed(error.clone())),
                Err(Halt::Failed(worse)) => Err(Halt::Failed(format!("{error}; {worse}"))),
                Err(halt) => Err(halt),
            };
        }
        swapped?;
        let tried = self.take_effect(change, Step::Restart, Step::Probe).await;
        let Err(Halt::Failed(error)) = tried else {
            return tried;
        };
        tracing::warn!(task = self.task.name(), error, "rolling back");
        let back = match self.restore(placement, kept).await {
            Ok(()) => {
                self.take_effect(change, Step::RestartBack, Step::ProbeBack)
                    .await
            }
            Err(halt) => Err(halt),
        };
        match back {
            Ok(()) => Err(Halt::Failed(format!("{error}; rolled back"))),
            Err(Halt::Failed(worse) | Halt::Unknown(worse)) => Err(Halt::Failed(format!(
                "{error}; the rollback failed: {worse}"
            ))),
            Err(halt) => Err(halt),
        }
    }

    async fn restore(&mut self, placement: &Placement, kept: Option<Digest>) -> Result<(), Halt> {
        let files = placement.clone();
        let restore = move || files.restore(kept);
        self.step(Step::Restore, "cannot restore the old file", restore)
            .await
    }

    /// Has the node take what is in its place now, and looks whether it is well.
    async fn take_effect(
        &mut self,
        change: &Change<'_>,
        restart: Step,
        probe: Step,
    ) -> Result<(), Halt> {
        let unknown: Option<String> = match self.begin(restart)? {
            Some(unknown) => unknown,
            None => {
                let ended = self.command(change, restart).await;
                self.end(restart, ended)?
            }
        };
        if let (Some(unknown), None) = (unknown, change.probe) {
            // To run a command beside another of which nobody knows the end could make things worse.
            return Err(Halt::Unknown(unknown));
        }
        if self.begin::<()>(probe)?.is_none() {
            let answered = self.probe(change).await;
            self.end(probe, answered)?;
        }
        Ok(())
    }

    /// Fetches the new file, unless the journal says that it is there: its hash.
    async fn fetched(&mut self, change: &Change<'_>) -> Result<Digest, Halt> {
        match self.begin(Step::Fetch)? {
            Some(hash) => Ok(hash),
            None => {
                let fetched = self.fetch(change).await;
                self.end(Step::Fetch, fetched)
            }
        }
    }

    /// Does a step with the files, unless the journal has it. In words what could not be done.
    async fn step<T: Serialize + DeserializeOwned + Send + 'static>(
        &mut self,
        step: Step,
        words: &str,
        body: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> Result<T, Halt> {
        match self.begin(step)? {
            Some(result) => Ok(result),
            None => {
                let done = blocking(body).await;
                self.end(step, disk(words, done))
            }
        }
    }

    /// Writes down that a step is about to be done. Its result where it was done before, its error where it had failed.
    fn begin<T: DeserializeOwned>(&mut self, step: Step) -> Result<Option<T>, Halt> {
        match self.journal.ended(step) {
            Some(Mark::Done { result }) => {
                let result = serde_json::from_value(result.clone());
                return result.map(Some).map_err(|error| Halt::Disk(error.into()));
            }
            Some(Mark::Failed { error }) => return Err(Halt::Failed(error.clone())),
            Some(Mark::Begin) | None => {}
        }
        if self.tools.stop.is_asked() {
            return Err(Halt::Stopped);
        }
        let now_s = self.tools.clock.now_s();
        self.journal.append(now_s, step, Mark::Begin)?;
        Ok(None)
    }

    /// Writes down how a step ended. What was interrupted has not ended.
    fn end<T: Serialize>(&mut self, step: Step, outcome: Result<T, Halt>) -> Result<T, Halt> {
        let mark = match &outcome {
            Ok(result) => Mark::Done {
                result: serde_json::to_value(result).map_err(io::Error::from)?,
            },
            Err(Halt::Failed(error)) => Mark::Failed {
                error: error.clone(),
            },
            Err(_) => return outcome,
        };
        let now_s = self.tools.clock.now_s();
        self.journal.append(now_s, step, mark)?;
        outcome
    }

    /// Stages the new file: the early copy, or the file from its source. It is for the node to try again while that may help: it
    /// hears between two tries whether the file is still wanted.
    async fn fetch(&self, change: &Change<'_>) -> Result<Digest, Halt> {
        let staged = change.placement.staged();
        let source = &change.urls;
        if let Some(early) = source.early.filter(|early| early.exists()) {
            let (from, to) = (early.to_owned(), staged.clone());
            let hash = disk(
                "cannot stage the genesis",
                blocking(move || stage(&from, &to)).await,
            )?;
            match hash.filter(|hash| source.expected.is_none_or(|expected| expected == *hash)) {
                Some(hash) => return Ok(hash),
                None => disk("cannot remove the copy", crate::durable::remove(early))?,
            }
        }
        let deadline = self.tools.fetch_until;
        let fetch = self.tools.downloader.fetch(
            &source.url,
            &staged,
            change.max_bytes,
            source.expected.as_ref(),
        );
        let until = deadline.max(Instant::now() + ONE_FETCH);
        let error = tokio::select! {
            () = self.tools.stop.asked() => return Err(Halt::Stopped),
            fetched = timeout_at(until, fetch) => match fetched {
                Ok(Ok(hash)) => return Ok(hash),
                Ok(Err(error)) => error,
                Err(_) => return Err(Halt::Failed("the file did not come in time".to_owned())),
            },
        };
        match error.is_passing() && Instant::now() < deadline {
            true => Err(Halt::Again(error.to_string())),
            false => Err(Halt::Failed(error.to_string())),
        }
    }

    /// Has the operator's command run, once in the life of this task. Words where nobody knows how it ended.
    async fn command(&self, change: &Change<'_>, step: Step) -> Result<Option<String>, Halt> {
        let folder = self.tools.folder.join("runs");
        let mut environment = change.environment.clone();
        let which = match step {
            Step::RestartBack => {
                environment.push(("QUBE_ROLLBACK", "1".to_owned()));
                "back"
            }
            _ => "forth",
        };
        let (key, decided_at) = (self.task.key, self.task.decided_at);
        let id = format!("{key}-{decided_at}-{which}");
        let order = Order {
            argv: change.command,
            within: change.within,
            environment,
        };
        let seen = runner::run_once(&folder, &id, &order, self.tools.stop).await?;
        match seen {
            None => Err(Halt::Stopped),
            Some(Seen::Ended(end)) => end
                .problem()
                .map_or(Ok(None), |problem| Err(Halt::Failed(problem))),
            Some(_) => {
                let unknown =
                    "the command was begun and nobody knows how it ended; it is not run again";
                tracing::warn!(task = self.task.name(), "{unknown}");
                Ok(Some(unknown.to_owned()))
            }
        }
    }

    async fn probe(&self, change: &Change<'_>) -> Result<(), Halt> {
        let Some(probe) = change.probe else {
            return Ok(());
        };
        match question::becomes_well(probe, self.tools.downloader, self.tools.stop).await {
            None => Err(Halt::Stopped),
            Some(Ok(())) => Ok(()),
            Some(Err(problem)) => Err(Halt::Failed(problem)),
        }
    }
}

/// Copies a file, and gives the hash of the copy.
fn stage(from: &Path, to: &Path) -> io::Result<Option<Digest>> {
    let mut from = std::fs::File::open(from)?;
    let mut copy = crate::durable::create_new(to)?;
    io::copy(&mut from, &mut copy)?;
    copy.sync_all()?;
    crate::download::hash_of(to)
}

/// A fault of the disk where the node's files are is the action's, not the agent's.
fn disk<T>(what: &str, outcome: io::Result<T>) -> Result<T, Halt> {
    outcome.map_err(|error| Halt::Failed(format!("{what}: {error}")))
}
