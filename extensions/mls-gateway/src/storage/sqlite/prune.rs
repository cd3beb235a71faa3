//! Removes what has expired.

use super::begin;
use crate::storage::Pruned;
use crate::storage::columns::{limit, signed};
use sqlx::sqlite::{SqliteConnection, SqlitePool};

pub(super) async fn prune(
    writer: &SqlitePool,
    now_s: u64,
    archived_before_s: u64,
    max: usize,
) -> sqlx::Result<Pruned> {
    let mut transaction = begin(writer).await?;
    let (key_package_letters, acknowledged_packages) = remove_letters(
        &mut transaction,
        "DELETE FROM mail_keypackages WHERE rowid IN \
         (SELECT rowid FROM mail_keypackages WHERE expires_at <= ?1 LIMIT ?2) \
         RETURNING acknowledged_at IS NULL",
        now_s,
        max,
    )
    .await?;
    let (welcome_letters, acknowledged_welcomes) = remove_letters(
        &mut transaction,
        "DELETE FROM mail_welcomes WHERE rowid IN \
         (SELECT rowid FROM mail_welcomes WHERE expires_at <= ?1 LIMIT ?2) \
         RETURNING acknowledged_at IS NULL",
        now_s,
        max,
    )
    .await?;
    let pruned = Pruned {
        key_package_letters,
        welcome_letters,
        acknowledged_letters: acknowledged_packages + acknowledged_welcomes,
        packages: remove(
            &mut transaction,
            "DELETE FROM packages WHERE rowid IN \
             (SELECT rowid FROM packages WHERE expires_at <= ?1 LIMIT ?2)",
            now_s,
            max,
        )
        .await?,
        archived: remove(
            &mut transaction,
            "DELETE FROM archived_events WHERE position IN \
             (SELECT position FROM \
             (SELECT position, archived_at FROM archived_events ORDER BY position LIMIT ?2) WHERE archived_at < ?1)",
            archived_before_s,
            max,
        )
        .await?,
    };
    transaction.commit().await?;
    Ok(pruned)
}

/// Groups that are known by old messages alone.
pub(super) async fn groups(writer: &SqlitePool, before_s: u64, max: usize) -> sqlx::Result<u64> {
    let removed = sqlx::query(
        "DELETE FROM groups WHERE group_id IN (SELECT group_id FROM groups WHERE updated_at < ?1 \
         AND display_name IS NULL AND avatar_url IS NULL AND owner_pubkey IS NULL AND relays IS NULL AND last_event_ts IS NOT NULL \
         AND NOT EXISTS (SELECT 1 FROM rosters WHERE rosters.group_id = groups.group_id) LIMIT ?2)",
    )
    .bind(signed(before_s))
    .bind(limit(max))
    .execute(writer)
    .await?;
    Ok(removed.rows_affected())
}

/// How many of the removed were not acknowledged, and how many were.
async fn remove_letters(
    transaction: &mut SqliteConnection,
    statement: &'static str,
    now_s: u64,
    max: usize,
) -> sqlx::Result<(u64, u64)> {
    let removed: Vec<bool> = sqlx::query_scalar(statement)
        .bind(signed(now_s))
        .bind(limit(max))
        .fetch_all(transaction)
        .await?;
    let expired = removed.iter().filter(|was_unread| **was_unread).count();
    Ok((expired as u64, (removed.len() - expired) as u64))
}

async fn remove(
    transaction: &mut SqliteConnection,
    statement: &'static str,
    time_s: u64,
    max: usize,
) -> sqlx::Result<u64> {
    let removed = sqlx::query(statement)
        .bind(signed(time_s))
        .bind(limit(max))
        .execute(transaction)
        .await?;
    Ok(removed.rows_affected())
}
