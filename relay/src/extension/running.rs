//! One instance of an extension: its threads, its hooks, its tasks.
//!
//! Invariant: it is built without being seen, and seen only once its hooks are published; it takes its threads with it.

use super::backup::Backups;
use super::breaker::{Breaker, BreakerSettings};
use super::checkup::Checkup;
use super::compiled::{Compiled, Instance};
use super::error::ExtensionError;
use super::follow::Follower;
use super::hook::{Call, Hook, Owner};
use super::host::{Host, Shared};
use super::patience::{NoAnswer, wait_for};
use super::services::Offer;
use super::table::{CoreKeys, Table};
use super::task::{Backoff, StopToken, supervise};
use super::{Health, Reload, panics, registrar, watchdog};
use std::any::TypeId;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;

pub(super) struct Running {
    pub(super) member: Arc<Member>,
    pub(super) offers: Vec<Offer>,
    pub(super) keys: CoreKeys,
    /// The whole table it was built or last reloaded from.
    pub(super) table: Table,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
    threads: Threads,
}

/// The part of a running extension that others look at.
pub(super) struct Member {
    pub(super) instance: Arc<dyn Instance>,
    pub(super) owner: Arc<Owner>,
    pub(super) hooks: Vec<Arc<Hook>>,
    pub(super) restarts: AtomicU64,
    pub(super) backups: Backups,
    checkup: Checkup,
}

impl Running {
    /// Builds an instance on threads of its own, `build` and `register` each within the limit if there is one. Nothing of
    /// it is in force yet.
    pub(super) async fn build(
        compiled: Compiled,
        (keys, own): (CoreKeys, Table),
        table: Table,
        shared: &Shared,
        breaker: BreakerSettings,
        limit: Option<Duration>,
    ) -> Result<Self, ExtensionError> {
        let extension = compiled.name();
        let threads = Threads::start(extension)?;
        let failed = |problem| ExtensionError::Build { extension, problem };
        let no_answer = |why: NoAnswer| failed(why.to_string());

        let host = Host::new(extension, threads.handle(), shared);
        let build = compiled.build(own, host.clone());
        let build = build.map_err(|problem| ExtensionError::Config { extension, problem })?;
        let built = threads.handle().spawn(build);
        let built = wait_for(extension, "build", limit, built).await;
        let instance = built.map_err(no_answer)?.map_err(failed)?;
        let registering = instance.clone();
        let registered = threads
            .handle()
            .spawn_blocking(move || registering.register());
        let registered = wait_for(extension, "register", limit, registered).await;
        let (registrations, offers) = registered.map_err(no_answer)?;
        if let Some(problem) = registrar::problem(&registrations) {
            return Err(failed(problem));
        }

        let is_offered = |service: &TypeId| offers.iter().any(|offer| offer.is(service));
        if !compiled.needs()?.provides.iter().all(is_offered) {
            let problem = "its author must provide in `register` what `services` promises";
            return Err(failed(problem.to_owned()));
        }

        let owner = Arc::new(Owner {
            name: extension,
            host,
            on_fault: keys.on_fault,
            priority: keys.priority,
            timeout: keys.timeout(),
            runtime: threads.handle(),
            permits: Arc::new(Semaphore::new(keys.max_concurrent as usize)),
            clock: shared.clock.clone(),
            depths: shared.depths.clone(),
            faults: Mutex::default(),
        });
        let hooks = registrations
            .into_iter()
            .map(|registration| Hook::new(owner.clone(), registration, Breaker::new(breaker)));
        let member = Member {
            instance,
            hooks: hooks.collect(),
            owner,
            restarts: AtomicU64::new(0),
            backups: Backups::default(),
            checkup: Checkup::default(),
        };
        Ok(Running {
            member: Arc::new(member),
            offers,
            keys,
            table,
            stop: watch::Sender::new(false),
            tasks: Vec::new(),
            threads,
        })
    }

    pub(super) fn name(&self) -> &'static str {
        self.member.owner.name
    }

    /// Asks the instance to take over a table that was checked. Where it panics, or does not answer within the limit,
    /// another one is built.
    pub(super) async fn reload(&self, own: Table, limit: Duration) -> Reload {
        let (owner, instance) = (&self.member.owner, self.member.instance.clone());
        let asked = self
            .threads
            .handle()
            .spawn_blocking(move || instance.reload(own));
        match wait_for(owner.name, "reload", Some(limit), asked).await {
            Ok(answer) => answer.unwrap_or(Reload::Rebuild),
            Err(why) => {
                owner.count_fault("reload");
                tracing::warn!(extension = owner.name, "it is built anew: {why}");
                Reload::Rebuild
            }
        }
    }

    /// Starts its task; its hooks are in force by now, but for `stored` ones.
    pub(super) fn launch(&mut self, backoff: Backoff) {
        let stop = StopToken::new(self.stop.subscribe());
        let task = supervise(self.member.clone(), stop, backoff);
        self.tasks.push(self.threads.handle().spawn(task));
    }

    /// Starts its `stored` hooks.
    pub(super) fn follow(&mut self, shared: &Shared, committed: &watch::Sender<u64>) {
        let stop = StopToken::new(self.stop.subscribe());
        let hooks = self.member.hooks.iter();
        let stored = hooks.filter(|hook| matches!(hook.call, Call::Stored(..)));
        for (place, hook) in stored.enumerate() {
            let follower = Follower {
                hook: hook.clone(),
                place,
                core: shared.core.clone(),
                depths: shared.depths.clone(),
                committed: committed.subscribe(),
                stop: stop.clone(),
            };
            let task = self.threads.handle().spawn(follower.follow());
            self.tasks.push(task);
        }
    }

    /// Stops the tasks, waits for hooks under way and says goodbye, each as far as the deadline allows. What hangs then
    /// is left behind.
    pub(super) async fn retire(mut self, deadline: Duration) {
        let until = tokio::time::Instant::now() + deadline;
        let extension = self.member.owner.name;
        self.stop.send_replace(true);
        for mut task in self.tasks.drain(..) {
            if tokio::time::timeout_at(until, &mut task).await.is_err() {
                tracing::warn!(extension, "a task did not end in time and is cut off");
                task.abort();
            }
        }
        let under_way = self
            .member
            .owner
            .permits
            .acquire_many(self.keys.max_concurrent);
        if tokio::time::timeout_at(until, under_way).await.is_err() {
            tracing::warn!(extension, "async hooks did not end in time and are cut off");
        }
        // Who waits for a permit yet is to ask others.
        self.member.owner.permits.close();
        let goodbye = self.threads.handle().spawn(self.member.instance.shutdown());
        // Some time for that, even if the tasks have used it up.
        let until = until.max(tokio::time::Instant::now() + deadline / 4);
        let goodbye = tokio::time::timeout_at(until, goodbye).await;
        if goodbye.map(panics::joined) != Ok(Ok(())) {
            self.member.owner.count_fault("shutdown");
            tracing::warn!(extension, "shutdown failed or did not end in time");
        }
    }
}

impl Member {
    /// What the extension says of itself, unless its hooks say otherwise. Blocks for seconds if it does not answer.
    pub(super) fn health(&self) -> Health {
        let skipped = self.skipped();
        if !skipped.is_empty() {
            let skipped = skipped.join(", ");
            return Health::Degraded(format!("at fault and skipped for a while: {skipped}"));
        }
        match self.checkup.ask(&self.owner, &self.instance) {
            Health::Ok => self.trouble().map_or(Health::Ok, Health::Degraded),
            health => health,
        }
    }

    /// What the core knows, and an instance that is well does not.
    fn trouble(&self) -> Option<String> {
        if self.is_stuck() {
            let stuck = "`stored` failed and is tried again with the same page; the log says why";
            return Some(stuck.to_owned());
        }
        let problem = self.backups.problem()?;
        Some(format!("its files are not in the last backup: {problem}"))
    }

    fn is_stuck(&self) -> bool {
        self.hooks.iter().any(|hook| hook.is_stuck.load(Relaxed))
    }

    /// Names of its hooks whose breaker is open.
    pub(super) fn skipped(&self) -> Vec<&'static str> {
        let skipped = self.hooks.iter().filter(|hook| hook.is_skipped());
        skipped.map(|hook| hook.call.name()).collect()
    }

    pub(super) fn faults(&self) -> u64 {
        self.owner.faults().values().sum()
    }
}

/// An extension's own threads. Dropping a tokio runtime in async code panics; this one is left to itself instead: a
/// thread that hangs is not waited for.
struct Threads(Option<Runtime>, tokio::runtime::Handle);

impl Threads {
    fn start(extension: &'static str) -> Result<Self, ExtensionError> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name(extension)
            .on_thread_start(move || watchdog::at_home(extension))
            .enable_all()
            .build()
            .map_err(|source| ExtensionError::Threads { extension, source })?;
        let handle = runtime.handle().clone();
        Ok(Threads(Some(runtime), handle))
    }

    fn handle(&self) -> tokio::runtime::Handle {
        self.1.clone()
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
