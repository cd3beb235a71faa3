//! One node of one network: hears signals, decides, acts, writes down how it ended.
//!
//! Invariant: one action at a time, and what had begun before a crash is finished before anything new is decided.
//! Whether to act is `trellis_qube_protocol`'s decision; this keeps what the decision needs.

mod doing;
mod facts;
mod hearing;

use crate::awaited;
use crate::clock::Clock;
use crate::config::{Config, Network};
use crate::delivery::Shared;
use crate::download::Downloader;
use crate::journal::Journal;
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
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};
use trellis_qube_client::{Received, Relays, Subscription};
use trellis_qube_protocol::decision::{self, Decision, Past, WaitReason, decide};
use trellis_qube_protocol::{ADDRESS, ActionKey, KIND_SIGNAL, Ledger, NetworkState, VoteScope};
use url::Url;

/// How long a node waits for all relays before it decides on what some of them have told.
const CATCH_UP_WITHIN: Duration = Duration::from_secs(10);
/// The longest sleep at a time: clocks are set. Seconds.
const MAX_SLEEP_S: u64 = 3_600;

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
    /// What developers sign, as it comes.
    signals: Option<Subscription>,
    /// Other nodes' reports, once a decision needs them.
    reports: Option<Subscription>,
    /// Whether a relay has told which reports there are.
    knows_reports: bool,
    /// When to ask for reports again, after no relay told.
    ask_again: Option<Instant>,
    /// The genesis that could not be fetched before its time, and when to try again.
    late: Option<Late>,
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
    /// What is told to be awaited; nothing was told yet where there is none.
    awaited: Option<Option<String>>,
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
            signals: None,
            reports: None,
            knows_reports: false,
            ask_again: None,
            late: None,
            caught_up: BTreeSet::new(),
            started: Instant::now(),
            settling: None,
            wake: None,
            unreadable: BTreeSet::new(),
            told: None,
            awaited: None,
        })
    }

    /// Works until the agent is asked to stop.
    pub(crate) async fn run(mut self) -> io::Result<()> {
        let filter = serde_json::json!({
            "kinds": [KIND_SIGNAL], "authors": self.network.developers, "#d": [ADDRESS],
        });
        let signals = self.around.relays.subscribe(&filter);
        self.signals = Some(signals.map_err(io::Error::other)?);
        match self.journal.unfinished::<Task>()? {
            Some(task) if self.around.config.dry_run => {
                let name = task.name();
                self.tell(format!("dry run: {name} is unfinished and would go on now"));
            }
            Some(task) => {
                tracing::info!(network = %self.network.id, task = task.name(), "going on after an interruption");
                if !self.carry_out(&task).await? {
                    return Ok(());
                }
            }
            None => {}
        }
        let mut ticks = interval(self.around.config.check_every.0);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let stop = self.around.stop.clone();
        loop {
            tokio::select! {
                () = stop.asked() => return Ok(()),
                received = next_of(&mut self.signals) => match received {
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

    /// Decides and does what was decided. False when the agent is to stop.
    async fn consider(&mut self) -> io::Result<bool> {
        self.wake = None;
        if self.is_behind() && self.started.elapsed() < CATCH_UP_WITHIN {
            return Ok(true);
        }
        let now_s = self.around.clock.now_s();
        let Some(state) = self.ledger.network(&self.network.id, now_s) else {
            return Ok(true);
        };
        self.around.watch.state(&self.network.id, &state);
        if self.is_behind() {
            self.tell_that_nothing_is_told();
            return Ok(true);
        }
        if self.ask_for_reports(&state, now_s).await {
            return Ok(true);
        }
        let stop = self.around.stop.clone();
        let known = tokio::select! {
            () = stop.asked() => return Ok(true),
            known = self.facts(&state) => known,
        };
        let decision = decide(&state, &known.as_facts(&self.network), now_s);
        if !matches!(decision, Decision::Wait { .. }) {
            self.await_openly(None)?;
        }
        match decision {
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
                let (kind, version) = (action.directive.action.kind(), &action.directive.version);
                let waits = format!("{kind} {version} waits: {}", awaited::words(&reason));
                self.await_openly(Some(&waits))?;
                self.tell(waits);
                // Without a hash the file may still change at its address, and all nodes are to have the same.
                if let (WaitReason::Deadline(_), Some(task)) =
                    (&reason, Task::of(&action, action.genesis_hash, now_s))
                    && task.genesis_hash.is_some()
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
            Decision::Confirm { action } => match Task::of(&action, action.genesis_hash, now_s) {
                Some(task) => self.confirm(task).await,
                None => Ok(true),
            },
            Decision::Refuse {
                action,
                error,
                is_final,
            } => {
                if let Some(task) = Task::of(&action, None, now_s)
                    && self.is_settled(action.key)
                {
                    self.refuse(&task, error, is_final)?;
                }
                Ok(true)
            }
        }
    }

    /// Whether it is not known what is signed: what was kept may have been called off while this agent was away. Known is what
    /// all relays have told, or some after the others had their time.
    fn is_behind(&self) -> bool {
        let told = self.caught_up.len();
        let all = self.around.relays.urls().count();
        told == 0 || told < all && self.started.elapsed() < CATCH_UP_WITHIN
    }

    fn tell_that_nothing_is_told(&mut self) {
        let words = "no relay has told what is signed; nothing is begun before one does";
        self.tell(words.to_owned());
    }

    /// Since when this action's quorum is seen.
    fn settle(&mut self, key: ActionKey) -> Instant {
        let now = Instant::now();
        let (known, since) = self.settling.unwrap_or((key, now));
        let since = if known == key { since } else { now };
        self.settling = Some((key, since));
        since
    }

    /// Whether this action's quorum has been seen for long enough; if not, the node wakes when it has.
    fn is_settled(&mut self, key: ActionKey) -> bool {
        let ripe = self.settle(key) + self.around.config.settle.0;
        let is_settled = Instant::now() >= ripe;
        if !is_settled {
            self.wake = Some(ripe);
        }
        is_settled
    }

    /// Has `/health` and `status` tell what is awaited.
    fn await_openly(&mut self, words: Option<&str>) -> io::Result<()> {
        if self.awaited.as_ref().map(Option::as_deref) != Some(words) {
            awaited::keep(&self.folder, words)?;
            self.around.watch.waits(&self.network.id, words);
            self.awaited = Some(words.map(str::to_owned));
        }
        Ok(())
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

/// A genesis that could not be fetched before its time.
struct Late {
    key: ActionKey,
    again: Instant,
    wait: Duration,
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
