//! Blobs, whoever they belong to.

use super::columns::{exactly, hash, limit, signed, unsigned};
use super::failure::{operating, run};
use super::{Blob, Index, Result, Totals};
use crate::blob::BlobHash;
use sqlx::{Executor, FromRow, Sqlite};

impl Index {
    /// A blob, hidden or not.
    pub(crate) async fn blob(&self, sha256: &BlobHash) -> Result<Option<Blob>> {
        let found = one(&self.readers, sha256).await;
        found.map_err(|error| operating("blob", &error))
    }

    /// Blobs in the order of their hashes, `max` of those after one.
    pub(crate) async fn blobs(&self, after: Option<BlobHash>, max: usize) -> Result<Vec<Blob>> {
        let after = after.map(|it| it.as_bytes().to_vec()).unwrap_or_default();
        let found = sqlx::query_as(
            "SELECT * FROM blobs_and_bans WHERE sha256 > ?1 ORDER BY sha256 LIMIT ?2",
        )
        .bind(after)
        .bind(limit(max))
        .fetch_all(&self.readers);
        let found = found.await.and_then(all);
        found.map_err(|error| operating("blobs", &error))
    }

    /// Blobs that nobody has claimed since, the oldest first; those that are quarantined wait for an operator.
    pub(crate) async fn expired(&self, before_ms: u64, max: usize) -> Result<Vec<Blob>> {
        let found = sqlx::query_as(
            "SELECT * FROM blobs_and_bans WHERE kept_from_ms < ?1 AND quarantined_for IS NULL \
             ORDER BY kept_from_ms, sha256 LIMIT ?2",
        )
        .bind(signed(before_ms))
        .bind(limit(max))
        .fetch_all(&self.readers);
        let found = found.await.and_then(all);
        found.map_err(|error| operating("expired", &error))
    }

    /// What is stored altogether. Reads every row.
    pub(crate) async fn totals(&self) -> Result<Totals> {
        let found: sqlx::Result<(i64, i64, i64)> = sqlx::query_as(
            "SELECT count(*), coalesce(sum(size_bytes), 0), count(quarantined_for) + \
             (SELECT count(*) FROM bans JOIN blobs AS banned ON banned.sha256 = bans.subject \
             WHERE bans.kind = 0 AND banned.quarantined_for IS NULL) FROM blobs",
        )
        .fetch_one(&self.readers)
        .await;
        let (blobs, bytes, quarantined) = found.map_err(|error| operating("totals", &error))?;
        Ok(Totals {
            blobs: unsigned(blobs),
            bytes: unsigned(bytes),
            quarantined: unsigned(quarantined),
        })
    }

    /// Adds hashes that a block list came to need.
    pub(crate) async fn note_digests(
        &self,
        sha256: &BlobHash,
        md5: Option<[u8; 16]>,
        sha1: Option<[u8; 20]>,
    ) -> Result<()> {
        let written = run("note_digests", {
            sqlx::query(
                "UPDATE blobs SET md5 = coalesce(?2, md5), sha1 = coalesce(?3, sha1) WHERE sha256 = ?1",
            )
            .bind(sha256.as_bytes().as_slice())
            .bind(md5.map(|it| it.to_vec()))
            .bind(sha1.map(|it| it.to_vec()))
            .execute(&self.writer)
        });
        written.await.map(drop)
    }
}

/// A blob, as a connection or a transaction sees it.
pub(super) async fn one<'c>(
    reader: impl Executor<'c, Database = Sqlite>,
    sha256: &BlobHash,
) -> sqlx::Result<Option<Blob>> {
    let row: Option<BlobRow> = sqlx::query_as("SELECT * FROM blobs_and_bans WHERE sha256 = ?1")
        .bind(sha256.as_bytes().as_slice())
        .fetch_optional(reader)
        .await?;
    row.map(Blob::try_from).transpose()
}

pub(super) fn all(rows: Vec<BlobRow>) -> sqlx::Result<Vec<Blob>> {
    rows.into_iter().map(Blob::try_from).collect()
}

/// A row of `blobs`.
#[derive(Debug, FromRow)]
pub(super) struct BlobRow {
    sha256: Vec<u8>,
    size_bytes: i64,
    mime_type: String,
    uploaded_ms: i64,
    kept_from_ms: i64,
    is_encrypted: bool,
    quarantined_for: Option<String>,
    banned_for: Option<String>,
    md5: Option<Vec<u8>>,
    sha1: Option<Vec<u8>>,
}

impl TryFrom<BlobRow> for Blob {
    type Error = sqlx::Error;

    fn try_from(row: BlobRow) -> sqlx::Result<Self> {
        Ok(Blob {
            sha256: hash(row.sha256)?,
            size_bytes: unsigned(row.size_bytes),
            mime_type: row.mime_type,
            uploaded_ms: unsigned(row.uploaded_ms),
            kept_from_ms: unsigned(row.kept_from_ms),
            is_encrypted: row.is_encrypted,
            quarantined_for: row.quarantined_for,
            banned_for: row.banned_for,
            md5: row.md5.map(|it| exactly("md5", &it)).transpose()?,
            sha1: row.sha1.map(|it| exactly("sha1", &it)).transpose()?,
        })
    }
}

/// Shows a blob to nobody any more. Whether that is new.
pub(super) async fn quarantine<'c>(
    writer: impl Executor<'c, Database = Sqlite>,
    sha256: &BlobHash,
    reason: &str,
) -> sqlx::Result<bool> {
    let changed = sqlx::query(
        "UPDATE blobs SET quarantined_for = ?2 WHERE sha256 = ?1 AND quarantined_for IS NULL",
    )
    .bind(sha256.as_bytes().as_slice())
    .bind(reason)
    .execute(writer);
    Ok(changed.await?.rows_affected() > 0)
}

/// Shows it again. Whether that is new.
pub(super) async fn unquarantine<'c>(
    writer: impl Executor<'c, Database = Sqlite>,
    sha256: &BlobHash,
) -> sqlx::Result<bool> {
    let changed = sqlx::query(
        "UPDATE blobs SET quarantined_for = NULL WHERE sha256 = ?1 AND quarantined_for IS NOT NULL",
    )
    .bind(sha256.as_bytes().as_slice())
    .execute(writer);
    Ok(changed.await?.rows_affected() > 0)
}
