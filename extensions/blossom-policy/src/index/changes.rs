//! Blobs on their way into the storage or out of it.
//!
//! A storage and an index cannot change together. So a blob is named here before the storage is given it, or in the
//! transaction in which it loses its row, until both agree. After a crash the start needs to look at these alone, and not at
//! everything that is stored.

use super::columns::hash;
use super::failure::{operating, run};
use super::{Index, Result};
use crate::blob::BlobHash;
use sqlx::{Executor, Sqlite};

impl Index {
    /// The storage is about to be given this blob.
    pub(crate) async fn begin_change(&self, sha256: &BlobHash) -> Result<()> {
        run("begin_change", begin(&self.writer, sha256)).await
    }

    /// The storage and the index agree about this blob.
    pub(crate) async fn end_change(&self, sha256: &BlobHash) -> Result<()> {
        run("end_change", end(&self.writer, sha256)).await
    }

    /// Whatever has begun and not ended.
    pub(crate) async fn changes(&self) -> Result<Vec<BlobHash>> {
        let found: sqlx::Result<Vec<Vec<u8>>> = sqlx::query_scalar("SELECT sha256 FROM changes")
            .fetch_all(&self.readers)
            .await;
        let hashes = found.and_then(|found| found.into_iter().map(hash).collect());
        hashes.map_err(|error| operating("changes", &error))
    }
}

pub(super) async fn begin<'c>(
    writer: impl Executor<'c, Database = Sqlite>,
    sha256: &BlobHash,
) -> sqlx::Result<()> {
    let written = sqlx::query("INSERT OR IGNORE INTO changes (sha256) VALUES (?1)")
        .bind(sha256.as_bytes().as_slice())
        .execute(writer);
    written.await.map(drop)
}

pub(super) async fn end<'c>(
    writer: impl Executor<'c, Database = Sqlite>,
    sha256: &BlobHash,
) -> sqlx::Result<()> {
    let written = sqlx::query("DELETE FROM changes WHERE sha256 = ?1")
        .bind(sha256.as_bytes().as_slice())
        .execute(writer);
    written.await.map(drop)
}
