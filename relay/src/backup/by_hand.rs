//! What operators do with a backup while no relay has the database open: write it, list it, restore it. Not here: reading it
//! all to see whether it is whole, which is `verifying`'s.

use super::fallback::{self, Looked};
use super::keeps::Keeps;
use super::manifest::SnapshotManifest;
use super::noted::Noted;
use super::opening::{Opening, Start};
use super::own_rows::{is_empty, note_restored};
use super::plan::{Found, Point};
use super::replacing::{OpenStore, replace};
use super::restoring::{self, Progress};
use super::shipping::Shipper;
use super::target::Target;
use super::{BackupError, names, placing};
use crate::admin::backup::Written;
use crate::clock::Clock;
use crate::config::{Backup, Config};
use crate::store::{NoPolicy, Store};
use serde::Serialize;
use std::sync::Arc;

/// Notes are not needed where nobody writes.
const NOTED_BYTES: usize = 1 << 20;

/// Writes what a store holds to its backup, with a snapshot where it is wanted or there is none. `takes_over` takes the
/// place from whoever has it.
pub fn write(
    config: &Backup,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    keeps: Keeps,
    (snapshot, takes_over): (bool, bool),
) -> Result<Written, BackupError> {
    let opening = Opening {
        config,
        clock: &*clock,
        takes_over,
        may_claim_later: false,
        started_at_row: None,
        note: None,
    };
    if is_empty(&*store)? && !takes_over {
        return Err(BackupError::NothingHere);
    }
    let opened = match opening.open(&*store, &|_| {})? {
        Start::Ready(opened) => *opened,
        Start::Restore(_) => return Err(BackupError::NothingHere),
    };
    let wants_snapshot = snapshot || opened.snapshot_at_ms.is_none();
    let noted = Arc::new(Noted::new(NOTED_BYTES));
    let mut shipper = Shipper::new(opened, store, noted, clock, keeps);
    shipper.ship()?;
    if wants_snapshot {
        shipper.begin_snapshot();
        while !shipper.is_copied() {
            shipper.copy_some()?;
        }
        shipper.end_snapshot()?;
    }
    shipper.end()?;
    Ok(Written {
        lineage: shipper.opened.lineage.clone(),
        sequence: shipper.opened.sequence,
        row: shipper.opened.row,
        snapshot: wants_snapshot,
    })
}

/// A lineage as it is listed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Listed {
    /// Its name.
    pub lineage: String,
    /// When it began. Milliseconds since 1970.
    pub begun_at_ms: u64,
    /// What it goes on from, and after which segment of that.
    pub parent: Option<(String, Option<u64>)>,
    /// Whether it is the one that is written now.
    pub is_head: bool,
    /// Whether whoever wrote it has said that nothing more comes.
    pub has_ended: bool,
    /// Its segments: how many, their bytes, and the times of the first and the last in milliseconds since 1970.
    pub segments: u64,
    /// In all.
    pub segment_bytes: u64,
    /// Of the first.
    pub first_at_ms: Option<u64>,
    /// Of the last: the newest point in time.
    pub last_at_ms: Option<u64>,
    /// Its whole snapshots.
    pub snapshots: Vec<ListedSnapshot>,
}

/// A snapshot as it is listed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ListedSnapshot {
    /// The segment that it follows.
    pub after_sequence: u64,
    /// When it was done: points in time from here on can be restored. Milliseconds since 1970.
    pub at_ms: u64,
    /// Events in it.
    pub events: u64,
    /// Bytes of its parts.
    pub bytes: u64,
}

impl ListedSnapshot {
    fn of(snapshot: &SnapshotManifest) -> Self {
        ListedSnapshot {
            after_sequence: snapshot.after_sequence,
            at_ms: snapshot.at_ms,
            events: snapshot.events,
            bytes: snapshot.parts.iter().map(|part| part.bytes).sum(),
        }
    }
}

/// All lineages in a place, the oldest first.
pub fn list(target: &Target) -> Result<Vec<Listed>, BackupError> {
    let head = target.head()?;
    let mut listed = Vec::new();
    for lineage in target.folders("")? {
        let Some(note) = target.lineage(&lineage)? else {
            continue;
        };
        let sequences = target.sequences(&lineage, None)?;
        let objects = target.list(&names::segments(&lineage), None)?;
        let at_ms = |sequence: Option<&u64>| -> Result<Option<u64>, BackupError> {
            let segment = sequence
                .map(|it| target.segment(&lineage, *it))
                .transpose()?;
            Ok(segment.map(|segment| segment.manifest.at_ms))
        };
        let snapshots = target.snapshots(&lineage)?.into_iter().rev();
        let snapshots = snapshots.map(|snapshot| ListedSnapshot::of(&snapshot));
        listed.push(Listed {
            begun_at_ms: note.begun_at_ms,
            parent: note.parent.map(|parent| (parent.lineage, parent.sequence)),
            is_head: head.as_ref().is_some_and(|head| head.lineage == lineage),
            has_ended: target.ended(&lineage)?.is_some(),
            segments: sequences.len() as u64,
            segment_bytes: objects.iter().map(|object| object.bytes).sum(),
            first_at_ms: at_ms(sequences.first())?,
            last_at_ms: at_ms(sequences.last())?,
            snapshots: snapshots.collect(),
            lineage,
        });
    }
    Ok(listed)
}

/// What a restoration by hand has read, and where that has led.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// The point in time that is there now.
    pub point: Point,
    /// How much was read.
    pub progress: Progress,
    /// The lineage whose snapshot was read; segments of others may follow, up to that of the point.
    pub lineage: String,
    /// The snapshot.
    pub snapshot: ListedSnapshot,
    /// How many segments after it.
    pub segments: u64,
    /// The lineage that is written now, where it has no whole copy of what was asked for: what it took the place of was
    /// read instead.
    pub instead_of: Option<String>,
}

/// Restores into the data directory that a configuration names, which must have no database or an empty one: the newest
/// state, or that of a point in time. Nobody who writes to the backup is disturbed; a relay that serves from here afterwards
/// goes on from there.
pub fn restore<E: From<BackupError>>(
    config: &Config,
    until_ms: Option<u64>,
    clock: &dyn Clock,
    open: OpenStore<'_, E>,
    told: &mut dyn FnMut(Progress),
) -> Result<Restored, E> {
    let target = Target::open(&config.backup.url).map_err(BackupError::from)?;
    let nothing = || BackupError::Nothing(config.backup.url.clone());
    let head = target.head()?.ok_or_else(nothing)?;
    let Looked {
        history,
        found,
        instead_of,
        ..
    } = fallback::look(&target, &head.lineage, until_ms)?;
    let plan = match found {
        Found::Plan(plan) => plan,
        Found::Nothing => return Err(nothing().into()),
        Found::NothingWhole if until_ms.is_some() => return Err(nothing().into()),
        Found::NothingWhole => {
            return Err(BackupError::NothingWhole {
                url: config.backup.url.clone(),
            }
            .into());
        }
    };
    let store = open(&config.data.path)?;
    let mut progress = Progress::default();
    replace(&config.data.path, open, store, |beside| {
        progress = restoring::run(&target, &plan, beside, told)?;
        let (_, rows) = placing::place(&target, &history, &plan.point, &config.data.path)?;
        beside.commit(&rows, &NoPolicy, clock.now_s())?;
        Ok(note_restored(beside, &plan.point, clock)?)
    })?;
    Ok(Restored {
        progress,
        snapshot: ListedSnapshot::of(&plan.snapshot),
        segments: plan.segments.len() as u64,
        lineage: plan.lineage,
        point: plan.point,
        instead_of,
    })
}
