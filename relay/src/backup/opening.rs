//! What a start makes of the store that is here and the backup that is there: go on, begin, restore first, or refuse.
//!
//! Invariant: of all relays that write to one place, the last one that was started does; it says so in the head, which the
//! others look at. A store goes on with its lineage only where it has everything that the lineage has.

use super::catalogue::{Link, Segment};
use super::keeps::SPACE;
use super::manifest::{FORMAT, Head, Lineage, Parent, SnapshotManifest, to_json};
use super::plan::{self, Found, Plan, Point};
use super::restoring::{self, Progress};
use super::target::Target;
use super::{BackupError, names, placing};
use crate::clock::Clock;
use crate::config::Backup;
use crate::store::{NoPolicy, Store, StoreError, Write};
use std::path::Path;
use std::time::Duration;

/// The row of [`SPACE`] that holds the name of the store's lineage.
const LINEAGE: &[u8] = b"lineage";
/// The row of [`SPACE`] that says where a restoration by hand has led.
const RESTORED: &[u8] = b"restored";
/// A lineage of which nothing new has come for so many of its intervals is not written any more.
const SILENT_INTERVALS: u32 = 3;
/// A look at whether a lineage has ended.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// A lineage that this process writes.
pub struct Opened {
    pub(super) target: Target,
    pub(super) lineage: String,
    /// This process.
    pub(super) writer: String,
    /// The last segment.
    pub(super) sequence: u64,
    /// The last row that is in a segment, or in the snapshot with which the lineage begins.
    pub(super) row: u64,
    /// The hash of the last manifest.
    pub(super) previous: Option<String>,
    /// Entries may have been written that nobody noted.
    pub(super) all_entries: bool,
    /// When the last snapshot was done. Milliseconds since 1970.
    pub(super) snapshot_at_ms: Option<u64>,
}

impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Opened({})", self.lineage)
    }
}

/// What a start has to do.
pub(super) enum Start {
    /// Nothing more: the store is as it should be.
    Ready(Box<Opened>),
    /// Restore into an empty store, and go on from there.
    Restore(Box<Restoration>),
}

/// A restoration that is due.
pub(super) struct Restoration {
    target: Target,
    lineage: String,
    writer: String,
    note: Lineage,
    plan: Plan,
    /// Of what is restored.
    history: Vec<Link>,
    snapshot_at_ms: u64,
}

/// How a start opens the backup.
pub(super) struct Opening<'o> {
    /// `[backup]`.
    pub config: &'o Backup,
    /// Where time comes from.
    pub clock: &'o dyn Clock,
    /// Whether the place may be taken from whoever has it.
    pub takes_over: bool,
}

impl Opening<'_> {
    /// Looks at both sides, and claims the place for this process. `said` hears what is waited for.
    pub(super) fn open(
        &self,
        store: &dyn Store,
        said: &dyn Fn(&str),
    ) -> Result<Start, BackupError> {
        let target = Target::open(&self.config.url)?;
        let own = own_lineage(store)?;
        let head = target.head()?;
        let Some(head) = head else {
            return self.begin(target, store);
        };
        if self.takes_over {
            return self.begin(target, store);
        }
        match own {
            None if let Some(point) = restored_by_hand(store)? => {
                self.go_on_from(target, store, point)
            }
            None if is_empty(store)? => self.restore_or_begin(target, store, &head, said),
            None => Err(self.foreign(&head)),
            Some(own) if own == head.lineage => self.go_on(target, store, own),
            Some(own) => Err(match target.lineage(&own)? {
                Some(_) => BackupError::Superseded {
                    url: self.config.url.clone(),
                    own,
                    head: head.lineage,
                },
                None => self.foreign(&head),
            }),
        }
    }

    fn foreign(&self, head: &Head) -> BackupError {
        BackupError::Foreign {
            url: self.config.url.clone(),
            head: head.lineage.clone(),
        }
    }

    /// A history of its own, which begins with a snapshot of what is here.
    fn begin(&self, target: Target, store: &dyn Store) -> Result<Start, BackupError> {
        let note = |lineage: &str| Ok(note_lineage(store, lineage, self.clock)?);
        let fresh = self.begin_in(target, store.last_row()?, &note)?;
        Ok(Start::Ready(Box::new(fresh)))
    }

    /// The same for a store whose last row this is, and in which `note` writes the name of the lineage.
    pub(super) fn begin_in(
        &self,
        target: Target,
        row: u64,
        note: &dyn Fn(&str) -> Result<(), BackupError>,
    ) -> Result<Opened, BackupError> {
        let (lineage, writer) = (self.new_name(), new_writer());
        self.write_lineage(&target, &lineage, &self.note(None))?;
        note(&lineage)?;
        self.write_head(&target, &lineage, &writer)?;
        tracing::info!(lineage, "a new backup begins");
        Ok(Opened {
            row,
            target,
            lineage,
            writer,
            sequence: 0,
            previous: None,
            all_entries: false,
            snapshot_at_ms: None,
        })
    }

    /// The store's own history, if the store has all of it.
    fn go_on(
        &self,
        target: Target,
        store: &dyn Store,
        lineage: String,
    ) -> Result<Start, BackupError> {
        let snapshots = target.snapshots(&lineage)?;
        let last = match target.last_segment(&lineage)? {
            Some(last) => Some(Base::of(last)),
            None => self.inherited_base(&target, &lineage, &snapshots)?,
        };
        let Some(last) = last else {
            return self.begin(target, store);
        };
        if store.last_row()? < last.row {
            tracing::warn!(
                lineage,
                "the database is older than the backup, which begins anew with it; what only the backup has can be \
                 restored with `trellis backup restore` into an empty directory"
            );
            return self.begin(target, store);
        }
        let writer = new_writer();
        target.delete(vec![names::ended(&lineage)])?;
        self.write_head(&target, &lineage, &writer)?;
        tracing::info!(lineage, sequence = last.sequence, "the backup goes on");
        let newest = snapshots.first().map(|snapshot| snapshot.at_ms);
        let snapshot_at_ms = match newest {
            Some(at_ms) => Some(at_ms),
            None => self.inherited_snapshot(&target, &lineage)?,
        };
        Ok(Start::Ready(Box::new(Opened {
            row: last.row,
            sequence: last.sequence,
            previous: last.previous,
            target,
            lineage,
            writer,
            all_entries: true,
            snapshot_at_ms,
        })))
    }

    /// A store that an operator has restored: whoever writes there gives way, and a history begins where this one branched
    /// off.
    fn go_on_from(
        &self,
        target: Target,
        store: &dyn Store,
        point: Point,
    ) -> Result<Start, BackupError> {
        if target.lineage(&point.lineage)?.is_none() {
            // Of another place, or gone.
            return self.begin(target, store);
        }
        let (lineage, writer) = (self.new_name(), new_writer());
        let note = self.note(Some(Parent {
            lineage: point.lineage.clone(),
            sequence: Some(point.sequence),
        }));
        self.write_lineage(&target, &lineage, &note)?;
        note_lineage(store, &lineage, self.clock)?;
        self.write_head(&target, &lineage, &writer)?;
        tracing::info!(
            lineage,
            parent = point.lineage,
            "a restored database is backed up"
        );
        Ok(Start::Ready(Box::new(Opened {
            row: point.row,
            sequence: point.sequence,
            previous: point.sha256,
            snapshot_at_ms: self.inherited_snapshot(&target, &lineage)?,
            target,
            lineage,
            writer,
            all_entries: true,
        })))
    }

    /// Where a lineage without a segment of its own begins: after a snapshot, or after a segment of its parent.
    fn inherited_base(
        &self,
        target: &Target,
        lineage: &str,
        snapshots: &[SnapshotManifest],
    ) -> Result<Option<Base>, BackupError> {
        if let Some(snapshot) = snapshots.first() {
            return Ok(Some(Base {
                row: snapshot.last_row,
                sequence: snapshot.after_sequence,
                previous: None,
            }));
        }
        let parent = target.lineage(lineage)?.and_then(|note| note.parent);
        let Some((lineage, sequence)) = parent.and_then(|it| Some((it.lineage, it.sequence?)))
        else {
            return Ok(None);
        };
        let is_there = target.size(&names::segment_manifest(&lineage, sequence))?;
        let segment = is_there.map(|_| target.segment(&lineage, sequence));
        Ok(segment.transpose()?.map(Base::of))
    }

    /// When the snapshot was made on which a history without one of its own stands.
    fn inherited_snapshot(
        &self,
        target: &Target,
        lineage: &str,
    ) -> Result<Option<u64>, BackupError> {
        for link in target.history(lineage)?.iter().skip(1) {
            if let Some(snapshot) = target.snapshots(&link.lineage)?.first() {
                return Ok(Some(snapshot.at_ms));
            }
        }
        Ok(None)
    }

    /// An empty store: what is there comes first.
    fn restore_or_begin(
        &self,
        target: Target,
        store: &dyn Store,
        head: &Head,
        said: &dyn Fn(&str),
    ) -> Result<Start, BackupError> {
        let history = target.history(&head.lineage)?;
        let Some(newest) = history.first() else {
            return self.begin(target, store);
        };
        // Whoever writes there learns of this by the head, and ends.
        let (lineage, writer) = (self.new_name(), new_writer());
        let mut note = self.note(Some(Parent {
            lineage: newest.lineage.clone(),
            sequence: None,
        }));
        self.write_lineage(&target, &lineage, &note)?;
        self.write_head(&target, &lineage, &writer)?;
        self.wait_for_end(&target, newest, said)?;
        let plan = match plan::find(&target, &history, None)? {
            Found::Plan(plan) => *plan,
            Found::Nothing => return self.begin(target, store),
            Found::NothingWhole => {
                // So that the next start finds the same.
                target.put(names::HEAD, to_json(head))?;
                return Err(BackupError::NothingWhole {
                    url: self.config.url.clone(),
                });
            }
        };
        note.parent = Some(Parent {
            lineage: plan.point.lineage.clone(),
            sequence: Some(plan.point.sequence),
        });
        Ok(Start::Restore(Box::new(Restoration {
            snapshot_at_ms: plan.snapshot.at_ms,
            target,
            lineage,
            writer,
            note,
            plan,
            history,
        })))
    }

    /// Until whoever wrote the lineage has ended it, or has written nothing for long enough to be gone.
    fn wait_for_end(
        &self,
        target: &Target,
        link: &Link,
        said: &dyn Fn(&str),
    ) -> Result<(), BackupError> {
        let silence = Duration::from_millis(link.note.interval_ms) * SILENT_INTERVALS;
        let mut after = target
            .last_segment(&link.lineage)?
            .map(|it| it.manifest.sequence);
        let mut since = self.clock.monotonic();
        let mut is_told = false;
        while target.ended(&link.lineage)?.is_none() {
            if self.clock.monotonic().saturating_sub(since) >= silence {
                said("the relay that wrote the backup is gone without a word");
                return Ok(());
            }
            if !is_told {
                is_told = true;
                said(
                    "waiting for the relay that writes the backup to end, or to be silent for long enough",
                );
            }
            std::thread::sleep(LOOK_EVERY.min(silence));
            if let Some(newest) = target.sequences(&link.lineage, after)?.last() {
                after = Some(*newest);
                since = self.clock.monotonic();
            }
        }
        Ok(())
    }

    fn note(&self, parent: Option<Parent>) -> Lineage {
        Lineage {
            format: FORMAT,
            begun_at_ms: self.clock.now_ms(),
            relay_version: env!("CARGO_PKG_VERSION").to_owned(),
            interval_ms: self.config.interval.as_millis(),
            parent,
        }
    }

    fn write_lineage(
        &self,
        target: &Target,
        lineage: &str,
        note: &Lineage,
    ) -> Result<(), BackupError> {
        Ok(target.put(&names::lineage(lineage), to_json(note))?)
    }

    fn write_head(&self, target: &Target, lineage: &str, writer: &str) -> Result<(), BackupError> {
        let head = Head {
            format: FORMAT,
            lineage: lineage.to_owned(),
            writer: writer.to_owned(),
            at_ms: self.clock.now_ms(),
        };
        Ok(target.put(names::HEAD, to_json(&head))?)
    }

    /// By the time of its beginning, so that lineages are listed in the order in which they began.
    fn new_name(&self) -> String {
        format!("{:013}-{:08x}", self.clock.now_ms(), rand::random::<u32>())
    }
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

    /// Once the store is in its place: the new lineage begins.
    pub(super) fn begin(self, store: &dyn Store) -> Result<Opened, BackupError> {
        let name = names::lineage(&self.lineage);
        self.target.put(&name, to_json(&self.note))?;
        tracing::info!(
            lineage = self.lineage,
            "the backup goes on in a new lineage"
        );
        Ok(Opened {
            target: self.target,
            lineage: self.lineage,
            writer: self.writer,
            sequence: self.plan.point.sequence,
            row: store.last_row()?,
            previous: self.plan.point.sha256,
            all_entries: true,
            snapshot_at_ms: Some(self.snapshot_at_ms),
        })
    }
}

/// What a lineage has.
struct Base {
    row: u64,
    sequence: u64,
    previous: Option<String>,
}

impl Base {
    fn of(last: Segment) -> Self {
        Base {
            row: last.manifest.last_row,
            sequence: last.manifest.sequence,
            previous: Some(last.sha256),
        }
    }
}

/// Whether a store holds nothing at all.
pub fn is_empty(store: &dyn Store) -> Result<bool, StoreError> {
    Ok(store.last_row()? == 0 && store.entries(None, 1)?.entries.is_empty())
}

/// Where an operator's restoration has led, until a relay goes on from there.
fn restored_by_hand(store: &dyn Store) -> Result<Option<Point>, StoreError> {
    let point = store.kv_get(SPACE, RESTORED)?;
    Ok(point.and_then(|point| serde_json::from_slice(&point).ok()))
}

/// Notes where a restoration has led, for whoever serves from this store.
pub(super) fn note_restored(
    store: &dyn Store,
    point: &Point,
    clock: &dyn Clock,
) -> Result<(), StoreError> {
    let value = serde_json::to_vec(point).unwrap_or_default();
    let write = own_row(RESTORED, Some(value));
    store.commit(&[write], &NoPolicy, clock.now_s()).map(drop)
}

/// The lineage that the store has written last; `None` for one that never had a backup.
pub(super) fn own_lineage(store: &dyn Store) -> Result<Option<String>, StoreError> {
    let lineage = store.kv_get(SPACE, LINEAGE)?;
    Ok(lineage.map(|lineage| String::from_utf8_lossy(&lineage).into_owned()))
}

fn note_lineage(store: &dyn Store, lineage: &str, clock: &dyn Clock) -> Result<(), StoreError> {
    let writes = rows_of_lineage(lineage);
    store.commit(&writes, &NoPolicy, clock.now_s()).map(drop)
}

/// What says in a store that its history is this.
pub(super) fn rows_of_lineage(lineage: &str) -> [Write; 2] {
    [
        own_row(LINEAGE, Some(lineage.as_bytes().to_vec())),
        own_row(RESTORED, None),
    ]
}

fn own_row(key: &[u8], value: Option<Vec<u8>>) -> Write {
    Write::Kv {
        extension: SPACE.to_owned(),
        key: key.to_vec(),
        value,
    }
}

fn new_writer() -> String {
    format!("{:016x}", rand::random::<u64>())
}
