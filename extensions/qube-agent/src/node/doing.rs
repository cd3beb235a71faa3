//! What a node does: begins an action or goes on with it, and writes down how it ended.

use super::Node;
use crate::action::{self, Halt, Tools};
use crate::history::{Entry, Outcome};
use crate::journal::{Mark, Step};
use crate::report;
use crate::run_once;
use crate::task::Task;
use std::io;
use std::time::Duration;
use tokio::time::sleep;

/// How long a genesis may take that is fetched before its time, at a time.
const EARLY_WITHIN: Duration = Duration::from_secs(60);

/// Files of the operator's commands that are kept to look at: three a command.
const KEPT_RUN_FILES: usize = 60;

impl Node {
    /// Begins an action, unless its quorum is too new.
    pub(super) async fn act(&mut self, task: Task) -> io::Result<bool> {
        if !self.is_settled(task.key) {
            return Ok(true);
        }
        if self.around.config.dry_run {
            self.tell(format!("dry run: would do {} now", task.name()));
            return Ok(true);
        }
        let (network, name) = (&self.network.id, task.name());
        tracing::info!(%network, task = name, hash = %task.directive.hash, "the quorum is reached: acting");
        // Nothing runs now: all that is there has ended.
        run_once::forget_oldest(&self.folder.join("runs"), KEPT_RUN_FILES)?;
        let result = serde_json::to_value(&task)?;
        let now_s = self.around.clock.now_s();
        self.journal
            .append(now_s, Step::Decide, Mark::Done { result })?;
        self.carry_out(&task).await
    }

    /// Does the journal's task to its end and records it. False when the agent is to stop.
    pub(super) async fn carry_out(&mut self, task: &Task) -> io::Result<bool> {
        self.settling = None;
        let is_over = |entry: &Entry| {
            let is_final = !matches!(entry.outcome, Outcome::Refused { .. });
            is_final && entry.action_at >= task.decided_at
        };
        if self.history.lock().entry(&task.key).is_some_and(is_over) {
            // The crash came between the record and the end of the journal.
            self.journal.finish()?;
            return Ok(true);
        }
        let watch = self.around.watch.clone();
        let running = watch.running(&self.network.id);
        let tools = Tools {
            network: &self.network,
            folder: &self.folder,
            downloader: &self.around.downloader,
            fetch_within: self.around.config.download.within.0,
            clock: &self.around.clock,
            stop: &self.around.stop,
        };
        let outcome = match action::carry_out(&tools, task, &mut self.journal).await {
            Ok(Ok(())) => Outcome::Success,
            Ok(Err(error)) => Outcome::Failure { error },
            Err(Halt::Disk(error)) => return Err(error),
            Err(Halt::Stopped | Halt::Failed(_)) => {
                tracing::info!(network = %self.network.id, task = task.name(), "interrupted; the next start goes on");
                return Ok(false);
            }
        };
        drop(running);
        let now_s = self.around.clock.now_s();
        self.journal.append(now_s, Step::Record, Mark::Begin)?;
        self.record(task, outcome)?;
        self.journal.finish()?;
        action::forget_early(&self.folder)?;
        Ok(true)
    }

    /// Writes down how it ended, with the report, and has it delivered.
    fn record(&mut self, task: &Task, outcome: Outcome) -> io::Result<()> {
        let network = &self.network;
        match outcome.error() {
            None => tracing::info!(network = %network.id, task = task.name(), "done"),
            Some(error) => {
                tracing::warn!(network = %network.id, task = task.name(), error, "not done");
            }
        }
        let kind = task.directive.action.kind();
        self.around
            .watch
            .action(&network.id, kind, outcome.word(), self.around.clock.now_s());
        let entry = report::entry(
            task,
            outcome,
            &network.node_id,
            &self.around.keys,
            self.around.clock.now_s(),
        )
        .map_err(io::Error::other)?;
        self.history.lock().record(task.key, entry)?;
        self.news.notify_one();
        Ok(())
    }

    /// Reports a refusal, once for each reason.
    pub(super) fn refuse(&mut self, task: &Task, error: String, is_final: bool) -> io::Result<()> {
        let told = |entry: &Entry| entry.outcome.error() == Some(error.as_str());
        if self.history.lock().entry(&task.key).is_some_and(told) {
            return Ok(());
        }
        if self.around.config.dry_run {
            self.tell(format!("dry run: would refuse {}: {error}", task.name()));
            return Ok(());
        }
        self.record(task, Outcome::Refused { error, is_final })
    }

    /// Fetches the genesis of a reboot that is to come.
    pub(super) async fn prepare(&mut self, task: &Task) {
        if self.around.config.dry_run {
            return;
        }
        let tools = Tools {
            network: &self.network,
            folder: &self.folder,
            downloader: &self.around.downloader,
            fetch_within: self.around.config.download.within.0,
            clock: &self.around.clock,
            stop: &self.around.stop,
        };
        let fetched = tokio::select! {
            () = self.around.stop.asked() => return,
            () = sleep(EARLY_WITHIN) => Err("it takes too long".to_owned()),
            fetched = action::fetch_early(&tools, task) => fetched,
        };
        if let Err(error) = fetched {
            self.tell(format!(
                "the genesis of {} is not here yet: {error}",
                task.name()
            ));
        }
    }
}
