//! What extensions that say nothing have in the backup: in a new history they have it still.
//!
//! An extension is silent while it is off or being built, and where it cannot give what it has. Its lists of the history
//! before would go with that, when nothing else needs that any more. Not here: a history that begins in the place of another
//! database's, or of what this one had before it was put back to an older state: what fits that is not known.

use super::FileKeeper;
use crate::backup::catalogue::Link;
use crate::backup::manifest::{self, BlobList, FileList};
use crate::backup::target::Target;
use crate::backup::{BackupError, names};
use std::collections::{BTreeMap, HashSet};

impl FileKeeper {
    /// Adds what the last list says of all extensions but those that have just told of all their blobs: one that is off has
    /// what it had.
    pub(in crate::backup) fn carry_over(
        &self,
        target: &Target,
        told: &[&str],
        list: &mut BlobList,
    ) -> Result<(), BackupError> {
        let Some(last) = self.last_blobs(target)? else {
            return Ok(());
        };
        let listed: HashSet<(String, String)> = list
            .blobs
            .iter()
            .map(|(extension, blob)| (extension.clone(), blob.sha256.clone()))
            .collect();
        let missed = last.blobs.into_iter().filter(|(extension, blob)| {
            let is_told = told.contains(&extension.as_str());
            !is_told && !listed.contains(&(extension.clone(), blob.sha256.clone()))
        });
        list.blobs.extend(missed);
        Ok(())
    }

    /// The newest list of the lineage and of those that it goes on from, or else of the one before.
    fn last_blobs(&self, target: &Target) -> Result<Option<BlobList>, BackupError> {
        for lineage in [&self.lineage, &self.lineage_before].into_iter().flatten() {
            for link in target.history(lineage)? {
                let counts = |name: &str| {
                    names::sequence_of_manifest(name).is_some_and(|it| counts(&link, it))
                };
                let lists = target.list(&names::blob_lists(&link.lineage), None)?;
                let newest = lists.iter().rev().find(|object| counts(&object.name));
                let Some(newest) = newest else { continue };
                if let Some(json) = target.get(&newest.name)? {
                    return manifest::from_json(&newest.name, &json).map(Some);
                }
            }
        }
        Ok(None)
    }

    /// The newest lists of files that the lineage has not itself, of all extensions but those that have just told which
    /// files they have. To be listed once more; nothing once [`FileKeeper::note_all`] was told so.
    pub(in crate::backup) fn lists_before(
        &self,
        target: &Target,
        told: &[&str],
    ) -> Result<Vec<FileList>, BackupError> {
        let mut lists = Vec::new();
        if self.has_all_files {
            return Ok(lists);
        }
        let mut seen: HashSet<String> = told.iter().map(|it| (*it).to_owned()).collect();
        let mut visited = HashSet::new();
        let mut next = self.lineage.clone();
        while let Some(lineage) = next.filter(|it| visited.insert(it.clone())) {
            let history = target.history(&lineage)?;
            for link in &history {
                let is_own = Some(&link.lineage) == self.lineage.as_ref();
                for (name, extension) in newest_of_each(target, link)? {
                    if seen.insert(extension) && !is_own {
                        lists.extend(read(target, &name)?);
                    }
                }
            }
            let replaced = history.last().filter(|oldest| oldest.note.goes_on);
            next = replaced.and_then(|oldest| oldest.note.replaces.clone());
            // It may be too old to be kept.
            if let Some(replaced) = &next
                && target.lineage(replaced)?.is_none()
            {
                next = None;
            }
        }
        Ok(lists)
    }

    /// That the lineage has lists of all of them now.
    pub(in crate::backup) fn note_all(&mut self) {
        self.has_all_files = true;
    }
}

/// A list of files, unless it says that there is none. One that is damaged keeps nothing else from being carried.
fn read(target: &Target, name: &str) -> Result<Option<FileList>, BackupError> {
    let Some(json) = target.get(name)? else {
        return Ok(None);
    };
    let list = manifest::from_json::<FileList>(name, &json);
    let list = list.inspect_err(|error| {
        let error = error.in_full();
        tracing::warn!(
            error,
            "an extension's files are not carried into the new history"
        );
    });
    Ok(list.ok().filter(|list| !list.files.is_empty()))
}

/// Names of lists of files that count, and whose they are: of each extension the newest.
fn newest_of_each(target: &Target, link: &Link) -> Result<Vec<(String, String)>, BackupError> {
    let mut newest = BTreeMap::new();
    for object in target.list(&names::file_lists(&link.lineage), None)? {
        if let Some((sequence, extension)) = names::of_file_list(&object.name)
            && counts(link, sequence)
        {
            newest.insert(extension.to_owned(), object.name.clone());
        }
    }
    let newest = newest.into_iter();
    Ok(newest.map(|(extension, name)| (name, extension)).collect())
}

fn counts(link: &Link, sequence: u64) -> bool {
    link.up_to.is_none_or(|up_to| sequence <= up_to)
}
