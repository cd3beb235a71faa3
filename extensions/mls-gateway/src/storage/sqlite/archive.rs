//! The archive of messages, in the order in which they came to it.

use super::begin;
use crate::kinds::GIFT_WRAP;
use crate::storage::columns::{ArchivedRow, all, limit, list_json, signed, stored};
use crate::storage::{ArchiveQuery, Archived};
use serde_json::json;
use sqlx::sqlite::{SqliteConnection, SqlitePool};
use std::collections::BTreeSet;
use trellis_relay::event::{EventId, PublicKey};

pub(super) async fn put(writer: &SqlitePool, events: &[Archived]) -> sqlx::Result<usize> {
    if events.is_empty() {
        return Ok(0);
    }
    let rows: serde_json::Value = events.iter().map(row).collect();
    let mut transaction = begin(writer).await?;
    let last: i64 = sqlx::query_scalar(
        "UPDATE counters SET value = value + ?1 WHERE name = 'archive' RETURNING value",
    )
    .bind(limit(events.len()))
    .fetch_one(&mut *transaction)
    .await?;
    let written = sqlx::query(
        "INSERT INTO archived_events (position, id, kind, pubkey, group_id, recipient_pubkey, created_at, archived_at, \
         event) SELECT ?1 + key, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, \
         value ->> 6, value ->> 7 FROM json_each(?2) WHERE true ON CONFLICT (id) DO NOTHING",
    )
    .bind(last - limit(events.len()) + 1)
    .bind(rows.to_string())
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(written.rows_affected() as usize)
}

fn row(event: &Archived) -> serde_json::Value {
    json!([
        event.id.to_hex(),
        event.kind,
        event.pubkey.to_hex(),
        event.group_id.as_deref().map(stored),
        event.recipient.map(|key| key.to_hex()),
        signed(event.created_at_s),
        signed(event.archived_at_s),
        event.json,
    ])
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

pub(super) async fn forget_for(
    writer: &SqlitePool,
    wishes: &[(EventId, PublicKey)],
) -> sqlx::Result<usize> {
    if wishes.is_empty() {
        return Ok(0);
    }
    let wish = |(id, key): &(EventId, PublicKey)| json!([id.to_hex(), key.to_hex()]);
    let wishes: serde_json::Value = wishes.iter().map(wish).collect();
    // CROSS JOIN keeps the order: each wish looks for its event.
    let removed = sqlx::query(
        "DELETE FROM archived_events WHERE position IN (SELECT position FROM json_each(?1) AS wish \
         CROSS JOIN archived_events AS copy ON copy.id = wish.value ->> 0 \
         WHERE copy.pubkey = wish.value ->> 1 \
         OR (copy.kind = ?2 AND copy.recipient_pubkey = wish.value ->> 1))",
    )
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
    let removed = sqlx::query(
        "DELETE FROM archived_events WHERE created_at <= ?2 \
         AND (pubkey = ?1 OR (recipient_pubkey = ?1 AND kind = ?3))",
    )
    .bind(pubkey.to_hex())
    .bind(signed(until_s))
    .bind(i64::from(GIFT_WRAP))
    .execute(writer)
    .await?;
    Ok(removed.rows_affected() as usize)
}
