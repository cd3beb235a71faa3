//! Copies of the database for backups, and how a database knows that it is one.
//!
//! Invariant: a copy is the database as it was in one moment, with nothing beside it, and says of itself that it is a copy
//! until somebody has brought it up to date. That stands in the number that SQLite keeps for whoever has the file
//! (`user_version`), which is 0 in a database that is no copy.

use super::create_file;
use crate::storage::Result;
use crate::storage::failure::operating;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool};
use sqlx::{ConnectOptions, Connection, Executor};
use std::path::Path;

/// Writes a copy to a file that is not there. Reads for as long as it takes, by a connection of its own; others go on
/// writing.
pub(super) async fn copy(database: &SqliteConnectOptions, to: &Path) -> Result<()> {
    // SQLite takes an empty file as well, and would make one for everybody to read.
    create_file(to)?;
    let copied = async {
        let mut connection = database.connect().await?;
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
    copied.await.map_err(|error| operating("back_up", &error))
}

/// Whether the database is a copy that was put in the place of what it was made of.
pub(super) async fn is_copy(reader: &SqlitePool) -> sqlx::Result<bool> {
    let version: i64 = sqlx::query_scalar("PRAGMA user_version")
        .fetch_one(reader)
        .await?;
    Ok(version != 0)
}

/// It is up to date.
pub(super) async fn end_copy(writer: &SqlitePool) -> sqlx::Result<()> {
    writer.execute("PRAGMA user_version = 0").await.map(drop)
}

#[cfg(test)]
mod tests;
