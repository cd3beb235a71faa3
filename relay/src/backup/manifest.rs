//! The small JSON objects that say what is where: which lineage is written, what a lineage is, what a segment or a
//! snapshot holds.
//!
//! Invariant: each carries the version of the format; a version that is not known is refused, and unknown keys are
//! ignored.

use super::{BackupError, names};
use crate::extension::StoredCursors;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// The version of the format that is written, and the newest that is read.
pub(super) const FORMAT: u32 = 1;

/// Which lineage is written now, and by whom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Head {
    /// See [`FORMAT`].
    pub format: u32,
    /// The lineage.
    pub lineage: String,
    /// Made anew by every start of a relay.
    pub writer: String,
    /// When it was written. Milliseconds since 1970.
    pub at_ms: u64,
}

/// Where a history branched off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Parent {
    /// The lineage that it goes on from.
    pub lineage: String,
    /// The last segment of it that counts; `None` while that is not known yet.
    pub sequence: Option<u64>,
}

/// A history that one store has written from some point on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Lineage {
    /// See [`FORMAT`].
    pub format: u32,
    /// When it began. Milliseconds since 1970.
    pub begun_at_ms: u64,
    /// Of the relay that began it.
    pub relay_version: String,
    /// How often it is written, in milliseconds: who waits for its end learns from this how long.
    pub interval_ms: u64,
    /// What it goes on from; `None` where it begins with a snapshot of its own.
    pub parent: Option<Parent>,
    /// The lineage whose place it took, of which it need not be the continuation: it serves until this one has a whole
    /// snapshot, and a crash before the head names this one is made up for by it.
    #[serde(default)]
    pub replaces: Option<String>,
    /// Whether there was nothing at all when it began, so that a loss before its first snapshot loses no more than that.
    #[serde(default)]
    pub began_empty: bool,
    /// Whether the lineage whose place it took is the same database's, which had all of it and goes on: what that one has of
    /// files of extensions fits this one as well.
    #[serde(default)]
    pub goes_on: bool,
}

/// The end of a lineage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ended {
    /// See [`FORMAT`].
    pub format: u32,
    /// When. Milliseconds since 1970.
    pub at_ms: u64,
    /// Its last segment.
    pub sequence: u64,
}

/// What a segment holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SegmentManifest {
    /// See [`FORMAT`].
    pub format: u32,
    /// Counted on from segment to segment, and from a parent's last one.
    pub sequence: u64,
    /// Everything after this row is in it.
    pub after_row: u64,
    /// And up to this one.
    pub last_row: u64,
    /// Everything that was answered OK before is in it or in earlier ones. Milliseconds since 1970.
    pub at_ms: u64,
    /// Whether it ends with a state that the store was in; otherwise the next one belongs to it.
    pub is_consistent: bool,
    /// Whether all entries that there were are in it and those after it up to the next consistent one, so that earlier ones
    /// do not count.
    pub all_entries: bool,
    /// Lines by what they are.
    pub events: u64,
    /// Lines by what they are.
    pub removals: u64,
    /// Lines by what they are: rows of extensions, tombstones, who has vanished.
    pub entries: u64,
    /// Size of the object.
    pub bytes: u64,
    /// Size of what it decompresses to.
    pub raw_bytes: u64,
    /// Hash of the object.
    pub sha256: String,
    /// Hash of the manifest of the segment before; `None` for the first of a history.
    pub previous: Option<String>,
}

/// A part of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Part {
    /// Size of the object.
    pub bytes: u64,
    /// Size of what it decompresses to.
    pub raw_bytes: u64,
    /// Hash of the object.
    pub sha256: String,
}

/// What a snapshot holds: events up to a row as far as they were still there when it came to them, and entries as they
/// were when it came to them. With the segments up to `consistent_at` they make a state that the store was in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SnapshotManifest {
    /// See [`FORMAT`].
    pub format: u32,
    /// Segments after this one follow it.
    pub after_sequence: u64,
    /// It needs the segments up to this one.
    pub consistent_at: u64,
    /// The row of its last event at most.
    pub last_row: u64,
    /// When it was begun. Milliseconds since 1970.
    pub begun_at_ms: u64,
    /// When it was done. Milliseconds since 1970.
    pub at_ms: u64,
    /// Lines by what they are.
    pub events: u64,
    /// Lines by what they are.
    pub entries: u64,
    /// Tombstones that are not in it: of addresses whose names an earlier version of the relay did not keep.
    pub nameless: u64,
    /// Its objects in order.
    pub parts: Vec<Part>,
    /// Whether their names have their hashes in them. Those of earlier versions have not.
    #[serde(default)]
    pub named_by_hash: bool,
}

impl SnapshotManifest {
    /// Its objects in order, by their names, as a snapshot of this lineage.
    pub(super) fn objects(&self, lineage: &str) -> impl Iterator<Item = (String, &Part)> {
        let after = self.after_sequence;
        self.parts.iter().enumerate().map(move |(number, part)| {
            let name = match self.named_by_hash {
                true => names::snapshot_part(lineage, after, number, &part.sha256),
                false => names::old_snapshot_part(lineage, after, number),
            };
            (name, part)
        })
    }
}

/// A file of an extension, or a blob.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ListedFile {
    /// Where it goes: relative to the data directory, or absolute.
    pub restore_to: String,
    /// Hash of what it holds, by which its object is named.
    pub sha256: String,
    /// Size of what it holds.
    pub raw_bytes: u64,
}

/// The files of an extension that belong together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FileList {
    /// See [`FORMAT`].
    pub format: u32,
    /// Whose.
    pub extension: String,
    /// The segment that was cut after they were copied: rows up to there are at least as new.
    pub sequence: u64,
    /// When it was written. Milliseconds since 1970.
    pub at_ms: u64,
    /// How far the extension's `stored` hooks had come before.
    pub cursors: StoredCursors,
    /// The files; none where it has none any more.
    pub files: Vec<ListedFile>,
}

/// The blobs that there were.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct BlobList {
    /// See [`FORMAT`].
    pub format: u32,
    /// When it was begun. Milliseconds since 1970.
    pub at_ms: u64,
    /// The last segment then.
    pub sequence: u64,
    /// Whose, and which.
    pub blobs: Vec<(String, ListedFile)>,
}

/// An object as JSON with a line end, so that it reads well.
pub(super) fn to_json(what: &impl Serialize) -> Vec<u8> {
    // Nothing here can fail to be written: no maps with odd keys, no numbers that JSON lacks.
    let mut json = serde_json::to_vec_pretty(what).unwrap_or_default();
    json.push(b'\n');
    json
}

/// Reads an object by that name.
pub(super) fn from_json<T: DeserializeOwned>(name: &str, json: &[u8]) -> Result<T, BackupError> {
    #[derive(Deserialize)]
    struct Version {
        format: u32,
    }
    let damaged = |error: serde_json::Error| BackupError::damaged(name, error.to_string());
    let version: Version = serde_json::from_slice(json).map_err(damaged)?;
    if version.format > FORMAT {
        return Err(BackupError::Format {
            name: name.to_owned(),
            found: version.format,
        });
    }
    serde_json::from_slice(json).map_err(damaged)
}

/// A hash as manifests hold it.
pub(super) fn sha256(bytes: &[u8]) -> String {
    const_hex::encode(Sha256::digest(bytes))
}
