//! The archive of messages, in the order in which they came to it.

mod copy;
mod keys;
mod of_group;

use super::begin;
use crate::kinds::GIFT_WRAP;
use crate::storage::columns::{all, limit, list_json, signed};
use crate::storage::{ArchiveQuery, Archived};
use copy::CopyRow;
use keys::author_key;
#[cfg(test)]
pub(super) use of_group::OF_GROUP;
use serde_json::json;
use sqlx::Sqlite;
use sqlx::sqlite::SqlitePool;
use std::collections::BTreeSet;
use trellis_relay::event::{EventId, PublicKey};

/// The first positions of a recipient.
pub(super) const OF_RECIPIENT: &str = "SELECT position FROM archived_events \
     WHERE recipient_pubkey = ?1 AND position > ?2 AND created_at >= ?3 ORDER BY position LIMIT ?4";
/// Removes what has one of these ids. CROSS JOIN keeps the order: each id looks for its event.
pub(super) const FORGET: &str = "DELETE FROM archived_events WHERE position IN ( \
     SELECT copy.position FROM json_each(?1) AS gone \
     CROSS JOIN archived_events AS copy ON copy.id_key = substr(unhex(gone.value), -12) \
     WHERE copy.id = unhex(gone.value))";
/// The same where a key has power over it.
pub(super) const FORGET_FOR: &str = "DELETE FROM archived_events WHERE position IN ( \
     SELECT copy.position FROM json_each(?1) AS wish \
     CROSS JOIN archived_events AS copy ON copy.id_key = substr(unhex(wish.value ->> 0), -12) \
     WHERE copy.id = unhex(wish.value ->> 0) AND (copy.pubkey = unhex(wish.value ->> 1) \
     OR (copy.kind = ?2 AND copy.recipient_pubkey = unhex(wish.value ->> 1))))";
/// Removes what is by a key, for which each part of the archive is looked into, and what is to it.
pub(super) const FORGET_ALL_OF: &str = "WITH RECURSIVE span (number) AS (SELECT min(part) FROM archived_events \
     UNION ALL SELECT number + 1 FROM span WHERE number < (SELECT max(part) FROM archived_events)) \
     DELETE FROM archived_events WHERE created_at <= ?3 AND position IN ( \
     SELECT copy.position FROM span CROSS JOIN archived_events AS copy ON copy.part = span.number \
     WHERE copy.author_key = ?1 AND copy.pubkey = ?2 \
     UNION ALL SELECT position FROM archived_events WHERE recipient_pubkey = ?2 AND kind = ?4)";

pub(super) async fn put(writer: &SqlitePool, events: &[Archived]) -> sqlx::Result<usize> {
    if events.is_empty() {
        return Ok(0);
    }
    let mut transaction = begin(writer).await?;
    let last: i64 = sqlx::query_scalar(
        "UPDATE counters SET value = value + ?1 WHERE name = 'archive' RETURNING value",
    )
    .bind(limit(events.len()))
    .fetch_one(&mut *transaction)
    .await?;
    let mut position = last - limit(events.len()) + 1;
    let mut written = 0;
    let mut rest = events;
    while let Some((statement, rows)) = copy::longest(rest.len()) {
        let (piece, others) = rest.split_at(rows);
        let values = copy::values(piece, position)?;
        let inserted = sqlx::query_with::<Sqlite, _>(statement, values)
            .execute(&mut *transaction)
            .await?;
        written += inserted.rows_affected() as usize;
        position += limit(rows);
        rest = others;
    }
    transaction.commit().await?;
    Ok(written)
}

pub(super) async fn page(
    pool: &SqlitePool,
    query: &ArchiveQuery<'_>,
) -> sqlx::Result<Vec<Archived>> {
    if query.groups.is_none() && query.recipients.is_none() {
        return everything(pool, query).await;
    }
    // No group or recipient has to give more than the page has room for, and indexes alone answer where they begin.
    let mut snapshot = pool.begin().await?;
    let mut positions = BTreeSet::new();
    if let Some(groups) = query.groups.filter(|groups| !groups.is_empty()) {
        let parts = of_group::parts(&mut snapshot, query.after_position).await?;
        for group in groups {
            let of_group = of_group::positions(&mut snapshot, group, query, parts.clone());
            positions.extend(of_group.await?);
        }
    }
    for recipient in query.recipients.unwrap_or_default() {
        let of_recipient: Vec<i64> = sqlx::query_scalar(OF_RECIPIENT)
            .bind(recipient.as_bytes().to_vec())
            .bind(signed(query.after_position))
            .bind(signed(query.since_s.unwrap_or(0)))
            .bind(limit(query.max))
            .fetch_all(&mut *snapshot)
            .await?;
        positions.extend(of_recipient);
    }
    let first: Vec<i64> = positions.into_iter().take(query.max).collect();
    let rows: Vec<CopyRow> = sqlx::query_as(
        "SELECT * FROM archived_events WHERE position IN (SELECT value FROM json_each(?1)) ORDER BY position",
    )
    .bind(serde_json::Value::from(first).to_string())
    .fetch_all(&mut *snapshot)
    .await?;
    all(rows)
}

async fn everything(pool: &SqlitePool, query: &ArchiveQuery<'_>) -> sqlx::Result<Vec<Archived>> {
    let rows: Vec<CopyRow> = sqlx::query_as(
        "SELECT * FROM archived_events WHERE position > ?1 AND created_at >= ?2 ORDER BY position LIMIT ?3",
    )
    .bind(signed(query.after_position))
    .bind(signed(query.since_s.unwrap_or(0)))
    .bind(limit(query.max))
    .fetch_all(pool)
    .await?;
    all(rows)
}

pub(super) async fn forget(writer: &SqlitePool, ids: &[EventId]) -> sqlx::Result<usize> {
    if ids.is_empty() {
        return Ok(0);
    }
    let ids: Vec<String> = ids.iter().map(EventId::to_hex).collect();
    let removed = sqlx::query(FORGET)
        .bind(list_json(&ids))
        .execute(writer)
        .await?;
    Ok(removed.rows_affected() as usize)
}

pub(super) async fn forget_for(
    writer: &SqlitePool,
    wishes: &[(EventId, PublicKey)],
) -> sqlx::Result<usize> {
    if wishes.is_empty() {
        return Ok(0);
    }
    let wish = |(id, key): &(EventId, PublicKey)| json!([id.to_hex(), key.to_hex()]);
    let wishes: serde_json::Value = wishes.iter().map(wish).collect();
    let removed = sqlx::query(FORGET_FOR)
        .bind(wishes.to_string())
        .bind(i64::from(GIFT_WRAP))
        .execute(writer)
        .await?;
    Ok(removed.rows_affected() as usize)
}

pub(super) async fn forget_all_of(
    writer: &SqlitePool,
    pubkey: &PublicKey,
    until_s: u64,
) -> sqlx::Result<usize> {
    let removed = sqlx::query(FORGET_ALL_OF)
        .bind(author_key(pubkey))
        .bind(pubkey.as_bytes().to_vec())
        .bind(signed(until_s))
        .bind(i64::from(GIFT_WRAP))
        .execute(writer)
        .await?;
    Ok(removed.rows_affected() as usize)
}

#[cfg(test)]
mod tests;
