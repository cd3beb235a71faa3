//! Programs in any language decide what the relay takes and shows: one JSON line a question, one an answer.
//!
//! ```toml
//! [[extensions.exec.programs]]
//! name = "whitelist"
//! command = "./plugins/whitelist.py"
//! ```
//!
//! The protocol is strfry's write policy, so that its plugins work as they are; requests and viewers are asked about in
//! messages of our own. `docs/extensions/exec.md` is for operators and authors of plugins.
//!
//! Invariant: whatever a program does, the relay goes on, and nothing passes that the program did not let pass (unless
//! `on_fault = "open"`; even then nothing is shown that it guards).

mod chatter;
mod config;
mod conversation;
mod counts;
mod lines;
mod preflight;
mod process;
mod program;
mod protocol;
mod queue;
mod sight;
mod version;
mod worker;

pub use config::Config;

use config::Ask;
use futures_util::StreamExt as _;
use futures_util::future::join_all;
use program::{Program, Stage};
use protocol::{Question, Verdict};
use queue::Unanswered;
use sight::{Full, Sight};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;
use trellis_relay::extension::prelude::*;

/// How long questions may still be answered once the instance is out of use.
const DRAIN: Duration = Duration::from_millis(500);
/// How often is looked for answers about viewers that have to be renewed.
const RENEWAL: Duration = Duration::from_secs(1);
/// So many are renewed at a time.
const RENEWALS_AT_ONCE: usize = 16;

/// The extension.
pub struct Exec {
    host: Host,
    guards: Vec<Arc<Guard>>,
}

/// A program, and what it has said about viewers.
struct Guard {
    program: Arc<Program>,
    sight: Sight,
    /// How many viewers the gauge was told of.
    gauged: AtomicUsize,
}

impl Extension for Exec {
    const NAME: &'static str = "exec";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    type Config = Config;

    async fn build(config: Config, host: Host) -> Result<Self, BuildError> {
        config.programs.iter().try_for_each(preflight::check)?;
        let guard = |program| {
            Arc::new(Guard {
                program: Program::new(program, &host),
                sight: Sight::new(config.max_viewers),
                gauged: AtomicUsize::new(0),
            })
        };
        Ok(Exec {
            guards: config.programs.into_iter().map(guard).collect(),
            host,
        })
    }

    fn register(&self, hooks: &mut Registrar<Self>) {
        for guard in &self.guards {
            let config = &guard.program.config;
            let (kinds, patience) = (&config.kinds, config.patience());
            hooks.label(&config.name);
            if config.asks(Ask::Event) {
                let guard = guard.clone();
                hooks.admit_async(kinds, patience, move |me, request| {
                    let guard = guard.clone();
                    async move { guard.admit(&request, me.host.clock().now_s()).await }
                });
            }
            if config.asks(Ask::Request) {
                let guard = guard.clone();
                hooks.request_async(kinds, patience, move |_me, request| {
                    let guard = guard.clone();
                    async move { guard.request(&request).await }
                });
            }
            if config.asks(Ask::Viewer) {
                guard.register_viewer(hooks);
            }
        }
    }

    async fn start(self: Arc<Self>, stop: StopToken) -> Result<(), TaskError> {
        let programs = self.guards.iter().map(|guard| &guard.program);
        let workers = programs.flat_map(|program| {
            let workers = 0..program.config.workers;
            workers.map(|_| worker::keep(program.clone()))
        });
        let workers = join_all(workers.collect::<Vec<_>>());
        tokio::pin!(workers);
        tokio::select! {
            // Each goes on until its program is told to stop.
            _ = &mut workers, if !self.guards.is_empty() => return Err("its workers are gone".into()),
            _ = join_all(self.guards.iter().map(|guard| self.renew(guard))), if !self.guards.is_empty() => {}
            () = stop.stopped() => {}
        }
        self.enter(Stage::Draining);
        if tokio::time::timeout(DRAIN, &mut workers).await.is_err() {
            self.enter(Stage::Over);
            workers.await;
        }
        self.enter(Stage::Over);
        Ok(())
    }

    async fn examine(config: Config, _at: Examination) -> Findings {
        let mut found = Findings::default();
        for program in &config.programs {
            let name = &program.name;
            match preflight::check(program) {
                Ok(()) => found.ok(name, "the program can be started"),
                Err(problem) => found.fail(name, problem, "mend [extensions.exec]"),
            }
        }
        found
    }

    fn health(&self) -> Health {
        let programs = self.guards.iter().map(|guard| &guard.program);
        let complaints: Vec<String> = programs.filter_map(|program| program.complaint()).collect();
        match complaints.is_empty() {
            true => Health::Ok,
            false => Health::Degraded(complaints.join("; ")),
        }
    }
}

impl Exec {
    fn enter(&self, stage: Stage) {
        self.guards
            .iter()
            .for_each(|guard| guard.program.enter(stage));
    }

    /// Asks again about viewers whose answer will not be good for long, as long as they are connected. Never ends; each
    /// program has its own, so that one that hangs keeps no other waiting.
    async fn renew(&self, guard: &Guard) {
        loop {
            tokio::time::sleep(RENEWAL).await;
            let due = guard.sight.due(self.host.clock().now_s());
            let due = futures_util::stream::iter(due);
            due.for_each_concurrent(RENEWALS_AT_ONCE, |viewer| async move {
                // What fails is logged below, and shows nothing once its time is over.
                if let Err(error) = guard.look(viewer, self.host.clock().now_s()).await {
                    guard.program.complain(&error.0);
                }
            })
            .await;
        }
    }
}

impl Guard {
    async fn admit(&self, request: &AdmitRequest, now_s: u64) -> Result<Admit, HookError> {
        let question = Question::event(&request.event, &request.viewer, now_s);
        let counts = &self.program.counts;
        Ok(match self.ask(question).await? {
            Verdict::Accept(_) => {
                counts.accepted.increment(1);
                Admit::Accept
            }
            Verdict::Reject(reason) => {
                counts.rejected.increment(1);
                Admit::Reject(reason)
            }
            Verdict::ShadowReject => {
                counts.shadow_rejected.increment(1);
                Admit::Shadow
            }
        })
    }

    async fn request(&self, request: &AccessRequest) -> Result<Access, HookError> {
        let AccessRequest {
            viewer,
            verb,
            filter,
            ..
        } = request;
        let id = self.program.new_id();
        let question = Question::request(id, *verb, filter, viewer);
        self.access(question).await.map(|answer| match answer {
            Ok(_) => Access::Allow,
            Err(reason) => reason.into(),
        })
    }

    fn register_viewer(self: &Arc<Self>, hooks: &mut Registrar<Exec>) {
        let config = &self.program.config;
        let (asked, shown, known) = (self.clone(), self.clone(), self.clone());
        hooks
            .request_async(&config.kinds, config.patience(), move |me, request| {
                let guard = asked.clone();
                async move {
                    let now_s = me.host.clock().now_s();
                    match guard.sight.knows(&request.viewer, now_s) {
                        true => Ok(Access::Allow),
                        false => guard.look(request.viewer, now_s).await,
                    }
                }
            })
            .deliver_many(&config.kinds, move |me, event, audience| {
                let now_s = me.host.clock().now_s();
                audience.retain(|viewer| shown.sight.shows(event, viewer, now_s));
                Ok(())
            })
            .session(move |_me, note, viewer| {
                match note {
                    SessionNote::Connected => known.sight.connected(viewer.session()),
                    SessionNote::Authenticated => {}
                    SessionNote::Closed => {
                        known.sight.closed(viewer.session());
                        known.gauge();
                    }
                }
                Ok(())
            });
    }

    /// Asks what a viewer may see, and keeps the answer.
    async fn look(&self, viewer: Arc<Viewer>, now_s: u64) -> Result<Access, HookError> {
        let full = |Full| Access::Close(Reason::busy());
        if let Err(refusal) = self.sight.room(&viewer).map_err(full) {
            return Ok(refusal);
        }
        let question = Question::viewer(self.program.new_id(), &viewer);
        let shown = match self.access(question).await? {
            Ok(offer) => offer.shown().map_err(|wrong| {
                self.program.counts.unanswered.increment(1);
                self.fault(&wrong)
            })?,
            Err(reason) => {
                self.sight.forget(&viewer);
                self.gauge();
                return Ok(reason.into());
            }
        };
        let kept = self.sight.keep(viewer, shown, now_s).map_err(full);
        self.gauge();
        Ok(kept.err().unwrap_or(Access::Allow))
    }

    fn gauge(&self) {
        let viewers = self.sight.len();
        let before = self.gauged.swap(viewers, Relaxed);
        let gauge = &self.program.counts.viewers;
        gauge.increment(viewers as f64 - before as f64);
    }

    /// The answer to a request: what goes with its yes, or why it is refused.
    async fn access(
        &self,
        question: Question,
    ) -> Result<Result<protocol::Offer, Reason>, HookError> {
        Ok(match self.ask(question).await? {
            Verdict::Accept(offer) => Ok(offer),
            Verdict::Reject(reason) => Err(reason),
            Verdict::ShadowReject => {
                return Err(self.fault("it answered shadowReject to what is no event"));
            }
        })
    }

    /// A program that has too much to do is not at fault: who asks is told to try again, whatever `on_fault` says, or a
    /// flood would open the door.
    async fn ask(&self, question: Question) -> Result<Verdict, HookError> {
        match self.program.ask(question).await {
            Ok(verdict) => Ok(verdict),
            Err(Unanswered::Busy) => Ok(Verdict::Reject(Reason::busy())),
            Err(error) => Err(self.fault(&error.to_string())),
        }
    }

    fn fault(&self, what: &str) -> HookError {
        HookError(format!("the program {}: {what}", self.program.name()))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let viewers = self.gauged.load(Relaxed);
        self.program.counts.viewers.decrement(viewers as f64);
    }
}

impl std::fmt::Debug for Exec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let programs = self.guards.iter().map(|guard| guard.program.name());
        f.debug_list().entries(programs).finish()
    }
}
