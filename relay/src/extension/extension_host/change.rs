//! The way from one set of tables to another.
//!
//! Invariant: what fails before the publishing changes nothing; what has taken its new table over by then takes the old one
//! back.

use super::super::compiled::Compiled;
use super::super::error::ExtensionError;
use super::super::running::Running;
use super::super::table::{self, Table};
use super::super::{Reload, order};
use super::checks::{self, Wanted};
use super::{Applied, ExtensionHost, Tables};
use std::time::Duration;

/// What new tables led to, before it is in force.
#[derive(Default)]
struct Built {
    /// With the tables that they had before.
    reloaded: Vec<(&'static str, Table)>,
    /// In the order of building.
    staged: Vec<Running>,
}

impl ExtensionHost {
    /// `limit` is for each build.
    pub(super) async fn change(
        &mut self,
        tables: &Tables,
        limit: Option<Duration>,
    ) -> Result<Vec<(&'static str, Applied)>, ExtensionError> {
        let wanted = checks::read(self.compiled, tables)?;
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
}
