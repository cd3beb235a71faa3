//! What the rest of the relay knows of its extensions.

use super::Health;
use super::backup::{BackedUp, BackupBlob};
use super::compiled::Compiled;
use super::failure::BackupError;
#[cfg(feature = "testing")]
use super::follow;
use super::hook::{Call, Hook, Phase};
use super::hooks::Hooks;
use super::running::Member;
use super::shared::{Local, SharedHooks};
use crate::kinds::Kinds;
#[cfg(feature = "testing")]
use crate::store::{Store, StoreError};
#[cfg(feature = "testing")]
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::watch;

/// The relay's hold on its extensions. Cheap to clone; the owner is the [`super::ExtensionHost`].
#[derive(Clone)]
pub struct HostHandle {
    compiled: &'static [Compiled],
    hooks: Arc<SharedHooks>,
    members: Arc<RwLock<Vec<Arc<Member>>>>,
    committed: watch::Sender<u64>,
}

impl HostHandle {
    /// For the extensions of this list. None is in force before [`super::ExtensionHost::start`].
    pub fn new(compiled: &'static [Compiled]) -> Self {
        HostHandle {
            compiled,
            hooks: SharedHooks::new(),
            members: Arc::default(),
            committed: watch::Sender::new(0),
        }
    }

    /// The extensions that the program is compiled with.
    pub fn compiled(&self) -> &'static [Compiled] {
        self.compiled
    }

    /// The hooks in force.
    pub fn hooks(&self) -> &Arc<SharedHooks> {
        &self.hooks
    }

    /// A thread's own copy of the hooks in force.
    pub fn local(&self) -> Local {
        Local::new(self.hooks.clone())
    }

    /// Wakes the `stored` hooks. Call it after each commit, with the last row.
    pub fn committed(&self, row: u64) {
        self.committed.send_replace(row);
    }

    /// The extensions that are on.
    pub fn names(&self) -> Vec<&'static str> {
        let members = self.members();
        let is_on = |name: &&str| members.iter().any(|member| member.owner.name == *name);
        let names = self.compiled.iter().map(Compiled::name);
        names.filter(is_on).collect()
    }

    /// All extensions that are compiled in, and how they are. Asks each for its health, so it may block for seconds where
    /// one does not answer.
    pub fn status(&self) -> Vec<ExtensionStatus> {
        let members = self.members();
        let status = self.compiled.iter().map(|extension| {
            let name = extension.name();
            let member = members.iter().find(|member| member.owner.name == name);
            ExtensionStatus {
                name,
                version: extension.version(),
                health: member.map(|member| member.health()),
                faults: member.map_or(0, |member| member.faults()),
                restarts: member.map_or(0, |member| member.restarts.load(Relaxed)),
                skipped: member.map_or_else(Vec::new, |member| member.skipped()),
            }
        });
        status.collect()
    }

    /// Every hook in force, in the order in which they run.
    pub fn explain(&self) -> Vec<ExplainedHook> {
        let hooks = self.hooks.load();
        hooks.ordered().iter().map(|hook| explain(hook)).collect()
    }

    /// Has each extension that is on copy its files into a directory of its own below `into`, one after another, each within
    /// the limit. `into` is there, and holds none of their names yet; whoever asks empties it again.
    ///
    /// What the copies tell is committed in the store when this returns, but for what an extension itself is ahead with: the
    /// rows that belong to them are read afterwards.
    pub async fn back_up(&self, into: &Path, limit: Duration) -> Vec<BackedUp> {
        let mut all = Vec::new();
        for member in self.members() {
            let (owner, instance) = (&*member.owner, &member.instance);
            let files = member
                .backups
                .files(owner, instance, &member.hooks, into, limit);
            all.push(BackedUp {
                extension: owner.name,
                outcome: files.await,
            });
        }
        all
    }

    /// A page of an extension's blobs: at most `max`, by hash, from after `after` on, within the limit. A short page is not
    /// the last one; an empty one is. `None` where the extension is off, or is just being built: nobody knows then.
    pub async fn back_up_blobs(
        &self,
        extension: &str,
        after: Option<[u8; 32]>,
        max: usize,
        limit: Duration,
    ) -> Result<Option<Vec<BackupBlob>>, BackupError> {
        let members = self.members();
        let Some(member) = members.iter().find(|it| it.owner.name == extension) else {
            return Ok(None);
        };
        let page = (after, max);
        let blobs = member
            .backups
            .blobs(&member.owner, &member.instance, page, limit);
        blobs.await.map(Some)
    }

    /// Faults of an extension since it was built, by what was at fault.
    #[cfg(feature = "testing")]
    pub(crate) fn faults_by_hook(&self, extension: &str) -> BTreeMap<&'static str, u64> {
        let members = self.members();
        let member = members.iter().find(|it| it.owner.name == extension);
        member.map_or_else(BTreeMap::new, |member| member.owner.faults())
    }

    /// Whether a `stored` hook of an extension has not come to the end of what it wants; with `is_patient`, whether or not
    /// it is at fault. Hooks that gather are hurried, so that who asks again does not wait for that.
    #[cfg(feature = "testing")]
    pub(crate) fn is_behind(
        &self,
        extension: &str,
        store: &dyn Store,
        is_patient: bool,
    ) -> Result<bool, StoreError> {
        let members = self.members();
        let own = members.iter().filter(|it| it.owner.name == extension);
        let own: Vec<_> = own.collect();
        for member in &own {
            member.owner.host.haste().hurry(store.last_row()?);
        }
        let hooks = own.iter().flat_map(|member| &member.hooks);
        let stored = hooks.filter(|hook| matches!(hook.call, Call::Stored(..)));
        for (place, hook) in stored.enumerate() {
            let is_awaited = is_patient || !hook.breaker.is_troubled();
            if is_awaited && follow::is_behind(hook, place, store)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Puts the hooks of these members in force.
    pub(super) fn publish(&self, members: Vec<Arc<Member>>) {
        let hooks = members.iter().flat_map(|member| &member.hooks).cloned();
        let generation = self.hooks.generation() + 1;
        self.hooks
            .publish(Hooks::compile(generation, hooks.collect()));
        *self.members.write().unwrap_or_else(PoisonError::into_inner) = members;
    }

    /// Takes all hooks out of force for good.
    pub(super) fn close(&self) {
        let hooks = self.hooks.load();
        self.hooks.publish(hooks.closed(hooks.generation() + 1));
        let mut members = self.members.write().unwrap_or_else(PoisonError::into_inner);
        members.clear();
    }

    pub(super) fn bell(&self) -> &watch::Sender<u64> {
        &self.committed
    }

    fn members(&self) -> Vec<Arc<Member>> {
        let members = self.members.read().unwrap_or_else(PoisonError::into_inner);
        members.clone()
    }
}

impl fmt::Debug for HostHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HostHandle({} compiled in)", self.compiled.len())
    }
}

/// How an extension is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtensionStatus {
    /// The name of its table.
    pub name: &'static str,
    /// What its author says; may be empty.
    pub version: &'static str,
    /// `None` while it is off.
    pub health: Option<Health>,
    /// Faults of its hooks since it was built.
    pub faults: u64,
    /// Times its task was started again since it was built.
    pub restarts: u64,
    /// Hooks whose breaker is open.
    pub skipped: Vec<&'static str>,
}

/// A hook in force, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExplainedHook {
    /// `admit`, `commit`, ...
    pub hook: &'static str,
    /// Whose it is.
    pub extension: &'static str,
    /// When it runs.
    pub phase: Phase,
    /// Within the phase, the smallest first.
    pub priority: i64,
    /// What it is asked about; `None` for hooks that have no kinds.
    pub kinds: Option<Kinds>,
    /// A mount, method or subcommand.
    pub target: Option<String>,
    /// Tells it from others of its extension.
    pub label: Option<String>,
}

impl ExplainedHook {
    /// What it is asked about or stands for, and its label: `kinds 1, 7 (spam)`.
    pub fn about(&self) -> String {
        let about = match (&self.kinds, &self.target) {
            (Some(kinds), _) => format!("kinds {kinds}"),
            (None, Some(target)) => target.clone(),
            (None, None) => String::new(),
        };
        match &self.label {
            Some(label) => format!("{about} ({label})").trim_start().to_owned(),
            None => about,
        }
    }
}

fn explain(hook: &Hook) -> ExplainedHook {
    let target = match &hook.call {
        Call::Http(scope) => Some(scope.mount.to_string()),
        Call::Rpc(name, _) | Call::Command(name, ..) => Some(name.clone()),
        _ => None,
    };
    let has_kinds = hook.call.is_asked_by_kind()
        || matches!(
            hook.call,
            Call::Request(_) | Call::RequestAsync(..) | Call::Stored(..)
        );
    ExplainedHook {
        hook: hook.call.name(),
        extension: hook.owner.name,
        phase: hook.phase,
        priority: hook.owner.priority,
        kinds: has_kinds.then(|| hook.kinds.clone()),
        target,
        label: hook.label.as_deref().map(str::to_owned),
    }
}

impl fmt::Display for ExplainedHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let phase = self.phase.as_str();
        write!(f, "{phase:<8} {:>5} {:<20}", self.priority, self.extension)?;
        write!(f, " {:<13}", self.hook)?;
        match self.about() {
            about if about.is_empty() => Ok(()),
            about => write!(f, " {about}"),
        }
    }
}
