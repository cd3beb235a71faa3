//! A restoration that a start has to do first, into an empty store, and the lineage that begins with it.

use super::BackupError;
use super::catalogue::Link;
use super::manifest::{Lineage, to_json};
use super::opening::Opened;
use super::own_rows::note_lineage;
use super::plan::{Plan, Point};
use super::restoring::{self, Progress};
use super::segment::Entries;
use super::target::Target;
use super::{names, placing};
use crate::clock::Clock;
use crate::store::{NoPolicy, Store};
use std::path::Path;

/// A restoration that is due. The head names its lineage already.
pub(super) struct Restoration {
    pub(super) target: Target,
    pub(super) lineage: String,
    pub(super) writer: String,
    /// What the lineage will say of itself.
    pub(super) note: Lineage,
    pub(super) plan: Plan,
    /// Of what is restored.
    pub(super) history: Vec<Link>,
}

impl Restoration {
    /// What will be there afterwards.
    pub(super) fn point(&self) -> &Point {
        &self.plan.point
    }

    /// Puts everything back, into an empty store and beside it, and names the store's new lineage in it.
    pub(super) fn run(
        &self,
        store: &dyn Store,
        data_dir: &Path,
        clock: &dyn Clock,
        told: &mut dyn FnMut(Progress),
    ) -> Result<Progress, BackupError> {
        let progress = restoring::run(&self.target, &self.plan, store, told)?;
        let point = &self.plan.point;
        let (_, rows) = placing::place(&self.target, &self.history, point, data_dir)?;
        store.commit(&rows, &NoPolicy, clock.now_s())?;
        note_lineage(store, &self.lineage, clock)?;
        Ok(progress)
    }

    /// Once the store is in its place: the new lineage begins, unless the place was taken meanwhile.
    pub(super) fn begin(self, store: &dyn Store) -> Result<Opened, BackupError> {
        let name = names::lineage(&self.lineage);
        self.target.put(&name, to_json(&self.note))?;
        self.target.check_claim(&self.lineage, &self.writer)?;
        tracing::info!(
            lineage = self.lineage,
            "the backup goes on in a new lineage"
        );
        Ok(Opened {
            snapshot_at_ms: Some(self.plan.snapshot.at_ms),
            target: self.target,
            lineage: self.lineage,
            writer: self.writer,
            sequence: self.plan.point.sequence,
            row: store.last_row()?,
            previous: self.plan.point.sha256,
            entries: Entries::All,
            is_claimed: true,
        })
    }
}
