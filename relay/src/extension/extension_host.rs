//! Starts, changes and stops the extensions of a relay.
//!
//! Invariant: there is one way from one set of tables to another, the start and the end included: read and check
//! everything, build what is new without showing it, publish all at once, retire what is old. A step that fails before
//! the publishing changes nothing.

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
use super::table::{self, CoreKeys, Table};
use super::task::Backoff;
use super::{Reload, order, panics, watchdog};
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

/// Tables of extensions that shall be on, the core's keys taken out.
type Wanted = BTreeMap<&'static str, (CoreKeys, Table)>;

/// What new tables led to, before it is in force.
#[derive(Default)]
struct Built {
    /// With the tables that they had before.
    reloaded: Vec<(&'static str, Table)>,
    /// In the order of building.
    staged: Vec<Running>,
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
        check_names(compiled)?;
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

    /// `limit` is for each build.
    async fn change(
        &mut self,
        tables: &Tables,
        limit: Option<Duration>,
    ) -> Result<Vec<(&'static str, Applied)>, ExtensionError> {
        let wanted = read(self.compiled, tables)?;
        let on = self.compiled.iter().copied();
        let on = on.filter(|it| wanted.contains_key(it.name())).collect();
        let on = order::by_services(on)?;

        let mut built = Built::default();
        if let Err(error) = self.build(&on, wanted, tables, limit, &mut built).await {
            self.undo(built).await;
            return Err(error);
        }
        let reloaded = built.reloaded.into_iter();
        let mut applied: Vec<_> = reloaded
            .map(|(name, _)| (name, Applied::Reloaded))
            .collect();
        let mut retired = Vec::new();
        let is_off = |name: &&str| !on.iter().any(|it| it.name() == *name);
        let off: Vec<_> = self.running.keys().copied().filter(is_off).collect();
        for name in off {
            applied.push((name, Applied::SwitchedOff));
            retired.extend(self.running.remove(name));
        }
        let fresh: Vec<_> = built.staged.iter().map(Running::name).collect();
        for running in built.staged {
            let name = running.name();
            let old = self.running.insert(name, running);
            let is_new = old.is_none();
            applied.push(match is_new {
                true => (name, Applied::SwitchedOn),
                false => (name, Applied::Rebuilt),
            });
            retired.extend(old);
        }
        self.tables = tables.clone();
        if !retired.is_empty() || !fresh.is_empty() {
            self.publish();
        }
        for name in &fresh {
            if let Some(running) = self.running.get_mut(name) {
                running.launch(self.options.backoff);
            }
        }
        if !applied.is_empty() {
            // What the new hooks have not been asked about is hidden meanwhile, and those that go may take seconds.
            self.shared.core.hooks_changed();
        }

        // The old `stored` hooks end before the new ones go on from their cursors.
        self.retire(retired).await;
        for name in fresh {
            if let Some(running) = self.running.get_mut(name) {
                running.follow(&self.shared, self.handle.bell());
            }
        }
        Ok(applied)
    }

    /// Stops everything, dependents before those that they need, within the deadline for each step.
    pub async fn shutdown(mut self) {
        let on = self.compiled.iter().copied();
        let on: Vec<_> = on
            .filter(|it| self.running.contains_key(it.name()))
            .collect();
        let ordered = order::by_services(on.clone()).unwrap_or(on);
        let mut retired = Vec::new();
        for extension in ordered.iter().rev() {
            retired.extend(self.running.remove(extension.name()));
        }
        self.close();
        for running in retired {
            self.retire(vec![running]).await;
        }
    }

    /// Drops everything as it is: no goodbye, and no cursor is saved.
    #[cfg(feature = "testing")]
    pub(crate) fn abandon(mut self) {
        self.running.clear();
        self.close();
    }

    /// Reloads what can take its new table over in place, and builds the rest of what is new or changed.
    async fn build(
        &mut self,
        on: &[Compiled],
        mut wanted: Wanted,
        tables: &Tables,
        limit: Option<Duration>,
        built: &mut Built,
    ) -> Result<(), ExtensionError> {
        for extension in on {
            let name = extension.name();
            let (Some((keys, own)), Some(table)) = (wanted.remove(name), tables.get(name)) else {
                continue;
            };
            if let Some(running) = self.running.get_mut(name) {
                if running.table == *table {
                    continue;
                }
                let limit = self.options.reload_deadline;
                if running.keys == keys
                    && running.reload(own.clone(), limit).await == Reload::Applied
                {
                    let old = std::mem::replace(&mut running.table, table.clone());
                    built.reloaded.push((name, old));
                    continue;
                }
            }
            let instance = Running::build(
                *extension,
                (keys, own),
                table.clone(),
                &self.shared,
                self.options.breaker,
                limit,
            );
            built.staged.push(instance.await?);
            // Those that come after may ask for its services while they are built.
            self.offer_services(&built.staged);
        }
        let is_on = |name| on.iter().any(|it| it.name() == name);
        let is_replaced = |name| built.staged.iter().any(|it| it.name() == name);
        let kept = self.running.values();
        let kept = kept.filter(|it| is_on(it.name()) && !is_replaced(it.name()));
        let hooks = kept.chain(&built.staged);
        let hooks = hooks.flat_map(|running| &running.member.hooks);
        let network = self.shared.core.network();
        order::check_claims(hooks, &self.options, network.relay_url.as_deref())
    }

    /// Makes it as if `build` had not been.
    async fn undo(&mut self, built: Built) {
        self.offer_services(&[]);
        for (name, old) in built.reloaded {
            if let (Some(running), Ok((_, own))) =
                (self.running.get_mut(name), table::split(old.clone()))
            {
                running.table = old;
                let limit = self.options.reload_deadline;
                if running.reload(own, limit).await == Reload::Rebuild {
                    let extension = name;
                    tracing::error!(
                        extension,
                        "it keeps a table that was taken back: restart it"
                    );
                }
            }
        }
        self.retire(built.staged).await;
    }

    /// Puts the running extensions in force.
    fn publish(&mut self) {
        self.offer_services(&[]);
        let members: Vec<_> = self.running.values().map(|it| it.member.clone()).collect();
        self.handle.publish(members);
    }

    /// Takes everything out of force: what could not be judged from here on is refused.
    fn close(&mut self) {
        self.offer_services(&[]);
        self.handle.close();
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

/// Whether all tables are right, without building anything. Tables of extensions that are off are not looked into.
pub fn check(compiled: &[Compiled], tables: &Tables) -> Result<(), ExtensionError> {
    read(compiled, tables).map(drop)
}

/// The tables of extensions that shall be on, the core's keys taken out.
fn read(compiled: &[Compiled], tables: &Tables) -> Result<Wanted, ExtensionError> {
    let mut wanted = Wanted::new();
    for (name, table) in tables {
        let Some(extension) = compiled.iter().find(|it| it.name() == name) else {
            return Err(unknown(compiled, name));
        };
        let extension_name = extension.name();
        let wrong = |problem| ExtensionError::Config {
            extension: extension_name,
            problem,
        };
        let (keys, own) = table::split(table.clone()).map_err(wrong)?;
        if keys.enabled {
            extension.check(own.clone()).map_err(wrong)?;
            wanted.insert(extension_name, (keys, own));
        }
    }
    Ok(wanted)
}

fn unknown(compiled: &[Compiled], found: &str) -> ExtensionError {
    let names: Vec<_> = compiled.iter().map(Compiled::name).collect();
    ExtensionError::Unknown {
        found: found.to_owned(),
        nearest: crate::config::nearest(found, names.iter().copied()),
        compiled_in: names.join(", "),
    }
}

/// Names become keys in TOML and in the store.
fn check_names(compiled: &[Compiled]) -> Result<(), ExtensionError> {
    for (i, extension) in compiled.iter().enumerate() {
        let name = extension.name();
        let is_good = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_');
        if name.is_empty() || !name.bytes().all(is_good) {
            let rule = "only lower case letters, digits and _ are allowed";
            return Err(ExtensionError::Name(name, rule));
        }
        if compiled[..i].iter().any(|other| other.name() == name) {
            return Err(ExtensionError::Name(name, "it is in the list twice"));
        }
    }
    Ok(())
}

impl std::fmt::Debug for ExtensionHost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.running.keys()).finish()
    }
}
