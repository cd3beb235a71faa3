//! One program: its questions, its processes together, and how it is.
//!
//! Not here: what keeps a process running (`worker`), and what is said to one (`conversation`).

use crate::chatter::Chatter;
use crate::config::ProgramConfig;
use crate::counts::Counts;
use crate::process::file_of;
use crate::protocol::Question;
use crate::queue::{Answer, Queue, Unanswered};
use crate::version::Version;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use trellis_relay::extension::{Host, RateLimiter};

/// After so many failures in a row nobody waits for the next start.
const DOWN_AFTER: u32 = 3;
/// The wait before the first start after a failure; it doubles up to the longest while nothing works.
const WAIT_MIN: Duration = Duration::from_millis(200);
const WAIT_MAX: Duration = Duration::from_secs(30);
/// A version that could not be started is tried again after this.
const REFUSED_FOR: Duration = Duration::from_secs(30);
/// So many lines of a program's standard error, and so many complaints about it, are logged in [`LOG_WINDOW`].
const LOG_LINES_MAX: u32 = 50;
const LOG_WINDOW: Duration = Duration::from_secs(10);

pub(crate) struct Program {
    pub(crate) config: ProgramConfig,
    pub(crate) queue: Queue,
    pub(crate) counts: Counts,
    pub(crate) chatter: Arc<Chatter>,
    file: Option<PathBuf>,
    state: Mutex<State>,
    complaints: RateLimiter,
    stage: watch::Sender<Stage>,
    next_id: AtomicU64,
}

/// How far its end has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
pub(crate) enum Stage {
    Running,
    /// Nothing new is taken; what was asked is answered still.
    Draining,
    /// What was not answered will not be.
    Over,
}

#[derive(Default)]
struct State {
    running: usize,
    failures_in_a_row: u32,
    /// How the last process ended, in words that follow "it".
    last_failure: String,
    refused: Option<Refused>,
}

/// A version that could not be started: not tried again for each question, but after a while.
struct Refused {
    version: Version,
    /// In words that follow "cannot be started: ".
    why: String,
    since: Instant,
}

/// Counts as a process that runs.
pub(crate) struct RunningProcess<'p>(&'p Program);

impl Drop for RunningProcess<'_> {
    fn drop(&mut self) {
        self.0.counts.processes.decrement(1);
        self.0.state().running -= 1;
    }
}

impl Program {
    pub(crate) fn new(config: ProgramConfig, host: &Host) -> Arc<Self> {
        let limiter = || host.rate_limiter(LOG_LINES_MAX, LOG_WINDOW);
        Arc::new(Program {
            queue: Queue::default(),
            counts: Counts::of(host),
            chatter: Chatter::new(&config.name, limiter()),
            file: file_of(&config),
            state: Mutex::default(),
            complaints: limiter(),
            stage: watch::Sender::new(Stage::Running),
            next_id: AtomicU64::new(0),
            config,
        })
    }

    pub(crate) fn name(&self) -> &str {
        &self.config.name
    }

    /// Asks one of its processes.
    pub(crate) async fn ask(&self, question: Question) -> Answer {
        let answer = self.queue.ask(question).answered(self.config.max_wait());
        let answer = answer.await;
        match &answer {
            Ok(_) => {}
            Err(Unanswered::Busy) => self.counts.busy.increment(1),
            Err(_) => self.counts.unanswered.increment(1),
        }
        answer
    }

    /// An id for a question that has none of its own.
    pub(crate) fn new_id(&self) -> String {
        format!("q{}", self.next_id.fetch_add(1, Relaxed))
    }

    /// The version of the file that is to take the place of this one.
    pub(crate) fn newer(&self, running: Option<Version>) -> Option<Version> {
        let (file, running) = (self.file.as_deref()?, running?);
        let found = Version::of(file)?;
        let mut state = self.state();
        if found == running {
            // It is as it was before.
            state.refused = None;
            return None;
        }
        let is_refused =
            |refused: &Refused| refused.version == found && refused.since.elapsed() < REFUSED_FOR;
        let is_refused = state.refused.as_ref().is_some_and(is_refused);
        (!is_refused).then_some(found)
    }

    /// This version cannot be started; the running one goes on.
    pub(crate) fn refuse_version(&self, version: Version, why: String) {
        let since = Instant::now();
        self.state().refused = Some(Refused {
            version,
            why,
            since,
        });
    }

    /// A version that was there a moment ago runs.
    pub(crate) fn take_version(&self) {
        self.state().refused = None;
    }

    /// It wrote something that answers nothing.
    pub(crate) fn stray(&self, what: &str) {
        self.counts.stray_lines.increment(1);
        self.complain(what);
    }

    /// Logs what is amiss, unless that was logged too often of late.
    pub(crate) fn complain(&self, what: &str) {
        if self.complaints.try_take("").is_ok() {
            tracing::warn!(program = self.name(), "{what}");
        }
    }

    /// One more process runs, until what is returned is dropped.
    pub(crate) fn started(&self) -> RunningProcess<'_> {
        self.counts.processes.increment(1);
        let mut state = self.state();
        state.running += 1;
        self.queue.open();
        RunningProcess(self)
    }

    /// A process failed, or could not be started: how long to wait before the next. Where none is left and this repeats,
    /// no question waits for that.
    pub(crate) fn failed(&self, why: &str) -> Duration {
        self.counts.failures.increment(1);
        let mut state = self.state();
        state.failures_in_a_row = state.failures_in_a_row.saturating_add(1);
        why.clone_into(&mut state.last_failure);
        let failures = state.failures_in_a_row;
        if state.running == 0 && failures >= DOWN_AFTER {
            self.queue.refuse(&Unanswered::Down(why.to_owned()));
        }
        (WAIT_MIN * 2u32.pow((failures - 1).min(16))).min(WAIT_MAX)
    }

    /// A process has shown that it works.
    pub(crate) fn proved(&self) {
        self.state().failures_in_a_row = 0;
    }

    /// What is amiss with it, if anything is.
    pub(crate) fn complaint(&self) -> Option<String> {
        let state = self.state();
        let (name, wanted) = (self.name(), self.config.workers);
        match (state.running, state.failures_in_a_row, &state.refused) {
            (_, 0, None) => None,
            (_, 0, Some(refused)) => Some(format!(
                "{name}: its file changed, but cannot be started: {}; the old version goes on",
                refused.why
            )),
            (running, ..) => Some(format!(
                "{name}: {running} of {wanted} processes run, it {}",
                state.last_failure
            )),
        }
    }

    /// Goes on to its end.
    pub(crate) fn enter(&self, stage: Stage) {
        self.queue.close();
        self.stage.send_replace(stage);
        if stage == Stage::Over {
            self.queue.refuse(&Unanswered::Stopping);
        }
    }

    /// How far its end has come, now and later.
    pub(crate) fn stage(&self) -> watch::Receiver<Stage> {
        self.stage.subscribe()
    }

    /// Whether it stops and nothing waits any more.
    pub(crate) fn is_drained(&self) -> bool {
        *self.stage.borrow() >= Stage::Draining && self.queue.is_empty()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
