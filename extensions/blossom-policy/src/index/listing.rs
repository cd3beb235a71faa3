//! What a key has claimed, newest first (BUD-12).

use super::blobs::BlobRow;
use super::columns::{limit, signed, unsigned};
use super::failure::operating;
use super::{Blob, Index, ListPage, Listed, Result};
use crate::blob::BlobHash;
use sqlx::FromRow;
use trellis_relay::event::PublicKey;

#[derive(FromRow)]
struct ListedRow {
    #[sqlx(flatten)]
    blob: BlobRow,
    claimed_ms: i64,
}

impl Index {
    /// A page of what a key has claimed, newest first; blobs that are shown to nobody are not in it.
    pub(crate) async fn list(&self, owner: &PublicKey, page: &ListPage) -> Result<Vec<Listed>> {
        let listed = self.listed(owner, page).await;
        listed.map_err(|error| operating("list", &error))
    }

    /// When a key has claimed a blob, which is its place in the list. Nothing where it has not.
    pub(crate) async fn claimed_ms(
        &self,
        owner: &PublicKey,
        sha256: &BlobHash,
    ) -> Result<Option<u64>> {
        let found: sqlx::Result<Option<i64>> =
            sqlx::query_scalar("SELECT claimed_ms FROM owners WHERE pubkey = ?1 AND sha256 = ?2")
                .bind(owner.as_bytes().as_slice())
                .bind(sha256.as_bytes().as_slice())
                .fetch_optional(&self.readers)
                .await;
        let found = found.map_err(|error| operating("claimed_ms", &error))?;
        Ok(found.map(unsigned))
    }

    async fn listed(&self, owner: &PublicKey, page: &ListPage) -> sqlx::Result<Vec<Listed>> {
        let rows: Vec<ListedRow> = sqlx::query_as(
            "SELECT blobs.*, claimed_ms FROM owners JOIN blobs_and_bans AS blobs USING (sha256) \
             WHERE pubkey = ?1 AND claimed_ms BETWEEN ?2 AND ?3 \
             AND quarantined_for IS NULL AND banned_for IS NULL \
             AND (?4 IS NULL OR (claimed_ms, owners.sha256) < (?4, ?5)) \
             ORDER BY claimed_ms DESC, owners.sha256 DESC LIMIT ?6",
        )
        .bind(owner.as_bytes().as_slice())
        .bind(signed(page.since_ms.unwrap_or(0)))
        .bind(signed(page.until_ms.unwrap_or(u64::MAX)))
        .bind(page.after.map(|(claimed_ms, _)| signed(claimed_ms)))
        .bind(page.after.map(|(_, sha256)| sha256.as_bytes().to_vec()))
        .bind(limit(page.max))
        .fetch_all(&self.readers)
        .await?;
        rows.into_iter()
            .map(|row| {
                Ok(Listed {
                    claimed_ms: unsigned(row.claimed_ms),
                    blob: Blob::try_from(row.blob)?,
                })
            })
            .collect()
    }
}
