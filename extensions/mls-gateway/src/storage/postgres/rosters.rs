//! Rosters and their members.

use crate::roster::Roster;
use crate::storage::columns::{
    RosterRow, all, earlier_text, first_owner, limit, read, signed, stored,
};
use crate::storage::{PutRoster, VersionedRoster};
use sqlx::postgres::{PgConnection, PgPool};
use std::borrow::Cow;
use trellis_relay::event::PublicKey;

pub(super) async fn of_groups(
    pool: &PgPool,
    group_ids: &[String],
) -> sqlx::Result<Vec<(String, VersionedRoster)>> {
    let group_ids: Vec<Cow<'_, str>> = group_ids.iter().map(|id| stored(id)).collect();
    let rows: Vec<RosterRow> = sqlx::query_as(
        "SELECT group_id, seq, event_id, earlier_events, revision, \
         (SELECT json_object_agg(pubkey, role)::text FROM members WHERE members.group_id = rosters.group_id) AS members \
         FROM rosters WHERE group_id = ANY($1)",
    )
    .bind(&group_ids)
    .fetch_all(pool)
    .await?;
    all(rows)
}

pub(super) async fn with_member(pool: &PgPool, pubkey: &PublicKey) -> sqlx::Result<Vec<String>> {
    let ids: Vec<String> =
        sqlx::query_scalar("SELECT group_id FROM members WHERE pubkey = $1 ORDER BY group_id")
            .bind(pubkey.to_hex())
            .fetch_all(pool)
            .await?;
    Ok(ids.into_iter().map(read).collect())
}

pub(super) async fn put(
    pool: &PgPool,
    group_id: &str,
    roster: &Roster,
    replaces: Option<u64>,
    now_s: u64,
) -> sqlx::Result<PutRoster> {
    let group_id = stored(group_id);
    let mut transaction = pool.begin().await?;
    // Whoever writes any roster waits here for the one before, so that revisions come into sight in their order.
    let revision: i64 = sqlx::query_scalar(
        "UPDATE counters SET value = value + 1 WHERE name = 'rosters' RETURNING value",
    )
    .fetch_one(&mut *transaction)
    .await?;
    let write = match replaces {
        None => sqlx::query(
            "INSERT INTO rosters (group_id, seq, event_id, revision, updated_at, earlier_events) \
             VALUES ($1, $2, $3, $4, $5, $6) \
             ON CONFLICT DO NOTHING",
        ),
        Some(_) => sqlx::query(
            "UPDATE rosters SET seq = $2, event_id = $3, revision = $4, updated_at = $5, earlier_events = $6 \
             WHERE group_id = $1 AND revision = $7",
        ),
    };
    let mut write = write
        .bind(&*group_id)
        .bind(signed(roster.seq))
        .bind(roster.event.map(|id| id.to_hex()))
        .bind(revision)
        .bind(signed(now_s))
        .bind(earlier_text(roster));
    if let Some(replaces) = replaces {
        write = write.bind(signed(replaces));
    }
    if write.execute(&mut *transaction).await?.rows_affected() == 0 {
        transaction.rollback().await?;
        return Ok(PutRoster::Conflict);
    }
    put_members(&mut transaction, &group_id, roster).await?;
    sqlx::query(
        "INSERT INTO groups (group_id, owner_pubkey, created_at, updated_at) VALUES ($1, $2, $3, $3) \
         ON CONFLICT (group_id) DO UPDATE SET owner_pubkey = excluded.owner_pubkey, \
         updated_at = greatest(groups.updated_at, excluded.updated_at)",
    )
    .bind(&*group_id)
    .bind(first_owner(roster))
    .bind(signed(now_s))
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(PutRoster::Written(revision.unsigned_abs()))
}

/// Makes the members those of the roster; rows of those who stay as they are are not written.
async fn put_members(
    transaction: &mut PgConnection,
    group_id: &str,
    roster: &Roster,
) -> sqlx::Result<()> {
    let keys: Vec<String> = roster.members.keys().map(|key| key.to_hex()).collect();
    let roles: Vec<&str> = roster.members.values().map(|role| role.as_str()).collect();
    sqlx::query("DELETE FROM members WHERE group_id = $1 AND pubkey <> ALL($2)")
        .bind(group_id)
        .bind(&keys)
        .execute(&mut *transaction)
        .await?;
    sqlx::query(
        "INSERT INTO members (group_id, pubkey, role) SELECT $1, listed.pubkey, listed.role \
         FROM unnest($2::text[], $3::text[]) AS listed (pubkey, role) \
         ON CONFLICT (group_id, pubkey) DO UPDATE SET role = excluded.role WHERE members.role <> excluded.role",
    )
    .bind(group_id)
    .bind(&keys)
    .bind(&roles)
    .execute(&mut *transaction)
    .await?;
    Ok(())
}

pub(super) async fn changes(
    pool: &PgPool,
    cursor: u64,
    max: usize,
) -> sqlx::Result<(Vec<String>, u64)> {
    let rows: Vec<(String, i64)> = sqlx::query_as(
        "SELECT group_id, revision FROM rosters WHERE revision > $1 ORDER BY revision LIMIT $2",
    )
    .bind(signed(cursor))
    .bind(limit(max))
    .fetch_all(pool)
    .await?;
    let cursor = rows.last().map_or(cursor, |(_, last)| last.unsigned_abs());
    let ids = rows.into_iter().map(|(id, _)| read(id)).collect();
    Ok((ids, cursor))
}

pub(super) async fn cursor(pool: &PgPool) -> sqlx::Result<u64> {
    let value: i64 = sqlx::query_scalar("SELECT value FROM counters WHERE name = 'rosters'")
        .fetch_one(pool)
        .await?;
    Ok(value.unsigned_abs())
}
