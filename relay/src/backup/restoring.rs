//! Reads what a plan names, and puts it back into an empty store.
//!
//! Invariant: nothing is put back that does not have the hash which its manifest names, and no segment that does not
//! follow the one before.

use super::catalogue::{Segment, segment_of};
use super::manifest::{self, SnapshotManifest};
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
pub(super) const AT_ONCE: usize = 32;

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
    for (name, part) in plan.snapshot.objects(&plan.lineage) {
        let object = whole(&name, target.get(&name)?, &part.sha256)?;
        unpack(&name, &object, |put| putting.take(put))?;
        putting.object_is_done(told);
    }
    let mut chain = Chain::after(&plan.snapshot);
    for some in plan.segments.chunks(AT_ONCE) {
        let manifests: Vec<String> = some
            .iter()
            .map(|(lineage, sequence)| names::segment_manifest(lineage, *sequence))
            .collect();
        let segments = segments(target, &manifests)?;
        let objects: Vec<String> = some
            .iter()
            .zip(&segments)
            .map(|((lineage, sequence), segment)| {
                names::segment(lineage, *sequence, &segment.manifest.sha256)
            })
            .collect();
        let bodies = target.get_all(&objects)?;
        for (((name, segment), object_name), object) in
            manifests.iter().zip(&segments).zip(&objects).zip(bodies)
        {
            chain.follow(name, segment)?;
            let object = whole(object_name, object, &segment.manifest.sha256)?;
            unpack(object_name, &object, |put| putting.take(put))?;
            putting.object_is_done(told);
        }
    }
    // Rows may have been given to nothing that is left.
    putting.flush()?;
    told(putting.progress);
    Ok(putting.progress)
}

/// Segments by the names of their manifests.
pub(super) fn segments(target: &Target, manifests: &[String]) -> Result<Vec<Segment>, BackupError> {
    let read = manifests.iter().zip(target.get_all(manifests)?);
    read.map(|(name, json)| segment_of(name, json)).collect()
}

/// The segments that follow a snapshot, one the other.
pub(super) struct Chain {
    sequence: u64,
    row: u64,
    /// The hash of the last manifest; `None` at the beginning, since a snapshot does not name the segment that it follows.
    previous: Option<String>,
}

impl Chain {
    /// Of what follows a snapshot.
    pub(super) fn after(snapshot: &SnapshotManifest) -> Self {
        Chain {
            sequence: snapshot.after_sequence,
            row: snapshot.last_row,
            previous: None,
        }
    }

    /// Takes the next segment, whose manifest has this name.
    pub(super) fn follow(&mut self, name: &str, segment: &Segment) -> Result<(), BackupError> {
        let manifest = &segment.manifest;
        if (manifest.sequence, manifest.after_row) != (self.sequence + 1, self.row) {
            let problem = format!(
                "it is number {} and follows row {}, and what is before it is number {} and ends with row {}",
                manifest.sequence, manifest.after_row, self.sequence, self.row
            );
            return Err(BackupError::damaged(name, problem));
        }
        if self.previous.is_some() && manifest.previous != self.previous {
            let problem = "it follows another segment than the one before it".to_owned();
            return Err(BackupError::damaged(name, problem));
        }
        self.sequence = manifest.sequence;
        self.row = manifest.last_row;
        self.previous = Some(segment.sha256.clone());
        Ok(())
    }
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
