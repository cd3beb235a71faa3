//! Removes what has expired. What another relay is removing is left to it.

use crate::storage::Pruned;
use crate::storage::columns::{limit, signed};
use sqlx::postgres::{PgConnection, PgPool};

pub(super) async fn prune(
    pool: &PgPool,
    now_s: u64,
    archived_before_s: u64,
    max: usize,
) -> sqlx::Result<Pruned> {
    let mut transaction = pool.begin().await?;
    let pruned = Pruned {
        key_package_letters: remove(
            &mut transaction,
            "DELETE FROM mail_keypackages WHERE id IN \
             (SELECT id FROM mail_keypackages WHERE expires_at <= $1 LIMIT $2 FOR UPDATE SKIP LOCKED)",
            now_s,
            max,
        )
        .await?,
        welcome_letters: remove(
            &mut transaction,
            "DELETE FROM mail_welcomes WHERE id IN \
             (SELECT id FROM mail_welcomes WHERE expires_at <= $1 LIMIT $2 FOR UPDATE SKIP LOCKED)",
            now_s,
            max,
        )
        .await?,
        packages: remove(
            &mut transaction,
            "DELETE FROM packages WHERE id IN \
             (SELECT id FROM packages WHERE expires_at <= $1 LIMIT $2 FOR UPDATE SKIP LOCKED)",
            now_s,
            max,
        )
        .await?,
        archived: remove(
            &mut transaction,
            "DELETE FROM archived_events WHERE position IN \
             (SELECT position FROM archived_events WHERE archived_at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED)",
            archived_before_s,
            max,
        )
        .await?,
    };
    transaction.commit().await?;
    Ok(pruned)
}

async fn remove(
    transaction: &mut PgConnection,
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
