//! Copies of the index for backups, and what is done with one that came back.

use super::failure::{operating, run};
use super::{Index, IndexError, Result};
use crate::blob::BlobHash;
use crate::index::columns::{hash, limit};
use std::path::Path;
use trellis_sqlite_file::{CopyError, copy, end_copy, is_copy};

impl Index {
    /// Writes a copy to a file that is not there. Others go on writing meanwhile.
    pub(crate) async fn back_up(&self, to: &Path) -> Result<()> {
        copy(&self.options, to).await.map_err(|error| match error {
            CopyError::File(error) => IndexError::Open(error.kind().to_string()),
            CopyError::Database(error) => operating("back_up", &error),
            CopyError::NoRoom { .. } => IndexError::Failed {
                operation: "back_up",
                what: error.to_string(),
            },
        })
    }

    /// Whether this index is a copy that was put in the place of what it was made of.
    pub(crate) async fn is_copy(&self) -> Result<bool> {
        run("is_copy", is_copy(&self.readers)).await
    }

    /// What a copy needed was done.
    pub(crate) async fn end_copy(&self) -> Result<()> {
        run("end_copy", end_copy(&self.writer)).await
    }

    /// Hashes without a row that are banned, or that an operator has had removed: by hash, `max` of those after one. A hash
    /// that was stored anew since has a row.
    pub(crate) async fn unwanted(
        &self,
        after: Option<BlobHash>,
        max: usize,
    ) -> Result<Vec<BlobHash>> {
        let after = after.map(|it| it.as_bytes().to_vec()).unwrap_or_default();
        let found: sqlx::Result<Vec<Vec<u8>>> = sqlx::query_scalar(
            "SELECT subject FROM bans WHERE kind = 0 AND subject > ?1 \
             AND subject NOT IN (SELECT sha256 FROM blobs) \
             UNION SELECT unhex(subject) AS removed FROM decisions WHERE action = 'remove' \
             AND unhex(subject) > ?1 AND unhex(subject) NOT IN (SELECT sha256 FROM blobs) \
             ORDER BY 1 LIMIT ?2",
        )
        .bind(after)
        .bind(limit(max))
        .fetch_all(&self.readers)
        .await;
        let hashes = found.and_then(|found| found.into_iter().map(hash).collect());
        hashes.map_err(|error| operating("unwanted", &error))
    }
}
