//! Where objects are in the backup's place.
//!
//! Numbers have a fixed width, so that the order of names is their order.

/// Which lineage is written now.
pub const HEAD: &str = "head.json";

/// What a lineage says of itself.
pub fn lineage(lineage: &str) -> String {
    format!("{lineage}/lineage.json")
}

/// That a lineage is not written any more, and up to where it goes.
pub fn ended(lineage: &str) -> String {
    format!("{lineage}/ended.json")
}

/// The folder of a lineage's segments.
pub fn segments(lineage: &str) -> String {
    format!("{lineage}/segments")
}

/// A segment.
pub fn segment(lineage: &str, sequence: u64) -> String {
    format!("{lineage}/segments/{sequence:012}.jsonl.gz")
}

/// What a segment's manifest is named; without one a segment does not count.
pub fn segment_manifest(lineage: &str, sequence: u64) -> String {
    format!("{lineage}/segments/{sequence:012}.json")
}

/// The number of a segment whose manifest is named so; `None` for anything else.
pub fn sequence_of_manifest(name: &str) -> Option<u64> {
    let name = name.rsplit('/').next()?.strip_suffix(".json")?;
    name.parse().ok()
}

/// The folder of a lineage's snapshots.
pub fn snapshots(lineage: &str) -> String {
    format!("{lineage}/snapshots")
}

/// The folder of the snapshot that begins after a segment.
pub fn snapshot(lineage: &str, after_sequence: u64) -> String {
    format!("{lineage}/snapshots/{after_sequence:012}")
}

/// A part of a snapshot; the first is 0.
pub fn snapshot_part(lineage: &str, after_sequence: u64, part: usize) -> String {
    format!("{}/part-{part:04}.jsonl.gz", snapshot(lineage, after_sequence))
}

/// What a snapshot's manifest is named; it is written last.
pub fn snapshot_manifest(lineage: &str, after_sequence: u64) -> String {
    format!("{}/manifest.json", snapshot(lineage, after_sequence))
}

/// The folder of a lineage's configurations.
pub fn configs(lineage: &str) -> String {
    format!("{lineage}/config")
}

/// The configuration that was in force from a segment on.
pub fn config(lineage: &str, sequence: u64) -> String {
    format!("{lineage}/config/{sequence:012}.toml")
}
