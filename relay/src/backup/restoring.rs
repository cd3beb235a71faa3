//! Reads what a plan names, and puts it back into an empty store.
//!
//! Invariant: nothing is put back that does not have the hash which its manifest names, and no segment that does not
//! follow the one before.

use super::catalogue::segment_of;
use super::manifest;
use super::packer::unpack;
use super::plan::Plan;
use super::target::Target;
use super::{BackupError, names};
use crate::store::{PutBack, Store};
use bytes::Bytes;

/// Things that are put back in one transaction, and bytes of them.
const BATCH: usize = 4_096;
const BATCH_BYTES: usize = 8 << 20;
/// Segments that are read at a time.
const AT_ONCE: usize = 32;

/// How far a restoration is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Objects that are done.
    pub objects: u64,
    /// Of so many.
    pub objects_in_all: u64,
    /// Events that were put back, some of which were removed again.
    pub events: u64,
}

/// Puts back what a plan names.
pub(super) fn run(
    target: &Target,
    plan: &Plan,
    store: &dyn Store,
    told: &mut dyn FnMut(Progress),
) -> Result<Progress, BackupError> {
    let in_all = plan.snapshot.parts.len() + plan.segments.len();
    let mut putting = Putting {
        store,
        batch: vec![PutBack::Begin(plan.snapshot.last_row)],
        bytes: 0,
        progress: Progress {
            objects_in_all: in_all as u64,
            ..Progress::default()
        },
    };
    for number in 0..plan.snapshot.parts.len() {
        let part = &plan.snapshot.parts[number];
        let name = names::snapshot_part(&plan.lineage, plan.snapshot.after_sequence, number);
        let object = whole(&name, target.get(&name)?, &part.sha256)?;
        unpack(&name, &object, |put| putting.take(put))?;
        putting.object_is_done(told);
    }
    let mut previous: Option<String> = None;
    let mut row = plan.snapshot.last_row;
    for some in plan.segments.chunks(AT_ONCE) {
        let manifests: Vec<String> = some
            .iter()
            .map(|(lineage, sequence)| names::segment_manifest(lineage, *sequence))
            .collect();
        let objects: Vec<String> = some
            .iter()
            .map(|(lineage, sequence)| names::segment(lineage, *sequence))
            .collect();
        let read = target.get_all(&manifests)?;
        let bodies = target.get_all(&objects)?;
        for (((name, json), object_name), object) in
            manifests.iter().zip(read).zip(&objects).zip(bodies)
        {
            let segment = segment_of(name, json)?;
            let follows = previous.is_none() || segment.manifest.previous == previous;
            if !follows || segment.manifest.after_row != row {
                let problem = format!(
                    "it follows row {}, and the segment before it ends with row {row}",
                    segment.manifest.after_row
                );
                return Err(BackupError::damaged(name, problem));
            }
            let object = whole(object_name, object, &segment.manifest.sha256)?;
            unpack(object_name, &object, |put| putting.take(put))?;
            row = segment.manifest.last_row;
            previous = Some(segment.sha256);
            putting.object_is_done(told);
        }
    }
    // Rows may have been given to nothing that is left.
    putting.flush()?;
    told(putting.progress);
    Ok(putting.progress)
}

/// An object that must be there and have this hash.
pub(super) fn whole(name: &str, object: Option<Bytes>, sha256: &str) -> Result<Bytes, BackupError> {
    let object = object.ok_or_else(|| BackupError::damaged(name, "it is missing".to_owned()))?;
    match manifest::sha256(&object) == sha256 {
        true => Ok(object),
        false => {
            let problem = "it does not have the hash that its manifest names".to_owned();
            Err(BackupError::damaged(name, problem))
        }
    }
}

struct Putting<'s> {
    store: &'s dyn Store,
    batch: Vec<PutBack>,
    bytes: usize,
    progress: Progress,
}

impl Putting<'_> {
    fn take(&mut self, put: PutBack) -> Result<(), BackupError> {
        self.bytes += match &put {
            PutBack::Event(stored) => {
                self.progress.events += 1;
                stored.event.json().len()
            }
            PutBack::Entry(entry) => entry.bytes(),
            _ => 0,
        };
        self.batch.push(put);
        match self.batch.len() >= BATCH || self.bytes >= BATCH_BYTES {
            true => self.flush(),
            false => Ok(()),
        }
    }

    fn flush(&mut self) -> Result<(), BackupError> {
        self.store.put_back(&self.batch)?;
        self.batch.clear();
        self.bytes = 0;
        Ok(())
    }

    fn object_is_done(&mut self, told: &mut dyn FnMut(Progress)) {
        self.progress.objects += 1;
        told(self.progress);
    }
}
