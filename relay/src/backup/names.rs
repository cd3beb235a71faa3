//! Where objects are in the backup's place.
//!
//! Numbers have a fixed width, so that the order of names is their order.

/// Which lineage is written now.
pub(super) const HEAD: &str = "head.json";

/// Digits of a hash in the name of a segment or of a part: too many for two of one number to have the same by chance.
const HASH_DIGITS: usize = 16;

/// What a lineage says of itself.
pub(super) fn lineage(lineage: &str) -> String {
    format!("{lineage}/lineage.json")
}

/// That a lineage is not written any more, and up to where it goes.
pub(super) fn ended(lineage: &str) -> String {
    format!("{lineage}/ended.json")
}

/// The folder of a lineage's segments.
pub(super) fn segments(lineage: &str) -> String {
    format!("{lineage}/segments")
}

/// A segment with this hash. Of two processes that write the same lineage neither overwrites what the other has written.
pub(super) fn segment(lineage: &str, sequence: u64, sha256: &str) -> String {
    format!(
        "{lineage}/segments/{sequence:012}.{}.jsonl.gz",
        short(sha256)
    )
}

fn short(sha256: &str) -> &str {
    sha256.get(..HASH_DIGITS).unwrap_or(sha256)
}

/// What a segment's manifest is named; without one a segment does not count.
pub(super) fn segment_manifest(lineage: &str, sequence: u64) -> String {
    format!("{lineage}/segments/{sequence:012}.json")
}

/// The number of a segment whose manifest is named so; `None` for anything else.
pub(super) fn sequence_of_manifest(name: &str) -> Option<u64> {
    let name = name.rsplit('/').next()?.strip_suffix(".json")?;
    name.parse().ok()
}

/// The folder of a lineage's snapshots.
pub(super) fn snapshots(lineage: &str) -> String {
    format!("{lineage}/snapshots")
}

/// The folder of the snapshot that begins after a segment.
pub(super) fn snapshot(lineage: &str, after_sequence: u64) -> String {
    format!("{lineage}/snapshots/{after_sequence:012}")
}

/// A part of a snapshot with this hash; the first is 0. Of two snapshots that begin after the same segment, because nothing
/// was committed between, neither overwrites what the other has written.
pub(super) fn snapshot_part(
    lineage: &str,
    after_sequence: u64,
    part: usize,
    sha256: &str,
) -> String {
    let folder = snapshot(lineage, after_sequence);
    format!("{folder}/part-{part:04}.{}.jsonl.gz", short(sha256))
}

/// What such a part was called before names had hashes.
pub(super) fn old_snapshot_part(lineage: &str, after_sequence: u64, part: usize) -> String {
    let folder = snapshot(lineage, after_sequence);
    format!("{folder}/part-{part:04}.jsonl.gz")
}

/// What a snapshot's manifest is named; it is written last.
pub(super) fn snapshot_manifest(lineage: &str, after_sequence: u64) -> String {
    format!("{}/manifest.json", snapshot(lineage, after_sequence))
}

/// The folder of a lineage's configurations.
pub(super) fn configs(lineage: &str) -> String {
    format!("{lineage}/config")
}

/// The configuration that was in force from a segment on.
pub(super) fn config(lineage: &str, sequence: u64) -> String {
    format!("{lineage}/config/{sequence:012}.toml")
}

/// The folder of blobs, which all lineages share.
pub(super) const BLOBS: &str = "blobs";

/// The folder of files of extensions, which all lineages share.
pub(super) const FILES: &str = "files";

/// A blob by its hash.
pub(super) fn blob(sha256: &str) -> String {
    format!("{BLOBS}/{sha256}")
}

/// A file of an extension by the hash of what it holds, compressed.
pub(super) fn file(sha256: &str) -> String {
    format!("{FILES}/{sha256}.gz")
}

/// The folder of lists of files.
pub(super) fn file_lists(lineage: &str) -> String {
    format!("{lineage}/files")
}

/// The files of an extension as they were with a segment.
pub(super) fn file_list(lineage: &str, sequence: u64, extension: &str) -> String {
    format!("{lineage}/files/{sequence:012}.{extension}.json")
}

/// Number and extension of a list of files that is named so.
pub(super) fn of_file_list(name: &str) -> Option<(u64, &str)> {
    let name = name.rsplit('/').next()?.strip_suffix(".json")?;
    let (sequence, extension) = name.split_once('.')?;
    Some((sequence.parse().ok()?, extension))
}

/// Whether a list with this name is one of blobs.
pub(super) fn is_of_blobs(list: &str) -> bool {
    list.rsplit('/').nth(1) == Some(BLOBS)
}

/// The folder of lists of blobs.
pub(super) fn blob_lists(lineage: &str) -> String {
    format!("{lineage}/blobs")
}

/// The blobs that there were with a segment.
pub(super) fn blob_list(lineage: &str, sequence: u64) -> String {
    format!("{lineage}/blobs/{sequence:012}.json")
}
