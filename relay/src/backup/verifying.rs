//! Reads everything in a backup's place to see whether it is whole.
//!
//! Invariant: of what may be long, blobs and files of extensions, only a piece is in memory at a time. Not here: whether the
//! newest state could be restored, which is `restorable`'s.

use super::catalogue::segment_of;
use super::files::hash_of;
use super::listed::{Named, named_by};
use super::packer::unpack;
use super::restorable;
use super::restoring::whole;
use super::target::{Target, TargetError};
use super::{BackupError, names};
use crate::store::PutBack;
use flate2::read::GzDecoder;
use std::collections::BTreeSet;
use std::ops::ControlFlow;

/// More problems are counted but not described.
const DESCRIBED: usize = 20;

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
            for (name, part) in snapshot.objects(&lineage) {
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
    for object in named(target, &mut verified)? {
        verified.objects += 1;
        if let Err(error) = check(&object, target) {
            verified.note(error.in_full());
        }
        if told(verified.objects).is_break() {
            return Ok(verified);
        }
    }
    let found_nothing = verified.objects == 0 && verified.problem_count == 0;
    match found_nothing && target.head()?.is_none() {
        true => Err(BackupError::Nothing(target.url().to_owned())),
        false => Ok(verified),
    }
}

/// Whether an object is there and has the hash by which it is named.
fn check(object: &Named, target: &Target) -> Result<(), BackupError> {
    let damaged = |problem: String| BackupError::damaged(&object.name, problem);
    let found = target.open_object(&object.name)?;
    let found = found.ok_or_else(|| damaged("it is missing".to_owned()))?;
    let hashed = match object.is_packed {
        true => hash_of(GzDecoder::new(found)),
        false => hash_of(found),
    };
    match hashed.map_err(|error| error.downcast::<TargetError>()) {
        Ok((sha256, _)) if sha256 == object.sha256 => Ok(()),
        Ok(_) => Err(damaged(
            "it does not have the hash by which it is named".to_owned(),
        )),
        Err(Ok(unread)) => Err(unread.into()),
        Err(Err(not_packed)) => Err(damaged(not_packed.to_string())),
    }
}

/// Each once; a list that cannot be read is noted.
fn named(target: &Target, verified: &mut Verified) -> Result<BTreeSet<Named>, BackupError> {
    let mut all = BTreeSet::new();
    for lineage in target.folders("")? {
        for folder in [names::file_lists(&lineage), names::blob_lists(&lineage)] {
            for list in target.list(&folder, None)? {
                let Some(json) = target.get(&list.name)? else {
                    continue;
                };
                match named_by(&list.name, &json) {
                    Ok(named) => all.extend(named),
                    Err(error) => verified.note(error.in_full()),
                }
            }
        }
    }
    Ok(all)
}
