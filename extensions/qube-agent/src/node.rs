//! One node of one network: hears signals, decides, acts, writes down how it ended.
//!
//! Invariant: one action at a time, and what had begun before a crash is finished before anything new is decided.
//! Whether to act is `trellis_qube_protocol`'s decision; this keeps what the decision needs.

mod facts;

use crate::action::{self, Halt, Tools};
use crate::clock::Clock;
use crate::config::{Config, Network};
use crate::delivery::Shared;
use crate::download::Downloader;
use crate::durable;
use crate::history::{Entry, Outcome};
use crate::journal::{Journal, Mark, Step};
use crate::report;
use crate::stop::Stop;
use crate::task::Task;
use crate::votes::Votes;
use crate::watch::Watch;
use nostr::key::Keys;
use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, sleep_until};
use trellis_qube_client::{Received, Relays, Subscription};
use trellis_qube_protocol::decision::{self, Decision, Past, WaitReason, decide};
use trellis_qube_protocol::{
    ADDRESS, Ack, ActionKey, Fields, KIND_ACK, KIND_SIGNAL, Ledger, NetworkState, Signal, VoteScope,
};
use url::Url;

/// How long a node waits for all relays before it decides on what some of them have told.
const CATCH_UP_WITHIN: Duration = Duration::from_secs(10);
/// How far back reports of other nodes are asked for, where a decision needs them. Seconds.
const REPORTS_OF_S: u64 = 30 * 86_400;
/// The longest sleep at a time: clocks are set. Seconds.
const MAX_SLEEP_S: u64 = 3_600;
/// Signals that cannot be followed of which is told.
const MAX_UNREADABLE: usize = 256;
/// How long a genesis may take that is fetched before its time, at a time.
const EARLY_WITHIN: Duration = Duration::from_secs(60);

/// What nodes share.
#[derive(Clone)]
pub(crate) struct Surroundings {
    pub(crate) config: Arc<Config>,
    pub(crate) keys: Keys,
    pub(crate) relays: Relays,
    pub(crate) downloader: Downloader,
    pub(crate) clock: Clock,
    pub(crate) stop: Stop,
    pub(crate) watch: Watch,
}

/// A node of one network.
pub(crate) struct Node {
    around: Surroundings,
    network: Network,
    folder: PathBuf,
    votes: Votes,
    ledger: Ledger,
    journal: Journal,
    history: Shared,
    /// Told when there is a new report to deliver.
    news: Arc<Notify>,
    /// Other nodes' reports, once a decision needs them.
    reports: Option<Subscription>,
    /// Relays that have told all they have.
    caught_up: BTreeSet<Url>,
    started: Instant,
    /// The action whose quorum is given time to settle, and since when.
    settling: Option<(ActionKey, Instant)>,
    /// When to decide again although nothing was heard.
    wake: Option<Instant>,
    /// Signals that could not be followed, so that each is told of once.
    unreadable: BTreeSet<nostr::event::EventId>,
    /// What was said in the log, so that it is said once.
    told: Option<String>,
}

impl Node {
    /// Opens what is kept of this node.
    pub(crate) fn open(
        around: Surroundings,
        network: Network,
        history: Shared,
        news: Arc<Notify>,
    ) -> io::Result<Node> {
        let folder = around.config.folder_of(&network.id);
        std::fs::create_dir_all(folder.join("runs"))?;
        let developers = network.developers.iter().copied();
        let fleet =
            trellis_qube_protocol::Network::new(network.id.clone(), developers, network.quorum)
                .map_err(io::Error::other)?;
        let mut ledger = Ledger::new(vec![fleet], VoteScope::Network);
        let votes = Votes::open(&folder)?;
        for signal in votes.signals() {
            ledger.insert_signal(signal);
        }
        Ok(Node {
            journal: Journal::open(&folder)?,
            around,
            network,
            folder,
            votes,
            ledger,
            history,
            news,
            reports: None,
            caught_up: BTreeSet::new(),
            started: Instant::now(),
            settling: None,
            wake: None,
            unreadable: BTreeSet::new(),
            told: None,
        })
    }

    /// Works until the agent is asked to stop.
    pub(crate) async fn run(mut self) -> io::Result<()> {
        if let Some(task) = self.journal.unfinished::<Task>() {
            tracing::info!(network = %self.network.id, task = task.name(), "going on after an interruption");
            if !self.carry_out(&task).await? {
                return Ok(());
            }
        }
        let filter = serde_json::json!({
            "kinds": [KIND_SIGNAL], "authors": self.network.developers, "#d": [ADDRESS],
        });
        let mut signals = self
            .around
            .relays
            .subscribe(&filter)
            .map_err(io::Error::other)?;
        let mut ticks = interval(self.around.config.check_every.0);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let stop = self.around.stop.clone();
        loop {
            tokio::select! {
                () = stop.asked() => return Ok(()),
                received = signals.next() => match received {
                    Some(received) => self.hear(received)?,
                    None => return Ok(()),
                },
                received = next_of(&mut self.reports) => self.hear_report(received),
                () = until(self.wake) => if !self.consider().await? {
                    return Ok(());
                },
                _ = ticks.tick() => if !self.consider().await? {
                    return Ok(());
                },
            }
        }
    }

    fn hear(&mut self, received: Received) -> io::Result<()> {
        let event = match received {
            Received::Event { event, .. } => event,
            Received::CaughtUp { relay } => {
                self.caught_up.insert(relay);
                return Ok(());
            }
            Received::Lost { .. } => return Ok(()),
        };
        let network = &self.network.id;
        let signal = match Signal::parse(&Fields::of(&event)) {
            Ok(signal) => signal,
            Err(error) => {
                if self.unreadable.len() < MAX_UNREADABLE && self.unreadable.insert(event.id) {
                    self.around.watch.signal(network, "invalid");
                    tracing::warn!(%network, id = %event.id, %error, "a signal that cannot be followed");
                }
                return Ok(());
            }
        };
        let is_ours = signal.network() == network;
        if !is_ours || !self.network.developers.contains(&signal.developer) {
            return Ok(());
        }
        if self.ledger.signal(&signal.id).is_some() {
            return Ok(());
        }
        let (version, developer) = (signal.directive.version.clone(), signal.developer);
        if self.ledger.insert_signal(signal) {
            self.votes.add(*event)?;
            self.around.watch.signal(network, "vote");
            tracing::info!(%network, %developer, %version, "a vote");
        }
        Ok(())
    }

    fn hear_report(&mut self, received: Option<Received>) {
        let event = match received {
            Some(Received::Event { event, .. }) => event,
            Some(_) => return,
            None => {
                self.reports = None;
                return;
            }
        };
        if let Ok(ack) = Ack::parse(&Fields::of(&event)) {
            self.ledger.insert_ack(ack);
        }
    }

    /// Decides and does what was decided. False when the agent is to stop.
    async fn consider(&mut self) -> io::Result<bool> {
        self.wake = None;
        let all = self.around.relays.urls().count();
        if self.caught_up.len() < all && self.started.elapsed() < CATCH_UP_WITHIN {
            return Ok(true);
        }
        let now_s = self.around.clock.now_s();
        let Some(state) = self.ledger.network(&self.network.id, now_s) else {
            return Ok(true);
        };
        self.around.watch.state(&self.network.id, &state);
        self.ask_for_reports(&state, now_s);
        let known = self.facts(&state).await;
        match decide(&state, &known.as_facts(&self.network), now_s) {
            Decision::Nothing => {
                self.settling = None;
                Ok(true)
            }
            Decision::Wait {
                action,
                reason,
                until,
            } => {
                self.settle(action.key);
                self.wake = until.map(|until_s| {
                    let left_s = until_s.saturating_sub(now_s).min(MAX_SLEEP_S);
                    Instant::now() + Duration::from_secs(left_s)
                });
                self.tell(format!("{} waits: {reason:?}", action.directive.version));
                if let (WaitReason::Deadline(_), Some(task)) =
                    (&reason, Task::of(&action, action.genesis_hash, now_s))
                {
                    self.prepare(&task).await;
                }
                Ok(true)
            }
            Decision::Act {
                action,
                genesis_hash,
            } => match Task::of(&action, genesis_hash, now_s) {
                Some(task) => self.act(task).await,
                None => Ok(true),
            },
            Decision::Refuse {
                action,
                error,
                is_final,
            } => {
                if let Some(task) = Task::of(&action, None, now_s) {
                    self.refuse(&task, error, is_final)?;
                }
                Ok(true)
            }
        }
    }

    /// Since when this action's quorum is seen.
    fn settle(&mut self, key: ActionKey) -> Instant {
        match self.settling {
            Some((known, since)) if known == key => since,
            _ => {
                let now = Instant::now();
                self.settling = Some((key, now));
                now
            }
        }
    }

    /// Begins an action, unless its quorum is too new.
    async fn act(&mut self, task: Task) -> io::Result<bool> {
        let ripe = self.settle(task.key) + self.around.config.settle.0;
        if Instant::now() < ripe {
            self.wake = Some(ripe);
            return Ok(true);
        }
        if self.around.config.dry_run {
            self.tell(format!("dry run: would do {} now", task.name()));
            return Ok(true);
        }
        let (network, name) = (&self.network.id, task.name());
        tracing::info!(%network, task = name, hash = %task.directive.hash, "the quorum is reached: acting");
        let result = serde_json::to_value(&task)?;
        let now_s = self.around.clock.now_s();
        self.journal
            .append(now_s, Step::Decide, Mark::Done { result })?;
        self.carry_out(&task).await
    }

    /// Does the journal's task to its end and records it. False when the agent is to stop.
    async fn carry_out(&mut self, task: &Task) -> io::Result<bool> {
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
        durable::remove(&action::early_copy(&self.folder, task))?;
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
    fn refuse(&mut self, task: &Task, error: String, is_final: bool) -> io::Result<()> {
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
    async fn prepare(&mut self, task: &Task) {
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

    fn ask_for_reports(&mut self, state: &NetworkState, now_s: u64) {
        if self.reports.is_some() || !facts::needs_reports(state) {
            return;
        }
        let address = |developer| format!("{KIND_SIGNAL}:{developer}:{ADDRESS}");
        let addresses: Vec<String> = self.network.developers.iter().map(address).collect();
        let filter = serde_json::json!({
            "kinds": [KIND_ACK], "#a": addresses, "since": now_s.saturating_sub(REPORTS_OF_S),
        });
        self.reports = self.around.relays.subscribe(&filter).ok();
    }

    /// Says something in the log, unless it was the last that was said.
    fn tell(&mut self, words: String) {
        if self.told.as_ref() != Some(&words) {
            tracing::info!(network = %self.network.id, "{words}");
            self.told = Some(words);
        }
    }

    async fn facts(&self, state: &NetworkState) -> facts::Known {
        let (past, version) = {
            let history = self.history.lock();
            let mut past = history.past();
            for action in &state.actions {
                if history.was_imported(&action.directive) {
                    // It has no time, and is not done again however the votes go.
                    let (outcome, at_s) = (decision::Outcome::Done, u64::MAX);
                    past.insert(action.key, Past { outcome, at_s });
                }
            }
            (past, history.version().cloned())
        };
        facts::Known::of(&self.network, state, past, version).await
    }
}

/// The next of a subscription that there may not be.
async fn next_of(subscription: &mut Option<Subscription>) -> Option<Received> {
    match subscription {
        Some(subscription) => subscription.next().await,
        None => std::future::pending().await,
    }
}

/// Returns at that moment; never where there is none.
async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}
