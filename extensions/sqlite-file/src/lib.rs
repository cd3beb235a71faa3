//! An SQLite file of an extension: how it is made, copied for a backup, and known as a copy.
//!
//! Invariant: a copy is the database as it was in one moment, with nothing beside it, and says of itself that it is a copy
//! until somebody has brought it up to date. That stands in the number that SQLite keeps for whoever has the file
//! (`user_version`), which is 0 in a database that is no copy. A copy is begun only where there is room for it. Deliberately
//! not here: tables, and how errors are told, which each extension sees to.

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool};
use sqlx::{ConnectOptions, Connection, Executor};
use std::fs::OpenOptions;
use std::io::{self, ErrorKind};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Room that is left to others, the relay's store perhaps. Bytes.
const RESERVE_BYTES: u64 = 64 << 20;

/// Why there is no copy.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The file cannot be made, or its disk cannot be asked for room.
    #[error("the file of the copy cannot be made")]
    File(#[from] io::Error),
    /// There is too little room for it.
    #[error("a copy needs {needed_bytes} free bytes on its disk, and {free_bytes} are free")]
    NoRoom {
        /// For the copy, for what a backup packs it into, and for others.
        needed_bytes: u64,
        /// What there is.
        free_bytes: u64,
    },
    /// SQLite failed.
    #[error("the database cannot be copied")]
    Database(#[from] sqlx::Error),
}

/// Makes an empty file for a database that only its owner may read, unless the file is there. SQLite gives the files beside
/// it the same permissions.
pub fn create(file: &Path) -> io::Result<()> {
    let created = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file);
    match created {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// Writes a copy to a file that is not there. Reads for as long as it takes, by a connection of its own; others go on
/// writing. Asks before it begins whether the disk has room for the copy, once more for whoever packs it, and some for
/// others: a relay whose disk is full stores nothing.
pub async fn copy(database: &SqliteConnectOptions, to: &Path) -> Result<(), CopyError> {
    copy_beside(database, to, RESERVE_BYTES).await
}

async fn copy_beside(
    database: &SqliteConnectOptions,
    to: &Path,
    reserve_bytes: u64,
) -> Result<(), CopyError> {
    let mut connection = database.connect().await?;
    let copied = copy_by(&mut connection, to, reserve_bytes).await;
    connection.close().await?;
    copied?;
    let copy = SqliteConnectOptions::new()
        .filename(to)
        .journal_mode(SqliteJournalMode::Delete)
        .disable_statement_logging();
    let mut copy = SqliteConnection::connect_with(&copy).await?;
    copy.execute("PRAGMA user_version = 1").await?;
    Ok(copy.close().await?)
}

async fn copy_by(
    connection: &mut SqliteConnection,
    to: &Path,
    reserve_bytes: u64,
) -> Result<(), CopyError> {
    // With what stands beside the file; without what is free in it, which a copy leaves out.
    let bytes: i64 = sqlx::query_scalar(
        "SELECT (page_count - freelist_count) * page_size \
         FROM pragma_page_count, pragma_freelist_count, pragma_page_size",
    )
    .fetch_one(&mut *connection)
    .await?;
    let bytes = u64::try_from(bytes).unwrap_or_default();
    let needed_bytes = bytes.saturating_mul(2).saturating_add(reserve_bytes);
    let free_bytes = free_bytes(to).await?;
    if free_bytes < needed_bytes {
        return Err(CopyError::NoRoom {
            needed_bytes,
            free_bytes,
        });
    }
    // SQLite takes an empty file as well, and would make one for everybody to read.
    create(to)?;
    let vacuum = sqlx::query("VACUUM INTO ?1").bind(to.to_string_lossy().into_owned());
    vacuum.execute(connection).await?;
    Ok(())
}

/// On the disk of a file that may not be there yet.
async fn free_bytes(file: &Path) -> io::Result<u64> {
    let folder = file.parent().unwrap_or(Path::new(".")).to_owned();
    let asked = tokio::task::spawn_blocking(move || rustix::fs::statvfs(&folder));
    let found = asked.await.map_err(io::Error::other)??;
    Ok(found.f_bavail.saturating_mul(found.f_frsize))
}

/// Whether the database is a copy that was put in the place of what it was made of.
pub async fn is_copy(reader: &SqlitePool) -> sqlx::Result<bool> {
    let version: i64 = sqlx::query_scalar("PRAGMA user_version")
        .fetch_one(reader)
        .await?;
    Ok(version != 0)
}

/// What a copy needed was done: it is up to date.
pub async fn end_copy(writer: &SqlitePool) -> sqlx::Result<()> {
    writer.execute("PRAGMA user_version = 0").await.map(drop)
}

#[cfg(test)]
mod tests;
