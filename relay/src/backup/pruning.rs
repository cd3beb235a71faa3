//! Deletes what only serves points in time that are older than is wanted.
//!
//! Invariant: the newest snapshot that is old enough stays with everything after it, and so does everything where none is.
//! Lineages that led nowhere go as a whole once they are old enough. What is interrupted leaves nothing that looks whole and
//! is not: snapshots go before the segments that they need. A clock that is far ahead is not believed at once. Not here: files
//! and blobs that nothing names after that, which are `unnamed`'s.

use super::manifest::Lineage;
use super::target::Target;
use super::{BackupError, names};
use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

/// Objects that are deleted at a time.
const AT_ONCE: usize = 1_000;
/// So much later than expected a snapshot may be done, and the clock is believed.
const BELIEVED_MS: u64 = 86_400_000;

/// What is to be deleted, from the thread that writes to the one that has the time for it.
#[derive(Debug, Default)]
pub(super) struct Due(Mutex<Option<Old>>);

/// What is old.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Old {
    /// The lineage that is written.
    pub(super) lineage: String,
    /// What only serves points in time before. Milliseconds since 1970.
    pub(super) before_ms: u64,
}

impl Due {
    /// Has this deleted, and nothing that was wanted before.
    pub(super) fn want(&self, old: Old) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(old);
    }

    /// What is to be deleted now.
    pub(super) fn take(&self) -> Option<Old> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// From when on points in time are kept after a snapshot was done: by the clock, but for one that is more than a day ahead
/// of when that snapshot was due. `None` where there was no snapshot before, by which it could be seen: nothing is deleted
/// then. All in milliseconds.
pub(super) fn kept_from(
    now_ms: u64,
    snapshot_before_ms: Option<u64>,
    snapshot_interval_ms: u64,
    retention_ms: u64,
) -> Option<u64> {
    let before_ms = snapshot_before_ms?;
    let believed_ms = before_ms
        .saturating_add(snapshot_interval_ms)
        .saturating_add(BELIEVED_MS);
    Some(now_ms.min(believed_ms).saturating_sub(retention_ms))
}

/// Deletes what is not needed for any point in time since then, as the history of the lineage goes, for as long as
/// `goes_on`. Says how many objects went.
pub(super) fn prune(
    target: &Target,
    old: &Old,
    goes_on: &dyn Fn() -> bool,
) -> Result<u64, BackupError> {
    let doomed = doomed(target, old)?;
    let mut deleted = 0;
    for some in doomed.chunks(AT_ONCE) {
        if !goes_on() {
            break;
        }
        target.delete(some.to_vec())?;
        deleted += some.len() as u64;
    }
    Ok(deleted)
}

/// In the order in which they have to go.
pub(super) fn doomed(target: &Target, old: &Old) -> Result<Vec<String>, BackupError> {
    let Old { lineage, before_ms } = old;
    let history = target.history(lineage)?;
    let mut base = None;
    'links: for (place, link) in history.iter().enumerate() {
        for snapshot in target.snapshots(&link.lineage)? {
            let counts = link
                .up_to
                .is_none_or(|up_to| snapshot.consistent_at <= up_to);
            if counts && snapshot.at_ms <= *before_ms {
                base = Some((place, snapshot.after_sequence));
                break 'links;
            }
        }
    }
    let mut doomed = Vec::new();
    if let Some((place, sequence)) = base {
        let lineage = &history[place].lineage;
        let is_old = |name: &str| number_in(name).is_some_and(|number| number < sequence);
        for folder in [names::snapshots(lineage), names::segments(lineage)] {
            let objects = target.list(&folder, None)?.into_iter();
            doomed.extend(objects.map(|it| it.name).filter(|name| is_old(name)));
        }
        // The last of the old ones, of each kind, was in force at the snapshot.
        let mut last_of = HashMap::new();
        for folder in [
            names::configs(lineage),
            names::file_lists(lineage),
            names::blob_lists(lineage),
        ] {
            for object in target.list(&folder, None)? {
                if is_old(&object.name) {
                    let kind = kind_of(&object.name);
                    doomed.extend(last_of.insert(kind, object.name));
                }
            }
        }
    }
    let needed = base.map_or(history.len(), |(place, _)| place + 1);
    let needed = &history[..needed];
    // One that was begun meanwhile.
    let head = target.head()?.map(|head| head.lineage);
    let mut others = HashMap::new();
    for folder in target.folders("")? {
        let is_written = folder == *lineage || head.as_ref() == Some(&folder);
        if is_written || needed.iter().any(|link| link.lineage == folder) {
            continue;
        }
        if let Some(note) = target.lineage(&folder)? {
            others.insert(folder, note);
        }
    }
    let mut old = HashSet::new();
    for (folder, note) in &others {
        let was_needed = history.iter().any(|link| link.lineage == *folder);
        let last = target.last_segment(folder)?;
        let last_ms = last.map_or(note.begun_at_ms, |last| last.manifest.at_ms);
        if was_needed || last_ms < *before_ms {
            old.insert(folder.clone());
        }
    }
    // What stays needs what it goes on from.
    let stays = |(folder, _): &(&String, &Lineage)| !old.contains(*folder);
    let staying: Vec<&Lineage> = others.iter().filter(stays).map(|(_, note)| note).collect();
    for note in staying {
        let mut parent = note.parent.as_ref();
        // One that is not old any more has been gone through, so this ends even where a damaged history is a circle.
        while let Some(of) = parent
            && old.remove(&of.lineage)
        {
            parent = others.get(&of.lineage).and_then(|it| it.parent.as_ref());
        }
    }
    for folder in old {
        let own = names::lineage(&folder);
        let snapshots = target.list(&names::snapshots(&folder), None)?;
        doomed.extend(snapshots.into_iter().map(|it| it.name));
        let objects = target.list(&folder, None)?.into_iter();
        let is_other = |name: &String| *name != own && !name.contains("/snapshots/");
        doomed.extend(objects.map(|it| it.name).filter(is_other));
        // Last, so that what is left by an interruption is found the next time.
        doomed.push(own);
    }
    Ok(doomed)
}

/// What an object is called without its number.
fn kind_of(name: &str) -> String {
    let (folder, last) = name.rsplit_once('/').unwrap_or(("", name));
    let kind = last.split_once('.').map_or("", |(_, kind)| kind);
    format!("{folder}/{kind}")
}

/// The number of the segment that an object belongs to or follows: the first part of its name, from the end, that begins
/// with one.
fn number_in(name: &str) -> Option<u64> {
    name.rsplit('/').find_map(|part| {
        let digits = part.split('.').next().unwrap_or_default();
        (digits.len() == 12).then(|| digits.parse().ok()).flatten()
    })
}
