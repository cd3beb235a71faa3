//! Copies of the database for backups.

use crate::storage::failure::operating;
use crate::storage::{Result, StorageError};
use sqlx::sqlite::SqliteConnectOptions;
use std::path::Path;
use trellis_sqlite_file::CopyError;

/// Writes a copy to a file that is not there. Others go on writing meanwhile.
pub(super) async fn copy(database: &SqliteConnectOptions, to: &Path) -> Result<()> {
    let copied = trellis_sqlite_file::copy(database, to).await;
    copied.map_err(|error| match error {
        CopyError::File(error) => StorageError::Connect(error.kind().to_string()),
        CopyError::Database(error) => operating("back_up", &error),
        CopyError::NoRoom { .. } => StorageError::Unavailable {
            operation: "back_up",
            source: error.into(),
        },
    })
}

#[cfg(test)]
mod tests;
