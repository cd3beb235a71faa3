//! The archive of messages, in the order in which they came to it.

use super::begin;
use crate::kinds::GIFT_WRAP;
use crate::storage::columns::{ArchivedRow, all, limit, list_json, signed, stored};
use crate::storage::{ArchiveQuery, Archived};
use serde_json::json;
use sqlx::sqlite::{SqliteConnection, SqlitePool};
use sqlx::{QueryBuilder, Sqlite};
use std::collections::BTreeSet;
use trellis_relay::event::{EventId, PublicKey};

/// Rows of one statement. Statements of each length are kept prepared, so they must not be of too many lengths.
const CHUNK: usize = 32;

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
    let first = last - limit(events.len()) + 1;
    let mut written = 0;
    for (chunk, position) in events.chunks(CHUNK).zip((first..).step_by(CHUNK)) {
        let mut insert = QueryBuilder::<Sqlite>::new(
            "INSERT INTO archived_events (position, id, kind, pubkey, group_id, recipient_pubkey, created_at, \
             archived_at, event) ",
        );
        insert.push_values(
            chunk.iter().zip(position..),
            |mut row, (event, position)| {
                row.push_bind(position)
                    .push_bind(event.id.to_hex())
                    .push_bind(event.kind)
                    .push_bind(event.pubkey.to_hex())
                    .push_bind(event.group_id.as_deref().map(stored))
                    .push_bind(event.recipient.map(|key| key.to_hex()))
                    .push_bind(signed(event.created_at_s))
                    .push_bind(signed(event.archived_at_s))
                    .push_bind(event.json.as_str());
            },
        );
        insert.push(" ON CONFLICT (id) DO NOTHING");
        let inserted = insert.build().execute(&mut *transaction).await?;
        written += inserted.rows_affected() as usize;
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
         AND ((substr(pubkey, 1, 8) = substr(?1, 1, 8) AND pubkey = ?1) OR (recipient_pubkey = ?1 AND kind = ?3))",
    )
    .bind(pubkey.to_hex())
    .bind(signed(until_s))
    .bind(i64::from(GIFT_WRAP))
    .execute(writer)
    .await?;
    Ok(removed.rows_affected() as usize)
}
