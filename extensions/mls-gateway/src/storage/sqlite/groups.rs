//! The registry of groups.

use crate::storage::columns::{GroupRow, limit, newest, relays_json, signed, stored};
use crate::storage::{Group, Page, Seen};
use serde_json::json;
use sqlx::sqlite::SqlitePool;
use trellis_relay::event::PublicKey;

pub(super) async fn one(pool: &SqlitePool, group_id: &str) -> sqlx::Result<Option<Group>> {
    let row: Option<GroupRow> = sqlx::query_as(
        "SELECT *, (SELECT count(*) FROM members WHERE members.group_id = groups.group_id) AS member_count \
         FROM groups WHERE group_id = ?1",
    )
    .bind(stored(group_id))
    .fetch_optional(pool)
    .await?;
    Ok(row.map(Group::from))
}

pub(super) async fn page(
    pool: &SqlitePool,
    member: Option<&PublicKey>,
    page: Page<'_>,
) -> sqlx::Result<Vec<Group>> {
    let query = match member {
        None => sqlx::query_as(
            "SELECT *, (SELECT count(*) FROM members WHERE members.group_id = groups.group_id) AS member_count \
             FROM groups WHERE group_id > ?1 ORDER BY group_id LIMIT ?2",
        ),
        Some(_) => sqlx::query_as(
            "SELECT groups.*, \
             (SELECT count(*) FROM members WHERE members.group_id = groups.group_id) AS member_count \
             FROM members AS own JOIN groups USING (group_id) \
             WHERE own.pubkey = ?3 AND own.group_id > ?1 ORDER BY own.group_id LIMIT ?2",
        ),
    };
    let mut query = query
        .bind(stored(page.after.unwrap_or_default()))
        .bind(limit(page.max));
    if let Some(member) = member {
        query = query.bind(member.to_hex());
    }
    let rows: Vec<GroupRow> = query.fetch_all(pool).await?;
    Ok(rows.into_iter().map(Group::from).collect())
}

pub(super) async fn describe(
    writer: &SqlitePool,
    group_id: &str,
    display_name: Option<&str>,
    avatar_url: Option<&str>,
    now_s: u64,
) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO groups (group_id, display_name, avatar_url, created_at, updated_at) \
         VALUES (?1, ?2, ?3, ?4, ?4) \
         ON CONFLICT (group_id) DO UPDATE SET \
         display_name = coalesce(excluded.display_name, display_name), \
         avatar_url = coalesce(excluded.avatar_url, avatar_url), \
         updated_at = max(updated_at, excluded.updated_at)",
    )
    .bind(stored(group_id))
    .bind(display_name.map(stored))
    .bind(avatar_url.map(stored))
    .bind(signed(now_s))
    .execute(writer)
    .await?;
    Ok(())
}

pub(super) async fn note(writer: &SqlitePool, seen: &[Seen], now_s: u64) -> sqlx::Result<()> {
    if seen.is_empty() {
        return Ok(());
    }
    let newest: serde_json::Value = newest(seen)
        .into_iter()
        .map(|(group_id, (epoch, time_s))| json!([group_id, epoch, time_s]))
        .collect();
    sqlx::query(
        "INSERT INTO groups (group_id, last_epoch, last_event_ts, created_at, updated_at) \
         SELECT value ->> 0, value ->> 1, value ->> 2, ?2, ?2 FROM json_each(?1) WHERE true \
         ON CONFLICT (group_id) DO UPDATE SET \
         last_epoch = max(coalesce(last_epoch, excluded.last_epoch), coalesce(excluded.last_epoch, last_epoch)), \
         last_event_ts = max(coalesce(last_event_ts, 0), excluded.last_event_ts), \
         updated_at = max(updated_at, excluded.updated_at)",
    )
    .bind(newest.to_string())
    .bind(signed(now_s))
    .execute(writer)
    .await?;
    Ok(())
}

pub(super) async fn import(writer: &SqlitePool, group: &Group) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO groups (group_id, display_name, avatar_url, owner_pubkey, last_epoch, last_event_ts, relays, \
         created_at, updated_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) \
         ON CONFLICT (group_id) DO UPDATE SET \
         display_name = excluded.display_name, \
         avatar_url = excluded.avatar_url, \
         owner_pubkey = CASE WHEN EXISTS (SELECT 1 FROM rosters WHERE rosters.group_id = groups.group_id) \
         THEN owner_pubkey ELSE excluded.owner_pubkey END, \
         last_epoch = max(coalesce(last_epoch, excluded.last_epoch), coalesce(excluded.last_epoch, last_epoch)), \
         last_event_ts = max(coalesce(last_event_ts, excluded.last_event_ts), \
         coalesce(excluded.last_event_ts, last_event_ts)), \
         relays = excluded.relays, \
         created_at = excluded.created_at, \
         updated_at = excluded.updated_at",
    )
    .bind(stored(&group.group_id))
    .bind(group.display_name.as_deref().map(stored))
    .bind(group.avatar_url.as_deref().map(stored))
    .bind(group.owner.map(|key| key.to_hex()))
    .bind(group.last_epoch.map(signed))
    .bind(group.last_event_s.map(signed))
    .bind(relays_json(&group.relays))
    .bind(signed(group.created_at_s))
    .bind(signed(group.updated_at_s))
    .execute(writer)
    .await?;
    Ok(())
}
