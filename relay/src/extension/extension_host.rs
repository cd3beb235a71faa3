//! Starts, changes and stops the extensions of a relay.
//!
//! Invariant: there is one way from one set of tables to another, the start and the end included: read and check
//! everything, build what is new without showing it, publish all at once, retire what is old. A step that fails before
//! the publishing changes nothing. How that is done is in `change`, the end in `close`, and what is checked in `checks`.

mod change;
mod checks;
mod close;

pub use checks::check;

use super::breaker::BreakerSettings;
use super::compiled::Compiled;
use super::error::ExtensionError;
use super::handle::HostHandle;
use super::host::Shared;
use super::loops::Depths;
use super::relay_side::Core;
use super::replays::ReplayGuards;
use super::running::Running;
use super::services::Services;
use super::table::Table;
use super::task::Backoff;
use super::{panics, watchdog};
use crate::clock::{Clock, SystemClock};
use futures_util::future::join_all;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// The tables of the config, by name.
pub type Tables = BTreeMap<String, Table>;

/// How extensions are hosted.
#[derive(Clone, Debug)]
pub struct HostOptions {
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
    /// When hooks at fault are skipped.
    pub breaker: BreakerSettings,
    /// When tasks that ended are started again.
    pub backoff: Backoff,
    /// How long an instance may take to end.
    pub deadline: Duration,
    /// How long an instance may take to be built, and then to register its hooks, while the relay runs. The start waits
    /// for as long as they take, and says for whom.
    pub build_deadline: Duration,
    /// How long an instance may take over a new table in place; after that another one is built.
    pub reload_deadline: Duration,
    /// Management methods of the relay itself, which no extension may have.
    pub reserved_methods: Vec<&'static str>,
    /// Paths at which the relay itself answers, beside `/`.
    pub reserved_paths: Vec<&'static str>,
}

impl Default for HostOptions {
    fn default() -> Self {
        HostOptions {
            clock: Arc::new(SystemClock),
            breaker: BreakerSettings::default(),
            backoff: Backoff::default(),
            deadline: Duration::from_secs(2),
            build_deadline: Duration::from_secs(30),
            reload_deadline: Duration::from_secs(5),
            reserved_methods: Vec::new(),
            reserved_paths: Vec::new(),
        }
    }
}

/// What a new table meant for an extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// Nothing: the table is the same, or it was and is off.
    Unchanged,
    /// The instance took the new table over.
    Reloaded,
    /// Another instance is in its place.
    Rebuilt,
    /// It runs now.
    SwitchedOn,
    /// It does not run any more.
    SwitchedOff,
}

/// Owns the running extensions; everyone else has a [`HostHandle`].
pub struct ExtensionHost {
    compiled: &'static [Compiled],
    options: HostOptions,
    shared: Shared,
    tables: Tables,
    running: BTreeMap<&'static str, Running>,
    handle: HostHandle,
}

impl ExtensionHost {
    /// Builds and starts the extensions that have a table which does not say `enabled = false`. Hooks are in force, and
    /// tasks run, when it returns: only then may clients come. Extensions use `core` while they are built.
    pub async fn start(
        handle: HostHandle,
        tables: &Tables,
        core: Arc<dyn Core>,
        options: HostOptions,
    ) -> Result<Self, ExtensionError> {
        let compiled = handle.compiled();
        checks::check_names(compiled)?;
        panics::install();
        watchdog::start();
        let shared = Shared {
            clock: options.clock.clone(),
            services: Services::default(),
            core,
            depths: Arc::new(Depths::default()),
            nip98_guards: ReplayGuards::starting(options.clock.now_s()),
        };
        let mut host = ExtensionHost {
            compiled,
            options,
            shared,
            tables: Tables::new(),
            running: BTreeMap::new(),
            handle,
        };
        host.change(tables, None).await?;
        Ok(host)
    }

    /// For workers, the writer, HTTP and `/health`.
    pub fn handle(&self) -> &HostHandle {
        &self.handle
    }

    /// Changes one extension: its new table, or `None` where the config has none any more.
    pub async fn apply(
        &mut self,
        name: &str,
        table: Option<Table>,
    ) -> Result<Applied, ExtensionError> {
        let mut tables = self.tables.clone();
        match table {
            Some(table) => drop(tables.insert(name.to_owned(), table)),
            None => drop(tables.remove(name)),
        }
        let applied = self.apply_all(&tables).await?;
        let of_this = applied
            .into_iter()
            .find(|(extension, _)| *extension == name);
        Ok(of_this.map_or(Applied::Unchanged, |(_, applied)| applied))
    }

    /// Changes all extensions to these tables: what it meant for those that it changed. An `Err` leaves the old ones
    /// in force.
    pub async fn apply_all(
        &mut self,
        tables: &Tables,
    ) -> Result<Vec<(&'static str, Applied)>, ExtensionError> {
        let limit = Some(self.options.build_deadline);
        self.change(tables, limit).await
    }

    /// The services of what runs, and of what is about to.
    fn offer_services(&self, staged: &[Running]) {
        let all = self.running.values().chain(staged);
        self.shared
            .services
            .replace(all.flat_map(|running| &running.offers));
    }

    async fn retire(&self, retired: Vec<Running>) {
        let deadline = self.options.deadline;
        join_all(retired.into_iter().map(|old| old.retire(deadline))).await;
    }
}

impl std::fmt::Debug for ExtensionHost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.running.keys()).finish()
    }
}
