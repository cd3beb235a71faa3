//! What has to be read to come to a point in time: a snapshot, and the segments after it, across lineages.

use super::BackupError;
use super::catalogue::{Link, Segment};
use super::manifest::SnapshotManifest;
use super::target::Target;
use serde::{Deserialize, Serialize};

/// A point in time that can be restored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Point {
    /// Of which lineage.
    pub lineage: String,
    /// After which of its segments.
    pub sequence: u64,
    /// With everything up to this row.
    pub row: u64,
    /// Everything that was answered OK before is there. Milliseconds since 1970.
    pub at_ms: u64,
    /// The hash of the last manifest; `None` where a snapshot stands alone.
    pub sha256: Option<String>,
}

/// What to read for a point in time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// Of which lineage the snapshot is.
    pub lineage: String,
    /// What to begin with.
    pub snapshot: SnapshotManifest,
    /// Which segments follow, in order.
    pub segments: Vec<(String, u64)>,
    /// Where that leads.
    pub point: Point,
}

/// What a search for a point in time found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// There never was anything.
    Nothing,
    /// Segments without the snapshot that they follow: the first one was not done yet.
    NothingWhole,
    /// This is to be read.
    Plan(Box<Plan>),
}

/// Looks for the newest point of a history, or the last one at or before a time.
pub(super) fn find(
    target: &Target,
    history: &[Link],
    until_ms: Option<u64>,
) -> Result<Found, BackupError> {
    let mut has_any = false;
    let mut segments: Vec<(String, u64)> = Vec::new();
    let mut point: Option<Point> = None;
    for link in history {
        let lineage = &link.lineage;
        let snapshots = target.snapshots(lineage)?;
        // Only what follows the snapshot is listed, and the segment that it follows, where there is one that surely serves.
        let after = match until_ms {
            None if link.up_to.is_none() => snapshots
                .first()
                .and_then(|it| it.after_sequence.checked_sub(1)),
            _ => None,
        };
        let mut sequences = target.sequences(lineage, after)?;
        sequences.retain(|sequence| link.up_to.is_none_or(|up_to| *sequence <= up_to));
        has_any |= !sequences.is_empty() || !snapshots.is_empty();
        if point.is_none() {
            let end = match until_ms {
                Some(until_ms) => end_at(target, lineage, &sequences, until_ms)?,
                None => sequences.len(),
            };
            sequences.truncate(end);
            point = last_consistent(target, lineage, &mut sequences)?;
        }
        // The number up to which this lineage counts.
        let limit = sequences.last().copied().or(link.up_to);
        let is_within =
            |snapshot: &SnapshotManifest| limit.is_none_or(|limit| snapshot.consistent_at <= limit);
        let fits = |snapshot: &&SnapshotManifest| match &point {
            Some(_) => is_within(snapshot),
            // No segment is old enough, so it has to stand alone.
            None => {
                is_within(snapshot)
                    && snapshot.consistent_at == snapshot.after_sequence
                    && until_ms.is_none_or(|until_ms| snapshot.at_ms <= until_ms)
            }
        };
        let snapshot = snapshots.iter().find(fits).cloned();
        if let Some(snapshot) = &snapshot {
            sequences.retain(|sequence| *sequence > snapshot.after_sequence);
        }
        let own = sequences
            .iter()
            .map(|sequence| (lineage.clone(), *sequence));
        segments.splice(0..0, own);
        if let Some(snapshot) = snapshot {
            let point = point.unwrap_or_else(|| Point {
                lineage: lineage.clone(),
                sequence: snapshot.after_sequence,
                row: snapshot.last_row,
                at_ms: snapshot.at_ms,
                sha256: None,
            });
            return Ok(Found::Plan(Box::new(Plan {
                lineage: lineage.clone(),
                snapshot,
                segments,
                point,
            })));
        }
    }
    Ok(match has_any {
        true => Found::NothingWhole,
        false => Found::Nothing,
    })
}

/// How many of the segments are at or before a time: their times rise.
fn end_at(
    target: &Target,
    lineage: &str,
    sequences: &[u64],
    until_ms: u64,
) -> Result<usize, BackupError> {
    let (mut from, mut to) = (0, sequences.len());
    while from < to {
        let middle = from + (to - from) / 2;
        let segment = target.segment(lineage, sequences[middle])?;
        match segment.manifest.at_ms <= until_ms {
            true => from = middle + 1,
            false => to = middle,
        }
    }
    Ok(from)
}

/// Cuts off what belongs to a segment that never came.
fn last_consistent(
    target: &Target,
    lineage: &str,
    sequences: &mut Vec<u64>,
) -> Result<Option<Point>, BackupError> {
    while let Some(sequence) = sequences.last().copied() {
        let Segment { manifest, sha256 } = target.segment(lineage, sequence)?;
        if manifest.is_consistent {
            return Ok(Some(Point {
                lineage: lineage.to_owned(),
                sequence,
                row: manifest.last_row,
                at_ms: manifest.at_ms,
                sha256: Some(sha256),
            }));
        }
        sequences.pop();
    }
    Ok(None)
}
