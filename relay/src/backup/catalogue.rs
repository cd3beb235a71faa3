//! What is in the backup's place: heads, lineages, the numbers of segments, snapshots.

use super::manifest::{self, Ended, Head, Lineage, SegmentManifest, SnapshotManifest};
use super::target::Target;
use super::{BackupError, names};
use bytes::Bytes;
use serde::de::DeserializeOwned;

/// More links from child to parent than any history has.
const LINKS_MAX: usize = 10_000;

/// A lineage and how far it counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Link {
    /// Its name.
    pub lineage: String,
    /// What it says of itself.
    pub note: Lineage,
    /// The last segment of it that counts; `None` for all.
    pub up_to: Option<u64>,
}

/// A segment's manifest with the hash by which the next one names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    /// What it says.
    pub manifest: SegmentManifest,
    /// Its hash.
    pub sha256: String,
}

impl Target {
    /// Which lineage is written now; `None` where there never was a backup.
    pub(super) fn head(&self) -> Result<Option<Head>, BackupError> {
        self.read(names::HEAD)
    }

    /// Looks whether nobody has taken the place meanwhile from who has written the head for a lineage.
    pub(super) fn check_claim(&self, lineage: &str, writer: &str) -> Result<(), BackupError> {
        match self.head()? {
            Some(head) if head.writer != writer => Err(BackupError::Superseded {
                url: self.url().to_owned(),
                own: lineage.to_owned(),
                head: head.lineage,
            }),
            _ => Ok(()),
        }
    }

    /// What a lineage says of itself.
    pub(super) fn lineage(&self, lineage: &str) -> Result<Option<Lineage>, BackupError> {
        self.read(&names::lineage(lineage))
    }

    /// Whether a lineage has ended, and where.
    pub(super) fn ended(&self, lineage: &str) -> Result<Option<Ended>, BackupError> {
        self.read(&names::ended(lineage))
    }

    /// The lineage and those that it goes on from, the newest first, as far back as they are there. Lineages that were
    /// named and never begun, because their relay ended before it had restored anything, are left out.
    pub(super) fn history(&self, lineage: &str) -> Result<Vec<Link>, BackupError> {
        let mut links = Vec::new();
        let mut next = Some((lineage.to_owned(), None));
        while let Some((lineage, up_to)) = next.take() {
            if links.len() >= LINKS_MAX {
                let problem = "its parents lead round in a circle".to_owned();
                return Err(BackupError::damaged(&names::lineage(&lineage), problem));
            }
            let name = names::lineage(&lineage);
            let note: Lineage = match self.read(&name)? {
                Some(note) => note,
                // Nothing after it needs it any more, so it was pruned.
                None if !links.is_empty() => break,
                None => return Err(BackupError::damaged(&name, "it is missing".to_owned())),
            };
            let parent = note.parent.clone();
            let was_begun = parent.as_ref().is_none_or(|it| it.sequence.is_some());
            next = parent.map(|parent| match was_begun {
                true => (parent.lineage, parent.sequence),
                // Nothing of it counts, and everything of what it would have gone on from.
                false => (parent.lineage, up_to),
            });
            if was_begun {
                links.push(Link {
                    lineage,
                    note,
                    up_to,
                });
            }
        }
        Ok(links)
    }

    /// The numbers of a lineage's segments after one, in order.
    pub(super) fn sequences(
        &self,
        lineage: &str,
        after: Option<u64>,
    ) -> Result<Vec<u64>, BackupError> {
        let after = after.map(|sequence| names::segment_manifest(lineage, sequence));
        let objects = self.list(&names::segments(lineage), after.as_deref())?;
        let mut sequences: Vec<u64> = objects
            .iter()
            .filter_map(|object| names::sequence_of_manifest(&object.name))
            .collect();
        sequences.sort_unstable();
        Ok(sequences)
    }

    /// The last segment of a lineage, looked for from the last snapshot on.
    pub(super) fn last_segment(&self, lineage: &str) -> Result<Option<Segment>, BackupError> {
        let snapshots = self.snapshot_sequences(lineage)?;
        let mut found = self.sequences(lineage, snapshots.last().copied())?;
        if found.is_empty() {
            found = self.sequences(lineage, None)?;
        }
        found
            .last()
            .map(|sequence| self.segment(lineage, *sequence))
            .transpose()
    }

    /// A segment's manifest, which must be there.
    pub(super) fn segment(&self, lineage: &str, sequence: u64) -> Result<Segment, BackupError> {
        let name = names::segment_manifest(lineage, sequence);
        segment_of(&name, self.get(&name)?)
    }

    /// The numbers after which snapshots of a lineage begin, whole ones or not, in order.
    pub(super) fn snapshot_sequences(&self, lineage: &str) -> Result<Vec<u64>, BackupError> {
        let folders = self.folders(&names::snapshots(lineage))?;
        Ok(folders
            .iter()
            .filter_map(|name| name.parse().ok())
            .collect())
    }

    /// A snapshot, if it is whole.
    pub(super) fn snapshot(
        &self,
        lineage: &str,
        after_sequence: u64,
    ) -> Result<Option<SnapshotManifest>, BackupError> {
        self.read(&names::snapshot_manifest(lineage, after_sequence))
    }

    /// The whole snapshots of a lineage, the newest first.
    pub(super) fn snapshots(&self, lineage: &str) -> Result<Vec<SnapshotManifest>, BackupError> {
        let mut whole = Vec::new();
        for sequence in self.snapshot_sequences(lineage)?.into_iter().rev() {
            whole.extend(self.snapshot(lineage, sequence)?);
        }
        Ok(whole)
    }

    fn read<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, BackupError> {
        let json = self.get(name)?;
        json.map(|json| manifest::from_json(name, &json))
            .transpose()
    }
}

/// Reads a manifest that must be there.
pub(super) fn segment_of(name: &str, json: Option<Bytes>) -> Result<Segment, BackupError> {
    let json = json.ok_or_else(|| BackupError::damaged(name, "it is missing".to_owned()))?;
    Ok(Segment {
        manifest: manifest::from_json(name, &json)?,
        sha256: manifest::sha256(&json),
    })
}
