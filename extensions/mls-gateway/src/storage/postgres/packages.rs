//! The stock of KeyPackages. Live are those that have not expired and are reserved for nobody.

use crate::storage::columns::{PackageRow, StockRow, all, event_id, limit, signed, stored};
use crate::storage::{Package, Page, PutPackage, RESERVED_S_MAX, Stock, USED_UP_AT_S};
use sqlx::postgres::PgPool;
use trellis_relay::event::{EventId, PublicKey};

pub(super) async fn put(pool: &PgPool, package: &Package) -> sqlx::Result<PutPackage> {
    let id = package.id.to_hex();
    let written = sqlx::query(
        "INSERT INTO packages (id, owner_pubkey, reference, ciphersuite, created_at, expires_at) \
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
    )
    .bind(&id)
    .bind(package.owner.to_hex())
    .bind(package.reference.as_deref().map(stored))
    .bind(package.ciphersuite.as_deref().map(stored))
    .bind(signed(package.created_at_s))
    .bind(signed(package.expires_at_s))
    .execute(pool)
    .await?;
    if written.rows_affected() > 0 {
        return Ok(PutPackage::Stored);
    }
    let known: Option<Option<i64>> =
        sqlx::query_scalar("SELECT reserved_at FROM packages WHERE id = $1")
            .bind(&id)
            .fetch_optional(pool)
            .await?;
    match known {
        Some(reserved_at) => Ok(known_as(reserved_at)),
        None => Ok(PutPackage::ReferenceTaken),
    }
}

fn known_as(reserved_at: Option<i64>) -> PutPackage {
    match reserved_at == Some(signed(USED_UP_AT_S)) {
        true => PutPackage::UsedUp,
        false => PutPackage::Known,
    }
}

pub(super) async fn live(
    pool: &PgPool,
    owner: &PublicKey,
    now_s: u64,
    max: usize,
) -> sqlx::Result<Vec<Package>> {
    let rows: Vec<PackageRow> = sqlx::query_as(
        "SELECT * FROM packages WHERE owner_pubkey = $1 AND expires_at > $2 \
         AND (reserved_at IS NULL OR reserved_at <= $4) \
         ORDER BY created_at, id LIMIT $3",
    )
    .bind(owner.to_hex())
    .bind(signed(now_s))
    .bind(limit(max))
    .bind(signed(now_s.saturating_sub(RESERVED_S_MAX)))
    .fetch_all(pool)
    .await?;
    all(rows)
}

pub(super) async fn reserve(
    pool: &PgPool,
    owner: &PublicKey,
    max: usize,
    now_s: u64,
) -> sqlx::Result<Vec<EventId>> {
    let owner = owner.to_hex();
    let mut transaction = pool.begin().await?;
    // All of them are locked, and not just those that are wanted: another reader has to wait until these are reserved to
    // see which one is the last.
    let mut ids: Vec<String> = sqlx::query_scalar(
        "SELECT id FROM packages WHERE owner_pubkey = $1 AND expires_at > $2 \
         AND (reserved_at IS NULL OR reserved_at <= $3) \
         ORDER BY created_at, id FOR UPDATE",
    )
    .bind(&owner)
    .bind(signed(now_s))
    .bind(signed(now_s.saturating_sub(RESERVED_S_MAX)))
    .fetch_all(&mut *transaction)
    .await?;
    ids.pop();
    ids.truncate(max);
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    sqlx::query("UPDATE packages SET reserved_at = $1 WHERE id = ANY($2)")
        .bind(signed(now_s))
        .bind(&ids)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    ids.iter().map(|id| event_id(id)).collect()
}

pub(super) async fn use_up(pool: &PgPool, ids: &[EventId]) -> sqlx::Result<usize> {
    if ids.is_empty() {
        return Ok(0);
    }
    let ids: Vec<String> = ids.iter().map(EventId::to_hex).collect();
    let used = sqlx::query(
        "UPDATE packages SET reserved_at = $1 WHERE id = ANY($2) \
         AND (reserved_at IS NULL OR reserved_at < $1)",
    )
    .bind(signed(USED_UP_AT_S))
    .bind(&ids)
    .execute(pool)
    .await?;
    Ok(used.rows_affected() as usize)
}

pub(super) async fn is_used_up(
    pool: &PgPool,
    id: &EventId,
    owner: &PublicKey,
) -> sqlx::Result<bool> {
    sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM packages WHERE id = $1 AND owner_pubkey = $2 AND reserved_at = $3)",
    )
    .bind(id.to_hex())
    .bind(owner.to_hex())
    .bind(signed(USED_UP_AT_S))
    .fetch_one(pool)
    .await
}

pub(super) async fn remove(pool: &PgPool, ids: &[EventId]) -> sqlx::Result<usize> {
    if ids.is_empty() {
        return Ok(0);
    }
    let ids: Vec<String> = ids.iter().map(EventId::to_hex).collect();
    let removed = sqlx::query(
        "DELETE FROM packages WHERE id = ANY($1) AND (reserved_at IS NULL OR reserved_at < $2)",
    )
    .bind(&ids)
    .bind(signed(USED_UP_AT_S))
    .execute(pool)
    .await?;
    Ok(removed.rows_affected() as usize)
}

pub(super) async fn surplus(
    pool: &PgPool,
    owner: &PublicKey,
    keep: usize,
    now_s: u64,
) -> sqlx::Result<Vec<EventId>> {
    let newest_first: Vec<String> = sqlx::query_scalar(
        "SELECT id FROM packages WHERE owner_pubkey = $1 AND expires_at > $2 \
         AND (reserved_at IS NULL OR reserved_at <= $4) \
         ORDER BY created_at DESC, id DESC OFFSET $3",
    )
    .bind(owner.to_hex())
    .bind(signed(now_s))
    .bind(limit(keep))
    .bind(signed(now_s.saturating_sub(RESERVED_S_MAX)))
    .fetch_all(pool)
    .await?;
    newest_first.iter().rev().map(|id| event_id(id)).collect()
}

pub(super) async fn stock(pool: &PgPool, now_s: u64, page: Page<'_>) -> sqlx::Result<Vec<Stock>> {
    let rows: Vec<StockRow> = sqlx::query_as(
        "SELECT owner_pubkey, count(*) AS live FROM packages \
         WHERE owner_pubkey > $1 AND expires_at > $2 AND reserved_at IS NULL \
         GROUP BY owner_pubkey ORDER BY owner_pubkey LIMIT $3",
    )
    .bind(page.after.unwrap_or_default())
    .bind(signed(now_s))
    .bind(limit(page.max))
    .fetch_all(pool)
    .await?;
    all(rows)
}
