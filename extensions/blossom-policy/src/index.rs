//! What is known of blobs: what they are, whose, and what was decided about them. An SQLite file beside them.
//!
//! Invariant: whoever writes takes the database's write lock first (`BEGIN IMMEDIATE`), so that what a transaction reads is
//! what it writes upon; and every commit is on the disk when it returns. A blob has a row from when it is durable in the
//! storage until just before it is removed there; in between `changes` names it, so that the start after a crash knows what
//! was interrupted.
//!
//! Deliberately not here: the order of the storage and the index, which is the affair of `holdings`.

mod backup;
mod bans;
mod blobs;
#[cfg(test)]
pub(crate) mod breaking;
mod changes;
mod claims;
mod columns;
mod decisions;
mod failure;
mod listing;
#[cfg(test)]
pub(crate) mod looking;
mod reports;
mod rows;
#[cfg(test)]
mod tests;

pub(crate) use decisions::Change;
pub(crate) use failure::IndexError;
pub(crate) use rows::{
    Added, Ban, Banned, Blob, Claimed, Decision, ListPage, Listed, NewBlob, NewDecision, NewReport,
    Released, Report, Totals, Usage,
};

use failure::connecting;
use sqlx::migrate::Migrator;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions, Sqlite, Transaction};
use std::path::Path;
use std::time::Duration;

/// What is known of blobs. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Index {
    /// One connection, for which writers queue.
    writer: SqlitePool,
    readers: SqlitePool,
    /// For connections that are neither's.
    options: SqliteConnectOptions,
}

/// What an index answers.
pub(crate) type Result<T> = std::result::Result<T, IndexError>;

static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// For how long a connection or a lock is waited for.
const PATIENCE: Duration = Duration::from_secs(10);
/// Connections that read.
const READERS: u32 = 4;
/// What the log of writes is cut down to when it has grown.
const WAL_BYTES: &str = "67108864";

impl Index {
    /// Opens the file, which is made if it is not there, for this user alone.
    pub(crate) async fn open(file: &Path) -> Result<Self> {
        let made = trellis_sqlite_file::create(file);
        made.map_err(|error| IndexError::Open(error.kind().to_string()))?;
        let options = SqliteConnectOptions::new()
            .filename(file)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(PATIENCE)
            .pragma("journal_size_limit", WAL_BYTES)
            .disable_statement_logging();
        let pool = |connections| {
            SqlitePoolOptions::new()
                .max_connections(connections)
                .acquire_timeout(PATIENCE)
                .idle_timeout(None)
                .max_lifetime(None)
                .test_before_acquire(false)
        };
        let writer = pool(1).connect_with(options.clone()).await;
        let writer = writer.map_err(connecting)?;
        let migrated = MIGRATIONS.run(&writer).await;
        migrated.map_err(connecting)?;
        Ok(Index {
            writer,
            readers: pool(READERS).connect_lazy_with(options.clone()),
            options,
        })
    }

    /// Where it is.
    pub(crate) fn file(&self) -> &Path {
        self.options.get_filename()
    }

    /// A transaction that may write.
    async fn begin(&self) -> sqlx::Result<Transaction<'static, Sqlite>> {
        self.writer.begin_with("BEGIN IMMEDIATE").await
    }
}
