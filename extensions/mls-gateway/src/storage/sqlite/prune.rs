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
    let pruned = Pruned {
        key_package_letters: remove(
            &mut transaction,
            "DELETE FROM mail_keypackages WHERE rowid IN \
             (SELECT rowid FROM mail_keypackages WHERE expires_at <= ?1 LIMIT ?2)",
            now_s,
            max,
        )
        .await?,
        welcome_letters: remove(
            &mut transaction,
            "DELETE FROM mail_welcomes WHERE rowid IN \
             (SELECT rowid FROM mail_welcomes WHERE expires_at <= ?1 LIMIT ?2)",
            now_s,
            max,
        )
        .await?,
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
             (SELECT position FROM archived_events WHERE archived_at < ?1 LIMIT ?2)",
            archived_before_s,
            max,
        )
        .await?,
    };
    transaction.commit().await?;
    Ok(pruned)
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
