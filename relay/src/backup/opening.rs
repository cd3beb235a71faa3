//! What a start makes of the store that is here and the backup that is there: go on, begin, restore first, or refuse.
//!
//! Invariant: of all relays that write to one place, the last one that was started does; it says so in the head, which the
//! others look at. A store goes on with its lineage only where it has everything that the lineage has.

use super::catalogue::Segment;
use super::manifest::{FORMAT, Head, Lineage, Parent, SnapshotManifest, to_json};
use super::own_rows::{holds_nothing, is_empty, note_lineage, own_lineage, restored_by_hand};
use super::plan::Point;
use super::restoration::Restoration;
use super::segment::Entries;
use super::target::Target;
use super::{BackupError, names};
use crate::clock::Clock;
use crate::config::Backup;
use crate::store::Store;

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
    /// Which entries the next segment has to carry: all where some may have been written that nobody noted.
    pub(super) entries: Entries,
    /// When the last snapshot was done. Milliseconds since 1970.
    pub(super) snapshot_at_ms: Option<u64>,
    /// Whether the place was seen and claimed. Where it was not, nothing may be written there yet, and the rest says nothing.
    pub(super) is_claimed: bool,
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

/// How a start opens the backup.
pub(super) struct Opening<'o> {
    /// `[backup]`.
    pub config: &'o Backup,
    /// Where time comes from.
    pub clock: &'o dyn Clock,
    /// Whether the place may be taken from whoever has it.
    pub takes_over: bool,
    /// Whether a relay with a history may start where its place cannot be reached.
    pub may_claim_later: bool,
    /// The store's last row when the relay started, where it has stored more since: of what came then the backup knows
    /// nothing.
    pub started_at_row: Option<u64>,
    /// Notes the name of a lineage in a store that others write to as well; `None` where it is nobody else's yet.
    pub note: Option<NoteLineage<'o>>,
}

/// Writes the name of a lineage into the store.
pub(super) type NoteLineage<'o> = &'o dyn Fn(&str) -> Result<(), BackupError>;

impl Opening<'_> {
    /// Looks at both sides, and claims the place for this process. `said` hears what is waited for.
    pub(super) fn open(
        &self,
        store: &dyn Store,
        said: &dyn Fn(&str),
    ) -> Result<Start, BackupError> {
        let target = Target::open(&self.config.url)?;
        let own = own_lineage(store)?;
        let head = match target.head() {
            // Nothing was read, so nobody is known to have gone on from here.
            Err(error)
                if self.may_claim_later
                    && let Some(own) = &own =>
            {
                let error = error.in_full();
                tracing::error!(
                    error,
                    "the backup cannot be reached: the relay starts without it, and goes on trying"
                );
                return self.claim_later(target, store, own);
            }
            head => head?,
        };
        let Some(head) = head else {
            return self.begin(target, store, None);
        };
        if self.takes_over {
            return self.begin(target, store, Some(&head));
        }
        match own {
            None if let Some(point) = restored_by_hand(store)? => {
                self.go_on_from(target, store, point, &head)
            }
            None if is_empty(store)? => self.restore_or_begin(target, store, &head, said),
            None => Err(self.foreign(&head)),
            Some(own) if own == head.lineage => self.go_on(target, store, own, &head),
            Some(own) => match target.lineage(&own)? {
                // It was begun, and could not be written into the head any more.
                Some(note) if note.replaces.as_ref() == Some(&head.lineage) => {
                    self.go_on(target, store, own, &head)
                }
                Some(_) => Err(self.superseded(own, head.lineage)),
                None => Err(self.foreign(&head)),
            },
        }
    }

    fn superseded(&self, own: String, head: String) -> BackupError {
        BackupError::Superseded {
            url: self.config.url.clone(),
            own,
            head,
        }
    }

    fn foreign(&self, head: &Head) -> BackupError {
        BackupError::Foreign {
            url: self.config.url.clone(),
            head: head.lineage.clone(),
        }
    }

    /// A history of its own, which begins with a snapshot of what is here. Until that is done, what it replaces serves.
    pub(super) fn begin(
        &self,
        target: Target,
        store: &dyn Store,
        head: Option<&Head>,
    ) -> Result<Start, BackupError> {
        let note = |lineage: &str| self.note_in(store, lineage);
        let mut own = self.note(None, head.map(|head| head.lineage.clone()));
        own.began_empty = holds_nothing(store)?;
        let row = store.last_row()?;
        let fresh = self.begin_in(target, row, &own, &note, new_writer())?;
        Ok(Start::Ready(Box::new(fresh)))
    }

    fn note_in(&self, store: &dyn Store, lineage: &str) -> Result<(), BackupError> {
        match self.note {
            Some(note) => note(lineage),
            None => Ok(note_lineage(store, lineage, self.clock)?),
        }
    }

    /// For a store with a history whose place cannot be reached: the relay need not wait for it.
    fn claim_later(
        &self,
        target: Target,
        store: &dyn Store,
        lineage: &str,
    ) -> Result<Start, BackupError> {
        Ok(Start::Ready(Box::new(Opened {
            target,
            lineage: lineage.to_owned(),
            writer: new_writer(),
            sequence: 0,
            row: store.last_row()?,
            previous: None,
            entries: Entries::All,
            snapshot_at_ms: None,
            is_claimed: false,
        })))
    }

    /// The same for a store whose last row this is, and in which `note` writes the name of the lineage, which says `own` of
    /// itself.
    pub(super) fn begin_in(
        &self,
        target: Target,
        row: u64,
        own: &Lineage,
        note: NoteLineage<'_>,
        writer: String,
    ) -> Result<Opened, BackupError> {
        let lineage = self.new_name();
        self.write_lineage(&target, &lineage, own)?;
        note(&lineage)?;
        self.write_head(&target, &lineage, &writer)?;
        target.check_claim(&lineage, &writer)?;
        tracing::info!(lineage, "a new backup begins");
        Ok(Opened {
            row,
            target,
            lineage,
            writer,
            sequence: 0,
            previous: None,
            entries: Entries::Noted,
            snapshot_at_ms: None,
            is_claimed: true,
        })
    }

    /// The store's own history, if the store has all of it.
    fn go_on(
        &self,
        target: Target,
        store: &dyn Store,
        lineage: String,
        head: &Head,
    ) -> Result<Start, BackupError> {
        let snapshots = target.snapshots(&lineage)?;
        let last = match target.last_segment(&lineage)? {
            Some(last) => Some(Base::of(last)),
            None => self.inherited_base(&target, &lineage, &snapshots)?,
        };
        let Some(last) = last else {
            return self.begin(target, store, Some(head));
        };
        let last_row = store.last_row()?;
        if self.started_at_row.unwrap_or(last_row).min(last_row) < last.row {
            tracing::warn!(
                lineage,
                "the database is older than the backup, which begins anew with it; what only the backup has can be \
                 restored with `trellis backup restore` into an empty directory"
            );
            return self.begin(target, store, Some(head));
        }
        let writer = new_writer();
        if let Some(mut note) = target.lineage(&lineage)? {
            // Who waits for its end goes by it.
            note.interval_ms = self.config.interval.as_millis();
            self.write_lineage(&target, &lineage, &note)?;
        }
        target.delete(vec![names::ended(&lineage)])?;
        self.write_head(&target, &lineage, &writer)?;
        tracing::info!(lineage, sequence = last.sequence, "the backup goes on");
        let newest = snapshots.first().map(|snapshot| snapshot.at_ms);
        let snapshot_at_ms = match newest {
            Some(at_ms) => Some(at_ms),
            None => self.inherited_snapshot(&target, &lineage)?,
        };
        target.check_claim(&lineage, &writer)?;
        Ok(Start::Ready(Box::new(Opened {
            row: last.row,
            sequence: last.sequence,
            previous: last.previous,
            target,
            lineage,
            writer,
            entries: Entries::All,
            snapshot_at_ms,
            is_claimed: true,
        })))
    }

    /// A store that an operator has restored: whoever writes there gives way, and a history begins where this one branched
    /// off.
    fn go_on_from(
        &self,
        target: Target,
        store: &dyn Store,
        point: Point,
        head: &Head,
    ) -> Result<Start, BackupError> {
        if target.lineage(&point.lineage)?.is_none() {
            // Of another place, or gone.
            return self.begin(target, store, Some(head));
        }
        let (lineage, writer) = (self.new_name(), new_writer());
        let parent = Parent {
            lineage: point.lineage.clone(),
            sequence: Some(point.sequence),
        };
        let note = self.note(Some(parent), Some(head.lineage.clone()));
        self.write_lineage(&target, &lineage, &note)?;
        self.note_in(store, &lineage)?;
        self.write_head(&target, &lineage, &writer)?;
        target.check_claim(&lineage, &writer)?;
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
            entries: Entries::All,
            is_claimed: true,
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
            let snapshots = target.snapshots(&link.lineage)?;
            let counts =
                |it: &&SnapshotManifest| link.up_to.is_none_or(|to| it.consistent_at <= to);
            if let Some(snapshot) = snapshots.iter().find(counts) {
                return Ok(Some(snapshot.at_ms));
            }
        }
        Ok(None)
    }

    pub(super) fn note(&self, parent: Option<Parent>, replaces: Option<String>) -> Lineage {
        Lineage {
            format: FORMAT,
            begun_at_ms: self.clock.now_ms(),
            relay_version: env!("CARGO_PKG_VERSION").to_owned(),
            interval_ms: self.config.interval.as_millis(),
            parent,
            replaces,
            began_empty: false,
            goes_on: false,
        }
    }

    pub(super) fn write_lineage(
        &self,
        target: &Target,
        lineage: &str,
        note: &Lineage,
    ) -> Result<(), BackupError> {
        Ok(target.put(&names::lineage(lineage), to_json(note))?)
    }

    pub(super) fn write_head(
        &self,
        target: &Target,
        lineage: &str,
        writer: &str,
    ) -> Result<(), BackupError> {
        let head = Head {
            format: FORMAT,
            lineage: lineage.to_owned(),
            writer: writer.to_owned(),
            at_ms: self.clock.now_ms(),
        };
        Ok(target.put(names::HEAD, to_json(&head))?)
    }

    /// By the time of its beginning, so that lineages are listed in the order in which they began.
    pub(super) fn new_name(&self) -> String {
        format!("{:013}-{:08x}", self.clock.now_ms(), rand::random::<u32>())
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

pub(super) fn new_writer() -> String {
    format!("{:016x}", rand::random::<u64>())
}
