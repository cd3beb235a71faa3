//! Finds the messages of one group, part by part of the archive.
//!
//! The index is ordered by part first (`0008_archive_keys_in_columns.sql`), so that messages of all groups that come together
//! cost few pages. Invariant: positions come lowest first, whatever the parts in which they stand. A new reader's cursor is in
//! the last part, and somebody who reads from the beginning asks for more parts at a time from question to question.

use super::keys::{group_key, part};
use crate::storage::ArchiveQuery;
use crate::storage::columns::{limit, signed, stored};
use sqlx::sqlite::SqliteConnection;
use std::ops::RangeInclusive;

/// Parts that one question looks into; what it finds there is put in order, so it must not be too much.
const PARTS_AT_ONCE_MAX: i64 = 64;

/// The first positions of a group in some parts.
pub(in crate::storage::sqlite) const OF_GROUP: &str = "WITH RECURSIVE part (number) AS \
     (SELECT ?6 UNION ALL SELECT number + 1 FROM part WHERE number < ?7) \
     SELECT copy.position FROM part CROSS JOIN archived_events AS copy ON copy.part = part.number \
     WHERE copy.group_key = ?1 AND copy.group_id = ?2 AND copy.position > ?3 AND copy.created_at >= ?4 \
     ORDER BY copy.position LIMIT ?5";

/// The parts in which something stands beyond a position.
pub(super) async fn parts(
    snapshot: &mut SqliteConnection,
    after_position: u64,
) -> sqlx::Result<RangeInclusive<i64>> {
    let (first, last): (Option<i64>, Option<i64>) = sqlx::query_as(
        "SELECT (SELECT min(position) FROM archived_events), (SELECT max(position) FROM archived_events)",
    )
    .fetch_one(snapshot)
    .await?;
    let first = first.unwrap_or(0).max(signed(after_position));
    Ok(part(first)..=part(last.unwrap_or(-1)))
}

/// The first positions that a page may need of a group.
pub(super) async fn positions(
    snapshot: &mut SqliteConnection,
    group_id: &str,
    query: &ArchiveQuery<'_>,
    parts: RangeInclusive<i64>,
) -> sqlx::Result<Vec<i64>> {
    let group_id = stored(group_id);
    let (mut part, mut at_once) = (*parts.start(), 1);
    let mut found = Vec::new();
    while part <= *parts.end() && found.len() < query.max {
        let last = (*parts.end()).min(part + at_once - 1);
        let of_parts: Vec<i64> = sqlx::query_scalar(OF_GROUP)
            .bind(group_key(&group_id))
            .bind(&*group_id)
            .bind(signed(query.after_position))
            .bind(signed(query.since_s.unwrap_or(0)))
            .bind(limit(query.max - found.len()))
            .bind(part)
            .bind(last)
            .fetch_all(&mut *snapshot)
            .await?;
        found.extend(of_parts);
        part = last + 1;
        at_once = (at_once * 4).min(PARTS_AT_ONCE_MAX);
    }
    Ok(found)
}
