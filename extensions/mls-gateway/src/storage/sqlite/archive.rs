//! The archive of messages, in the order in which they came to it.

use super::begin;
use crate::storage::columns::{ArchivedRow, all, limit, list_json, signed, stored};
use crate::storage::{ArchiveQuery, Archived};
use sqlx::sqlite::{SqliteConnection, SqlitePool};
use std::collections::BTreeSet;
use trellis_relay::event::EventId;

pub(super) async fn put(writer: &SqlitePool, events: &[Archived]) -> sqlx::Result<usize> {
    if events.is_empty() {
        return Ok(0);
    }
    let mut transaction = begin(writer).await?;
    let mut position: i64 = sqlx::query_scalar("SELECT value FROM counters WHERE name = 'archive'")
        .fetch_one(&mut *transaction)
        .await?;
    let mut new = 0;
    for event in events {
        let written = sqlx::query(
            "INSERT INTO archived_events (position, id, kind, pubkey, group_id, recipient_pubkey, created_at, \
             archived_at, event) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (id) DO NOTHING",
        )
        .bind(position + 1)
        .bind(event.id.to_hex())
        .bind(i64::from(event.kind))
        .bind(event.pubkey.to_hex())
        .bind(event.group_id.as_deref().map(stored))
        .bind(event.recipient.map(|key| key.to_hex()))
        .bind(signed(event.created_at_s))
        .bind(signed(event.archived_at_s))
        .bind(&event.json)
        .execute(&mut *transaction)
        .await?;
        if written.rows_affected() > 0 {
            position += 1;
            new += 1;
        }
    }
    sqlx::query("UPDATE counters SET value = ?1 WHERE name = 'archive'")
        .bind(position)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(new)
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
    for group in query.groups.unwrap_or_default() {
        let of_group = "SELECT position FROM archived_events \
                        WHERE group_id = ?1 AND position > ?2 AND created_at >= ?3 ORDER BY position LIMIT ?4";
        positions.extend(positions_of(&mut snapshot, of_group, &stored(group), query).await?);
    }
    for recipient in query.recipients.unwrap_or_default() {
        let of_recipient = "SELECT position FROM archived_events \
                            WHERE recipient_pubkey = ?1 AND position > ?2 AND created_at >= ?3 \
                            ORDER BY position LIMIT ?4";
        let key = recipient.to_hex();
        positions.extend(positions_of(&mut snapshot, of_recipient, &key, query).await?);
    }
    let first: Vec<i64> = positions.into_iter().take(query.max).collect();
    let rows: Vec<ArchivedRow> = sqlx::query_as(
        "SELECT * FROM archived_events WHERE position IN (SELECT value FROM json_each(?1)) ORDER BY position",
    )
    .bind(serde_json::Value::from(first).to_string())
    .fetch_all(&mut *snapshot)
    .await?;
    all(rows)
}

/// The first positions that a page may need of one group or recipient.
async fn positions_of(
    snapshot: &mut SqliteConnection,
    statement: &'static str,
    whose: &str,
    query: &ArchiveQuery<'_>,
) -> sqlx::Result<Vec<i64>> {
    sqlx::query_scalar(statement)
        .bind(whose)
        .bind(signed(query.after_position))
        .bind(signed(query.since_s.unwrap_or(0)))
        .bind(limit(query.max))
        .fetch_all(snapshot)
        .await
}

async fn everything(pool: &SqlitePool, query: &ArchiveQuery<'_>) -> sqlx::Result<Vec<Archived>> {
    let rows: Vec<ArchivedRow> = sqlx::query_as(
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
    let removed =
        sqlx::query("DELETE FROM archived_events WHERE id IN (SELECT value FROM json_each(?1))")
            .bind(list_json(&ids))
            .execute(writer)
            .await?;
    Ok(removed.rows_affected() as usize)
}
