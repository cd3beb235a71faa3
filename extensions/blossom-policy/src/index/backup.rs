//! Copies of the index for backups, and how an index knows that it is one.
//!
//! Invariant: a copy is the index as it was in one moment, with nothing beside it, and says of itself that it is a copy until
//! [`Index::end_copy`]. That stands in the number that SQLite keeps for whoever has the file (`user_version`), which is 0 in
//! an index that is no copy.

use super::failure::{operating, run};
use super::{Index, Result, create_file};
use crate::blob::BlobHash;
use crate::index::columns::{hash, limit};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode};
use sqlx::{ConnectOptions, Connection, Executor};
use std::path::Path;

impl Index {
    /// Writes a copy to a file that is not there. Reads for as long as it takes, by a connection of its own; others go on
    /// writing.
    pub(crate) async fn back_up(&self, to: &Path) -> Result<()> {
        // SQLite takes an empty file as well, and would make one for everybody to read.
        create_file(to)?;
        let copied = async {
            let mut connection = self.options.connect().await?;
            let vacuum = sqlx::query("VACUUM INTO ?1").bind(to.to_string_lossy().into_owned());
            let written = vacuum.execute(&mut connection).await;
            connection.close().await?;
            written?;
            let copy = SqliteConnectOptions::new()
                .filename(to)
                .journal_mode(SqliteJournalMode::Delete)
                .disable_statement_logging();
            let mut copy = SqliteConnection::connect_with(&copy).await?;
            copy.execute("PRAGMA user_version = 1").await?;
            copy.close().await
        };
        run("back_up", copied).await
    }

    /// Whether this index is a copy that was put in the place of what it was made of.
    pub(crate) async fn is_copy(&self) -> Result<bool> {
        let version = sqlx::query_scalar("PRAGMA user_version").fetch_one(&self.readers);
        let version: i64 = run("is_copy", version).await?;
        Ok(version != 0)
    }

    /// What a copy needed was done.
    pub(crate) async fn end_copy(&self) -> Result<()> {
        let ended = self.writer.execute("PRAGMA user_version = 0");
        run("end_copy", ended).await.map(drop)
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
