//! Deletes what only serves points in time that are older than is wanted.
//!
//! Invariant: the newest snapshot that is old enough stays with everything after it, and so does everything where none is.
//! Lineages that led nowhere go as a whole once they are old enough.

use super::manifest::{self, BlobList, FileList};
use super::target::Target;
use super::{BackupError, names};
use std::collections::{HashMap, HashSet};

/// Deletes what is not needed for any point in time since `before_ms`, as the history of a lineage goes. Says how many
/// objects went.
pub(super) fn prune(target: &Target, lineage: &str, before_ms: u64) -> Result<u64, BackupError> {
    let history = target.history(lineage)?;
    let mut base = None;
    'links: for (place, link) in history.iter().enumerate() {
        for snapshot in target.snapshots(&link.lineage)? {
            let counts = link
                .up_to
                .is_none_or(|up_to| snapshot.consistent_at <= up_to);
            if counts && snapshot.at_ms <= before_ms {
                base = Some((place, snapshot.after_sequence));
                break 'links;
            }
        }
    }
    let mut doomed = Vec::new();
    if let Some((place, sequence)) = base {
        let lineage = &history[place].lineage;
        let is_old = |name: &str| number_in(name).is_some_and(|number| number < sequence);
        let folders = [names::segments(lineage), names::snapshots(lineage)];
        for folder in folders {
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
    for folder in target.folders("")? {
        if needed.iter().any(|link| link.lineage == folder) || folder == lineage {
            continue;
        }
        let Some(note) = target.lineage(&folder)? else {
            continue;
        };
        let was_needed = history.iter().any(|link| link.lineage == folder);
        let last = target.last_segment(&folder)?;
        let last_ms = last.map_or(note.begun_at_ms, |last| last.manifest.at_ms);
        if was_needed || last_ms < before_ms {
            let mut objects: Vec<String> = target
                .list(&folder, None)?
                .into_iter()
                .map(|it| it.name)
                .collect();
            // Last, so that what is left by an interruption is found the next time.
            let own = names::lineage(&folder);
            objects.retain(|name| *name != own);
            objects.push(own);
            doomed.extend(objects);
        }
    }
    let count = doomed.len() as u64;
    target.delete(doomed)?;
    Ok(count)
}

/// Deletes files and blobs that no list names any more. To be called by whoever writes them, while all that are there are
/// listed. Says how many went.
pub(super) fn prune_unnamed(target: &Target) -> Result<u64, BackupError> {
    let mut named = HashSet::new();
    for lineage in target.folders("")? {
        for object in target.list(&names::file_lists(&lineage), None)? {
            if let Some(json) = target.get(&object.name)? {
                let list: FileList = manifest::from_json(&object.name, &json)?;
                named.extend(list.files.iter().map(|it| names::file(&it.sha256)));
            }
        }
        for object in target.list(&names::blob_lists(&lineage), None)? {
            if let Some(json) = target.get(&object.name)? {
                let list: BlobList = manifest::from_json(&object.name, &json)?;
                named.extend(list.blobs.iter().map(|(_, it)| names::blob(&it.sha256)));
            }
        }
    }
    let mut unnamed = Vec::new();
    for folder in [names::FILES, names::BLOBS] {
        let objects = target.list(folder, None)?.into_iter();
        unnamed.extend(
            objects
                .map(|it| it.name)
                .filter(|name| !named.contains(name)),
        );
    }
    let count = unnamed.len() as u64;
    target.delete(unnamed)?;
    Ok(count)
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
