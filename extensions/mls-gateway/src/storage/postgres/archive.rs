//! The archive of messages, in the order in which they came to it.

use crate::kinds::GIFT_WRAP;
use crate::storage::columns::{ArchivedRow, all, limit, signed, stored};
use crate::storage::{ArchiveQuery, Archived};
use sqlx::postgres::PgPool;
use std::borrow::Cow;
use trellis_relay::event::{EventId, PublicKey};

pub(super) async fn put(pool: &PgPool, events: &[Archived]) -> sqlx::Result<usize> {
    if events.is_empty() {
        return Ok(0);
    }
    let each = || events.iter();
    let ids: Vec<String> = each().map(|it| it.id.to_hex()).collect();
    let kinds: Vec<i64> = each().map(|it| it.kind.into()).collect();
    let pubkeys: Vec<String> = each().map(|it| it.pubkey.to_hex()).collect();
    let groups: Vec<Option<Cow<'_, str>>> = each()
        .map(|it| it.group_id.as_deref().map(stored))
        .collect();
    let recipients: Vec<Option<String>> = each()
        .map(|it| it.recipient.map(|key| key.to_hex()))
        .collect();
    let created: Vec<i64> = each().map(|it| signed(it.created_at_s)).collect();
    let archived: Vec<i64> = each().map(|it| signed(it.archived_at_s)).collect();
    let jsons: Vec<&str> = each().map(|it| it.json.as_str()).collect();

    let mut transaction = pool.begin().await?;
    // Whoever archives waits here for the batch before, so that positions come into sight in their order.
    let last: i64 = sqlx::query_scalar(
        "UPDATE counters SET value = value + $1 WHERE name = 'archive' RETURNING value",
    )
    .bind(limit(events.len()))
    .fetch_one(&mut *transaction)
    .await?;
    let written = sqlx::query(
        "INSERT INTO archived_events (position, id, kind, pubkey, group_id, recipient_pubkey, created_at, archived_at, \
         event) SELECT $1 + place, new.id, new.kind, new.pubkey, new.group_id, new.recipient, new.created_at, \
         new.archived_at, new.event \
         FROM unnest($2::text[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::bigint[], \
         $9::text[]) WITH ORDINALITY \
         AS new (id, kind, pubkey, group_id, recipient, created_at, archived_at, event, place) \
         ON CONFLICT (id) DO NOTHING",
    )
    .bind(last - limit(events.len()))
    .bind(ids)
    .bind(kinds)
    .bind(pubkeys)
    .bind(groups)
    .bind(recipients)
    .bind(created)
    .bind(archived)
    .bind(jsons)
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(written.rows_affected() as usize)
}

pub(super) async fn page(pool: &PgPool, query: &ArchiveQuery<'_>) -> sqlx::Result<Vec<Archived>> {
    if query.groups.is_none() && query.recipients.is_none() {
        return everything(pool, query).await;
    }
    let groups = query.groups.unwrap_or_default().iter();
    let groups: Vec<Cow<'_, str>> = groups.map(|id| stored(id)).collect();
    let recipients = query.recipients.unwrap_or_default().iter();
    let recipients: Vec<String> = recipients.map(|key| key.to_hex()).collect();
    // No group or recipient has to give more than the page has room for, and indexes alone answer where they begin.
    let rows: Vec<ArchivedRow> = sqlx::query_as(
        "WITH fitting AS ( \
         SELECT of_group.position FROM unnest($1::text[]) AS asked (group_id) CROSS JOIN LATERAL \
         (SELECT position FROM archived_events WHERE archived_events.group_id = asked.group_id \
         AND position > $3 AND created_at >= $4 ORDER BY position LIMIT $5) AS of_group \
         UNION \
         SELECT of_recipient.position FROM unnest($2::text[]) AS asked (pubkey) CROSS JOIN LATERAL \
         (SELECT position FROM archived_events WHERE archived_events.recipient_pubkey = asked.pubkey \
         AND position > $3 AND created_at >= $4 ORDER BY position LIMIT $5) AS of_recipient) \
         SELECT * FROM archived_events WHERE position IN (SELECT position FROM fitting ORDER BY position LIMIT $5) \
         ORDER BY position",
    )
    .bind(groups)
    .bind(recipients)
    .bind(signed(query.after_position))
    .bind(signed(query.since_s.unwrap_or(0)))
    .bind(limit(query.max))
    .fetch_all(pool)
    .await?;
    all(rows)
}

async fn everything(pool: &PgPool, query: &ArchiveQuery<'_>) -> sqlx::Result<Vec<Archived>> {
    let rows: Vec<ArchivedRow> = sqlx::query_as(
        "SELECT * FROM archived_events WHERE position > $1 AND created_at >= $2 ORDER BY position LIMIT $3",
    )
    .bind(signed(query.after_position))
    .bind(signed(query.since_s.unwrap_or(0)))
    .bind(limit(query.max))
    .fetch_all(pool)
    .await?;
    all(rows)
}

pub(super) async fn forget(pool: &PgPool, ids: &[EventId]) -> sqlx::Result<usize> {
    if ids.is_empty() {
        return Ok(0);
    }
    let ids: Vec<String> = ids.iter().map(EventId::to_hex).collect();
    let removed = sqlx::query("DELETE FROM archived_events WHERE id = ANY($1)")
        .bind(&ids)
        .execute(pool)
        .await?;
    Ok(removed.rows_affected() as usize)
}

pub(super) async fn forget_for(
    pool: &PgPool,
    wishes: &[(EventId, PublicKey)],
) -> sqlx::Result<usize> {
    if wishes.is_empty() {
        return Ok(0);
    }
    let (ids, keys): (Vec<String>, Vec<String>) = wishes
        .iter()
        .map(|(id, key)| (id.to_hex(), key.to_hex()))
        .unzip();
    let removed = sqlx::query(
        "DELETE FROM archived_events AS copy USING unnest($1::text[], $2::text[]) AS wish (id, pubkey) \
         WHERE copy.id = wish.id AND (copy.pubkey = wish.pubkey \
         OR (copy.kind = $3 AND copy.recipient_pubkey = wish.pubkey))",
    )
    .bind(&ids)
    .bind(&keys)
    .bind(i64::from(GIFT_WRAP))
    .execute(pool)
    .await?;
    Ok(removed.rows_affected() as usize)
}

pub(super) async fn forget_all_of(
    pool: &PgPool,
    pubkey: &PublicKey,
    until_s: u64,
) -> sqlx::Result<usize> {
    let removed = sqlx::query(
        "DELETE FROM archived_events WHERE created_at <= $2 \
         AND (pubkey = $1 OR (recipient_pubkey = $1 AND kind = $3))",
    )
    .bind(pubkey.to_hex())
    .bind(signed(until_s))
    .bind(i64::from(GIFT_WRAP))
    .execute(pool)
    .await?;
    Ok(removed.rows_affected() as usize)
}
