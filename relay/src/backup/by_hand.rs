//! What operators do with a backup while no relay has the database open: write it, list it, verify it, restore it.

use super::catalogue::segment_of;
use super::fallback::{self, Looked};
use super::keeps::Keeps;
use super::manifest::{self, BlobList, FileList};
use super::noted::Noted;
use super::opening::{Opening, Start};
use super::own_rows::{is_empty, note_restored};
use super::packer::unpack;
use super::plan::{Found, Point};
use super::replacing::{OpenStore, replace};
use super::restorable;
use super::restoring::{self, Progress, whole};
use super::shipping::Shipper;
use super::target::Target;
use super::{BackupError, names, placing};
use crate::admin::backup::Written;
use crate::clock::Clock;
use crate::config::{Backup, Config};
use crate::store::{NoPolicy, PutBack, Store};
use flate2::read::GzDecoder;
use serde::Serialize;
use std::collections::BTreeSet;
use std::io::Read as _;
use std::ops::ControlFlow;
use std::sync::Arc;

/// Notes are not needed where nobody writes.
const NOTED_BYTES: usize = 1 << 20;
/// More problems are counted but not described.
const DESCRIBED: usize = 20;

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
        let snapshots = snapshots.map(|snapshot| ListedSnapshot {
            after_sequence: snapshot.after_sequence,
            at_ms: snapshot.at_ms,
            events: snapshot.events,
            bytes: snapshot.parts.iter().map(|part| part.bytes).sum(),
        });
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

/// What a verification found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// Objects that were read.
    pub objects: u64,
    /// Events that were looked at.
    pub events: u64,
    /// How many things are wrong.
    pub problem_count: u64,
    /// The first of them.
    pub problems: Vec<String>,
}

impl Verified {
    fn note(&mut self, problem: String) {
        self.problem_count += 1;
        if self.problems.len() < DESCRIBED {
            self.problems.push(problem);
        }
    }

    /// Looks at one object and all its lines.
    fn look(&mut self, name: &str, object: Result<bytes::Bytes, BackupError>, signatures: bool) {
        self.objects += 1;
        let mut problems = Vec::new();
        let mut events = 0;
        let read = object.and_then(|object| {
            unpack(name, &object, |put| {
                if let PutBack::Event(stored) = put {
                    events += 1;
                    let event = &stored.event;
                    let verified = match signatures {
                        true => event.verify().map_err(|error| error.to_string()),
                        false if event.computed_id() != *event.id().as_bytes() => {
                            Err("its id is not its hash".to_owned())
                        }
                        false => Ok(()),
                    };
                    if let Err(problem) = verified {
                        problems.push(format!("{name}: row {}: {problem}", stored.row));
                    }
                }
                Ok(())
            })
        });
        self.events += events;
        problems.into_iter().for_each(|problem| self.note(problem));
        if let Err(error) = read {
            self.note(error.in_full());
        }
    }
}

/// Reads everything in a place: hashes, the chain of segments, lines, ids of events, and their signatures where that is
/// wanted, files and blobs. `told` hears how many objects are done, and may end it.
pub fn verify(
    target: &Target,
    signatures: bool,
    told: &mut dyn FnMut(u64) -> ControlFlow<()>,
) -> Result<Verified, BackupError> {
    let mut verified = Verified::default();
    for lineage in target.folders("")? {
        if target.lineage(&lineage)?.is_none() {
            continue;
        }
        for snapshot in target.snapshots(&lineage)? {
            for (number, part) in snapshot.parts.iter().enumerate() {
                let name = names::snapshot_part(&lineage, snapshot.after_sequence, number);
                let object = whole(&name, target.get(&name)?, &part.sha256);
                verified.look(&name, object, signatures);
                if told(verified.objects).is_break() {
                    return Ok(verified);
                }
            }
        }
        let mut previous: Option<(u64, u64, String)> = None;
        for sequence in target.sequences(&lineage, None)? {
            let name = names::segment_manifest(&lineage, sequence);
            let segment = match segment_of(&name, target.get(&name)?) {
                Ok(segment) => segment,
                Err(error) => {
                    verified.note(error.in_full());
                    previous = None;
                    continue;
                }
            };
            let manifest = &segment.manifest;
            if let Some((number, row, sha256)) = &previous {
                let follows = manifest.sequence == number + 1
                    && manifest.after_row == *row
                    && manifest.previous.as_ref() == Some(sha256);
                if !follows {
                    verified.note(format!("{name}: it does not follow the one before"));
                }
            }
            let object_name = names::segment(&lineage, sequence, &manifest.sha256);
            let object = whole(&object_name, target.get(&object_name)?, &manifest.sha256);
            verified.look(&object_name, object, signatures);
            previous = Some((sequence, manifest.last_row, segment.sha256.clone()));
            if told(verified.objects).is_break() {
                return Ok(verified);
            }
        }
    }
    if let Err(error) = restorable::check(target) {
        verified.note(error.in_full());
    }
    for object in named(target)? {
        verified.objects += 1;
        let sound = target.get(&object.name).map_err(BackupError::from);
        let sound = sound.and_then(|found| object.check(found));
        if let Err(error) = sound {
            verified.note(error.in_full());
        }
        if told(verified.objects).is_break() {
            return Ok(verified);
        }
    }
    match verified.objects {
        0 if target.head()?.is_none() => Err(BackupError::Nothing(target.url().to_owned())),
        _ => Ok(verified),
    }
}

/// A file or blob that a list names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Named {
    name: String,
    sha256: String,
    is_packed: bool,
}

impl Named {
    fn check(&self, found: Option<bytes::Bytes>) -> Result<(), BackupError> {
        let damaged = |problem: &str| BackupError::damaged(&self.name, problem.to_owned());
        let found = found.ok_or_else(|| damaged("it is missing"))?;
        let sha256 = match self.is_packed {
            true => {
                let mut raw = Vec::new();
                GzDecoder::new(&*found).read_to_end(&mut raw)?;
                manifest::sha256(&raw)
            }
            false => manifest::sha256(&found),
        };
        match sha256 == self.sha256 {
            true => Ok(()),
            false => Err(damaged("it does not have the hash by which it is named")),
        }
    }
}

/// Each once.
fn named(target: &Target) -> Result<BTreeSet<Named>, BackupError> {
    let mut all = BTreeSet::new();
    for lineage in target.folders("")? {
        for object in target.list(&names::file_lists(&lineage), None)? {
            if let Some(json) = target.get(&object.name)? {
                let list: FileList = manifest::from_json(&object.name, &json)?;
                all.extend(list.files.into_iter().map(|file| Named {
                    name: names::file(&file.sha256),
                    sha256: file.sha256,
                    is_packed: true,
                }));
            }
        }
        for object in target.list(&names::blob_lists(&lineage), None)? {
            if let Some(json) = target.get(&object.name)? {
                let list: BlobList = manifest::from_json(&object.name, &json)?;
                all.extend(list.blobs.into_iter().map(|(_, blob)| Named {
                    name: names::blob(&blob.sha256),
                    sha256: blob.sha256,
                    is_packed: false,
                }));
            }
        }
    }
    Ok(all)
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
) -> Result<(Point, Progress), E> {
    let target = Target::open(&config.backup.url).map_err(BackupError::from)?;
    let nothing = || BackupError::Nothing(config.backup.url.clone());
    let head = target.head()?.ok_or_else(nothing)?;
    let Looked { history, found, .. } = fallback::look(&target, &head.lineage, until_ms)?;
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
    Ok((plan.point, progress))
}
