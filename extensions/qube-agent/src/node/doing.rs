//! What a node does: begins an action or goes on with it, and writes down how it ended.

use super::{CATCH_UP_WITHIN, Late, Node, Surroundings, next_of, until};
use crate::action::{self, Halt, Tools};
use crate::blocking::blocking;
use crate::config::Network;
use crate::download;
use crate::history::{Entry, Outcome};
use crate::journal::{Mark, Step};
use crate::report;
use crate::run_once;
use crate::task::Task;
use std::io;
use std::path::Path;
use std::time::Duration;
use tokio::time::{Instant, sleep, sleep_until};
use trellis_qube_protocol::ActionKind;
use trellis_qube_protocol::decision::{Decision, decide};

/// How long a genesis may take that is fetched before its time, at a time.
const EARLY_WITHIN: Duration = Duration::from_secs(60);

/// How long after a genesis could not be fetched before its time it is tried again, at first and at most.
const EARLY_AGAIN: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(600));

/// Files of the operator's commands that are kept to look at: three a command.
const KEPT_RUN_FILES: usize = 60;

impl Node {
    /// Begins an action, unless its quorum is too new.
    pub(super) async fn act(&mut self, mut task: Task) -> io::Result<bool> {
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
        // Each time it is done is another one, whatever the clock says.
        let before = self
            .history
            .lock()
            .entry(&task.key)
            .map(|entry| entry.decided_at);
        let after = before.map_or(0, |before| before.saturating_add(1));
        task.decided_at = task.decided_at.max(after);
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
            is_final && entry.decided_at == task.decided_at
        };
        if self.history.lock().entry(&task.key).is_some_and(is_over) {
            // The crash came between the record and the end of the journal.
            self.journal.finish()?;
            return Ok(true);
        }
        let watch = self.around.watch.clone();
        let running = watch.running(&self.network.id);
        let fetch_until = Instant::now() + self.around.config.download.within.0;
        if !self.journal.has_begun(Step::Keep) {
            match self.fetch(task, fetch_until).await? {
                Look::Agreed => {}
                Look::Interrupted => return Ok(self.interrupted(task)),
                Look::CalledOff => {
                    let (network, name) = (&self.network.id, task.name());
                    tracing::info!(%network, task = name, "called off while its file came; nothing was done");
                    action::forget_fetched(&self.network, task);
                    drop(running);
                    return self.journal.finish().map(|()| true);
                }
            }
        }
        let tools = tools_of(&self.network, &self.folder, &self.around, fetch_until);
        let outcome = match action::carry_out(&tools, task, &mut self.journal).await {
            Ok(Ok(())) => Outcome::Success,
            Ok(Err(error)) => Outcome::Failure { error },
            Err(Halt::Disk(error)) => return Err(error),
            Err(Halt::Stopped | Halt::Failed(_) | Halt::Unknown(_) | Halt::Again(_)) => {
                return Ok(self.interrupted(task));
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

    /// Fetches what the task takes, and looks after each try whether the votes still want it.
    async fn fetch(&mut self, task: &Task, until: Instant) -> io::Result<Look> {
        let (mut wait, longest) = action::FETCH_AGAIN;
        loop {
            // The last try is one that is not followed by another: what is wrong then is the outcome.
            let until = match Instant::now() + wait > until {
                true => Instant::now(),
                false => until,
            };
            let tools = tools_of(&self.network, &self.folder, &self.around, until);
            let fetched = action::fetch(&tools, task, &mut self.journal).await;
            match fetched {
                Ok(()) | Err(Halt::Failed(_) | Halt::Unknown(_)) => {
                    return self.look_again(task).await;
                }
                Err(Halt::Stopped) => return Ok(Look::Interrupted),
                Err(Halt::Disk(error)) => return Err(error),
                Err(Halt::Again(error)) => {
                    tracing::info!(task = task.name(), error, "fetching again soon");
                }
            }
            // Where no relay has told anything since the start, the file is wanted as far as is known.
            if !self.is_behind() {
                match self.look_again(task).await? {
                    Look::Agreed => {}
                    look => return Ok(look),
                }
            }
            tokio::select! {
                () = self.around.stop.asked() => return Ok(Look::Interrupted),
                () = sleep(wait) => {}
            }
            wait = (wait * 2).min(longest);
        }
    }

    /// Says so; false, as the agent is to stop.
    fn interrupted(&self, task: &Task) -> bool {
        let (network, task) = (&self.network.id, task.name());
        tracing::info!(%network, task, "interrupted; the next start goes on");
        false
    }

    /// Whether the votes still say what was decided, after what was signed while the file came, or while the agent was away.
    async fn look_again(&mut self, task: &Task) -> io::Result<Look> {
        if !self.catch_up().await? {
            return Ok(Look::Interrupted);
        }
        let (state, now_s) = loop {
            self.hear_waiting()?;
            let now_s = self.around.clock.now_s();
            let Some(state) = self.ledger.network(&self.network.id, now_s) else {
                return Ok(Look::CalledOff);
            };
            // How others fared, which an agent that was started anew knows as little as what is signed.
            if !self.ask_for_reports(&state, now_s).await {
                break (state, now_s);
            }
            tokio::select! {
                () = self.around.stop.asked() => return Ok(Look::Interrupted),
                () = until(self.ask_again) => {}
            }
        };
        let stop = self.around.stop.clone();
        let known = tokio::select! {
            () = stop.asked() => return Ok(Look::Interrupted),
            known = self.facts(&state) => known,
        };
        let is_it = match decide(&state, &known.as_facts(&self.network), now_s) {
            Decision::Act {
                action,
                genesis_hash,
            } => action.key == task.key && genesis_hash == task.genesis_hash,
            // Its program is not what was left here.
            Decision::Confirm { action } => action.key == task.key,
            _ => false,
        };
        Ok(match is_it {
            true => Look::Agreed,
            false => Look::CalledOff,
        })
    }

    /// Hears what is signed until all relays have told it, or one has and the others had their time. False where the agent is
    /// to stop before.
    async fn catch_up(&mut self) -> io::Result<bool> {
        let others_by = self.started + CATCH_UP_WITHIN;
        while self.is_behind() {
            let is_late = Instant::now() >= others_by;
            if is_late {
                self.tell_that_nothing_is_told();
            }
            let stop = self.around.stop.clone();
            tokio::select! {
                () = stop.asked() => return Ok(false),
                received = next_of(&mut self.signals) => match received {
                    Some(received) => self.hear(received)?,
                    None => return Ok(false),
                },
                () = sleep_until(others_by), if !is_late => {}
            }
        }
        Ok(true)
    }

    /// Reports once more on an action that is done here already and that the fleet came back to; does it where the file is
    /// another one by now.
    pub(super) async fn confirm(&mut self, task: Task) -> io::Result<bool> {
        if !self.is_settled(task.key) {
            return Ok(true);
        }
        if self.around.config.dry_run {
            self.tell(format!(
                "dry run: would report that {} is done",
                task.name()
            ));
            return Ok(true);
        }
        let upgrade = self.network.upgrade.as_ref();
        let binary = match task.directive.action.kind() {
            ActionKind::Upgrade => upgrade.map(|upgrade| &upgrade.binary),
            ActionKind::Reboot => None,
        };
        if let Some(binary) = binary.cloned() {
            let hash = blocking(move || download::hash_of(&binary)).await;
            if hash.ok().flatten() != Some(task.directive.hash) {
                return self.act(task).await;
            }
        }
        self.settling = None;
        self.record(&task, Outcome::Success)?;
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
        if self.history.lock().has_told(&task.key, &error) {
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
        let late = self.late.take().filter(|late| late.key == task.key);
        if self.around.config.dry_run
            || late
                .as_ref()
                .is_some_and(|late| Instant::now() < late.again)
        {
            self.late = late;
            return;
        }
        let until = Instant::now();
        let tools = tools_of(&self.network, &self.folder, &self.around, until);
        let fetched = tokio::select! {
            () = self.around.stop.asked() => return,
            () = sleep(EARLY_WITHIN) => Err(("it takes too long".to_owned(), true)),
            fetched = action::fetch_early(&tools, task) => {
                fetched.map_err(|error| (error.to_string(), error.is_passing()))
            }
        };
        if let Err((error, is_passing)) = fetched {
            let (first, longest) = EARLY_AGAIN;
            let wait = match is_passing {
                true => late.map_or(first, |late| (late.wait * 2).min(longest)),
                false => longest,
            };
            let (key, again) = (task.key, Instant::now() + wait);
            self.late = Some(Late { key, again, wait });
            self.tell(format!(
                "the genesis of {} is not here yet: {error}",
                task.name()
            ));
        }
    }
}

/// What the votes say of an action that was begun.
enum Look {
    /// It is still to be done.
    Agreed,
    /// It is not to be done any more.
    CalledOff,
    /// The agent is to stop.
    Interrupted,
}

/// What carrying out takes, of a node's parts.
fn tools_of<'a>(
    network: &'a Network,
    folder: &'a Path,
    around: &'a Surroundings,
    fetch_until: Instant,
) -> Tools<'a> {
    Tools {
        network,
        folder,
        downloader: &around.downloader,
        fetch_until,
        clock: &around.clock,
        stop: &around.stop,
    }
}
